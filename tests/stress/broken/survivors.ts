/** Mutations that no scenario shows, and why: nothing that this kernel does depends on the step. */

export interface Survivor {
  readonly id: string;
  /** Where it survives; absent: wherever it is. */
  readonly arch?: string;
  readonly why: string;
}

export const SURVIVORS: readonly Survivor[] = [
  {
    id: "SpfMm.seq1",
    arch: "aarch64",
    why: "SEQ1 says that the tables of the walk are still linked; here they wait for a grace period, of which there is none while a core neither sleeps nor leaves the kernel, as it does not between walk and lock; SEQ2 says everything else",
  },
  {
    id: "SpfMm.validateCopy",
    why: "a torn copy changes nothing: what follows reads tables and allocates, SEQ1 compares the count again before any lock is taken, and what tells anonymous mappings from others never changes in a VMA that RCU keeps",
  },
];

/** Why a mutation survives; null: it should not. */
export function explanationOf({ id, arch }: { readonly id: string; readonly arch: string }): string | null {
  return SURVIVORS.find((each) => each.id === id && (each.arch ?? arch) === arch)?.why ?? null;
}
