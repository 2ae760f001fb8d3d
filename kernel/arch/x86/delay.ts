/** udelay(): a busy wait on the time-stamp counter (arch/x86/lib/delay.c, delay_tsc()). */
import type { Context, Work } from "../../context.ts";

/** Lets virtual time pass without giving the core away. Interrupts are taken where they are on. */
export function* udelay(k: Context, microseconds: number): Work {
  const cycles = Math.round(k.kernel.platform.cyclesPerSecond / 1e6);
  for (let passed = 0; passed < microseconds; passed++) if (k.point(cycles)) yield;
}
