/** What scheduling and start-up call in memory management. */
import type { Context, Work } from "./context.ts";
import type { KPtr } from "./struct.ts";

export interface MemorySubsystem {
  /** The kernel's own address space; its tables map the kernel and nothing else. */
  readonly initMm: KPtr;
  /** mmgrab(): a reference to the structure and its top table, not to the user mappings. */
  grabMm(k: Context, mm: KPtr): void;
  /** mmdrop(). May free the structure; interrupts on. */
  dropMm(k: Context, mm: KPtr): Work;
  /** A zeroed kernel stack of KERNEL_STACK_BYTES, or NULL. */
  allocStack(k: Context): Work<KPtr>;
  freeStack(k: Context, stack: KPtr): Work;
  save(): unknown;
  restore(state: unknown): void;
}
