/** Mutations that no scenario shows, and why: nothing that this kernel does depends on the step, or no scenario does what it takes. */

interface Survivor {
  readonly id: string;
  /** Where it survives; absent: wherever it is. */
  readonly arch?: string;
  readonly why: string;
}

const SURVIVORS: readonly Survivor[] = [
  {
    id: "SpfMm.validateCopy",
    why: "a torn copy changes nothing: what follows reads tables and allocates, SEQ1 compares the count again before any lock is taken, and what tells anonymous mappings from others never changes in a VMA that RCU keeps",
  },
];

/** Why a mutation survives; null: it should not. */
export function explanationOf({ id, arch }: { readonly id: string; readonly arch: string }): string | null {
  return SURVIVORS.find((each) => each.id === id && (each.arch ?? arch) === arch)?.why ?? null;
}
