/** Memory management as neutral code asks it of an architecture. */
import type { Context, Work } from "../context.ts";
import type { KPtr } from "../struct.ts";

export interface ArchMmu {
  /**
   * switch_mm_irqs_off(): loads the tables of `next` on this core; `prev` is what was loaded (lazily or not). Called on
   * the incoming task's side with interrupts off.
   */
  switchMm(k: Context, prev: KPtr, next: KPtr): Work;
  /** enter_lazy_tlb(): the core goes on with `mm` loaded for a task that has no address space of its own. Interrupts off. */
  enterLazyTlb(k: Context, mm: KPtr): void;
}
