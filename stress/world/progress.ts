/**
 * Why nothing goes on: who waits for whom. Each core that cannot take a step waits for a word (a lock, an
 * acknowledgement) or for an interrupt; each task that sleeps waits for a wake-up. Named are the word's owner as far as
 * lockdep knows it, interrupts that are pending and masked, and callbacks that wait for a grace period.
 */
import type { Machine } from "../../emu/machine.ts";
import { heldLocksText, type Kernel } from "../../kernel/index.ts";

export function whyNothingGoesOn(machine: Machine, kernel: Kernel, end: "blocked" | "stalled"): string {
  const lines = [end === "blocked" ? "deadlock: no core can go on" : "no end under a fair schedule"];
  for (const core of machine.cores) {
    const k = kernel.current[core.id]!;
    const who = k.task === null ? "no task" : k.task.idle ? "idle" : `pid ${k.task.pid}`;
    const waits = core.waiting
      ? `waits for the word at 0x${core.waitAddress.toString(16)}`
      : core.phase === "halted"
        ? "halted"
        : core.phase;
    const masked = core.interruptsEnabled() ? "" : ", interrupts masked";
    const pending =
      core.interrupts.nextMessageTime < Number.POSITIVE_INFINITY ? ", a message is in flight" : "";
    const locks = heldLocksText(k).replaceAll("\n", "");
    lines.push(`core ${core.id} (${who}): ${waits}${masked}${pending}; ${locks}`);
  }
  for (const task of kernel.sched.tasks()) {
    if (!task.queued)
      lines.push(`pid ${task.pid} sleeps; ${heldLocksText(task.context).replaceAll("\n", "")}`);
  }
  if (kernel.rcu.pendingCallbacks > 0)
    lines.push(`${kernel.rcu.pendingCallbacks} callbacks wait for a grace period`);
  return lines.join("\n");
}
