/**
 * Lockdep: a rule is checked at every acquire and release, whether or not the deadlock would have happened in this run.
 * Order (ranks), interrupt safety, sleeping in an atomic section, releasing what is not held, recursion. A violation is
 * a kernel assertion: it is reported with the held locks and counted, and the run goes on.
 *
 * Simplification against Documentation/locking/lockdep-design.rst: classes declare their order and context, where
 * Linux learns them from the acquisitions that it sees; a trylock adds no dependency in both.
 */
import type { AssertionId } from "../assertions.ts";
import type { Context } from "../context.ts";
import type { KPtr } from "../struct.ts";
import { MAX_HELD_LOCKS } from "./held-locks.ts";
import type { LockClass } from "./lock-class.ts";

export type AcquireKind = "exclusive" | "shared" | "trylock";

/** Notes that a lock was, or is about to be, acquired. @hot */
export function lockAcquired(
  k: Context,
  at: KPtr,
  cls: LockClass,
  subclass: number,
  kind: AcquireKind,
): void {
  k.kernel.observer?.lockAcquired(k, at, cls, kind);
  const held = k.held;
  const level = k.irqDepth * 16 + k.softirqDepth;
  const count = held.count;
  if (kind !== "trylock") {
    for (let slot = count - 1; slot >= 0; slot--) {
      if (held.level[slot] !== level) break;
      const other = held.classes[slot]!;
      if (other.rank < cls.rank && !(other.context === "irq-safe" && cls.context === "process")) continue;
      if (other === cls && held.subclass[slot]! < subclass) continue;
      reportOrder(k, at, cls, slot);
      break;
    }
    if (cls.kind === "sleep" && k.atomicDepth !== 0) {
      report(
        k,
        "lockdep-sleep",
        `BUG: sleeping lock ${nameOf(cls, at)} taken in atomic context (depth ${k.atomicDepth})`,
      );
    }
  }
  if (cls.context === "process") {
    if (level !== 0) {
      report(
        k,
        "lockdep-context",
        `inconsistent lock state: ${nameOf(cls, at)} is a process-context lock, taken in an interrupt`,
      );
    }
  } else if (k.cpu.interruptsEnabled()) {
    report(
      k,
      "lockdep-context",
      `inconsistent lock state: ${nameOf(cls, at)} is interrupt-safe, taken with interrupts on`,
    );
  }
  if (count === MAX_HELD_LOCKS) {
    report(k, "lockdep-depth", `BUG: MAX_LOCK_DEPTH too low for ${nameOf(cls, at)}`);
    return;
  }
  held.at[count] = at;
  held.classes[count] = cls;
  held.level[count] = level;
  held.subclass[count] = subclass;
  held.count = count + 1;
}

/** Notes that a lock is about to be released. @hot */
export function lockReleased(k: Context, at: KPtr, cls: LockClass): void {
  k.kernel.observer?.lockReleased(k, at, cls, "release");
  const held = k.held;
  const top = held.count - 1;
  if (top >= 0 && held.at[top] === (at | 0) && held.classes[top] === cls) {
    held.count = top;
    return;
  }
  releaseInner(k, at, cls);
}

/** True if this context holds the lock. */
export function lockHeld(k: Context, at: KPtr, cls: LockClass): boolean {
  const held = k.held;
  for (let slot = held.count - 1; slot >= 0; slot--) {
    if (held.at[slot] === (at | 0) && held.classes[slot] === cls) return true;
  }
  return false;
}

/** lockdep_assert_held(). */
export function assertHeld(k: Context, at: KPtr, cls: LockClass): void {
  if (!lockHeld(k, at, cls)) report(k, "lockdep-held", `BUG: ${nameOf(cls, at)} is not held here`);
}

/** might_sleep(): the caller is about to give up its core. @hot */
export function mightSleep(k: Context): void {
  if (k.atomicDepth !== 0 || k.rcuDepth !== 0 || !k.cpu.interruptsEnabled()) reportSleep(k);
}

/** The held locks as lines of text, innermost last. */
export function heldLocksText(k: Context): string {
  const held = k.held;
  if (held.count === 0) return "no locks held";
  let text = `${held.count} lock${held.count === 1 ? "" : "s"} held:`;
  for (let slot = 0; slot < held.count; slot++) {
    const level = held.level[slot] === 0 ? "" : ` (interrupt level ${held.level[slot]})`;
    text += `\n #${slot}: ${nameOf(held.classes[slot]!, (held.at[slot]! >>> 0) as KPtr)}${level}`;
  }
  return text;
}

function releaseInner(k: Context, at: KPtr, cls: LockClass): void {
  const held = k.held;
  for (let slot = held.count - 1; slot >= 0; slot--) {
    if (held.at[slot] !== (at | 0) || held.classes[slot] !== cls) continue;
    for (let next = slot + 1; next < held.count; next++) {
      held.at[next - 1] = held.at[next]!;
      held.classes[next - 1] = held.classes[next]!;
      held.level[next - 1] = held.level[next]!;
      held.subclass[next - 1] = held.subclass[next]!;
    }
    held.count--;
    return;
  }
  report(k, "lockdep-balance", `bad unlock balance: ${nameOf(cls, at)} is released but not held`);
}

function reportOrder(k: Context, at: KPtr, cls: LockClass, slot: number): void {
  const held = k.held;
  const other = held.classes[slot]!;
  const otherAt = held.at[slot]! >>> 0;
  if (other === cls && otherAt === at) {
    report(k, "lockdep-order", `possible recursive locking: ${nameOf(cls, at)} is already held`);
  } else {
    report(
      k,
      "lockdep-order",
      `possible circular locking dependency: ${nameOf(cls, at)} (rank ${cls.rank}, ${cls.context}) taken while ` +
        `holding ${nameOf(other, otherAt as KPtr)} (rank ${other.rank}, ${other.context})`,
    );
  }
}

function reportSleep(k: Context): void {
  const why =
    k.rcuDepth !== 0 ? "RCU read section" : k.atomicDepth !== 0 ? "atomic section" : "interrupts off";
  report(k, "lockdep-sleep", `BUG: scheduling while atomic (${why})`);
}

function report(k: Context, id: AssertionId, text: string): void {
  k.kernel.assertionFailed(k, id, `${text}\n${heldLocksText(k)}`);
}

function nameOf(cls: LockClass, at: KPtr): string {
  return `${cls.name}@${at.toString(16)}`;
}
