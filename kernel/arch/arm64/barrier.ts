/** Barriers as kernel code waits for them: Arm ARM B2.3 "Memory barriers", "Data Synchronization Barrier (DSB)". */
import type { Aarch64Cpu } from "../../../emu/hardware.ts";
import type { Context, Work } from "../../context.ts";
import { COST_ACCESS } from "../../costs.ts";

/** The core of a context. @hot */
export function arm64(k: Context): Aarch64Cpu {
  return k.cpu as Aarch64Cpu;
}

/**
 * DSB: returns when stores to page tables (…ST) or those and all invalidations of this core before it are complete.
 * Simplification: interrupts that are unmasked are accepted while the core waits; a real DSB keeps them out.
 */
export function* dsb(k: Context, option: "ish" | "ishst" | "nsh" | "nshst"): Work {
  if (k.point(COST_ACCESS)) yield;
  if (arm64(k).dsb(option)) {
    k.kernel.observer?.barrierDone(k, dsbName(option));
    return;
  }
  k.kernel.observer?.barrierWaits(k, dsbName(option));
  do {
    arm64(k).waitForBarrier();
    yield;
  } while (!arm64(k).barrierDone());
  k.kernel.observer?.barrierDone(k, dsbName(option));
}

function dsbName(option: string): string {
  return `DSB ${option.toUpperCase()}`;
}
