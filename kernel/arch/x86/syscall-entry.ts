/** do_syscall_64(): interrupts on, the call, back to the exit path. */
import type { Context, Work } from "../../context.ts";
import { COST_IRQ_MASK } from "../../costs.ts";
import type { KPtr } from "../../struct.ts";

export function* syscallEntry(k: Context, frame: KPtr): Work {
  k.cpu.setInterruptsEnabled(true);
  if (k.point(COST_IRQ_MASK)) yield;
  yield* k.kernel.process.syscall(k, frame);
}
