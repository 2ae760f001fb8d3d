/**
 * Cross calls: a core makes others run a function (kernel/smp.c). Every core has a queue of call records in guest RAM;
 * a record belongs to a pair of cores, is locked by the sender and unlocked by the receiver.
 */
import type { Context, Work } from "./context.ts";
import type { CpuSet } from "./cpu-set.ts";
import type { KPtr } from "./struct.ts";

/** Registered function of cross calls. */
export type CallKind = number & { readonly callKind: unique symbol };
/** Runs on the target in its interrupt handler, interrupts off. */
export type CallFunction = (k: Context, arg: KPtr) => Work;

/**
 * smp_call_function_many(): runs `kind` with `arg` on every core of `cpus` but this one. Interrupts must be on (the
 * targets may be calling us) and preemption off.
 * @param options.wait return only when all of them have finished
 */
export function* smpCallFunctionMany(
  k: Context,
  cpus: CpuSet,
  kind: CallKind,
  arg: KPtr,
  options: { wait: "wait" | "no-wait" },
): Work {
  void k;
  void cpus;
  void kind;
  void arg;
  void options;
}
