/**
 * Spinlocks: a word in guest RAM, taken in order of arrival. The word is a ticket lock: the ticket being served in the
 * low half, the next ticket to hand out in the high half; unlocked when they are equal. (Linux queues waiters on
 * x86-64 since 4.2; the order is the same, the waiters' cache traffic is not modelled.)
 *
 *     31          16 15           0
 *     [ next ticket ][ now serving ]
 *
 * The hot form of an acquire is
 *
 *     if (k.point(COST_LOCK)) yield;
 *     if (!spinAcquire(k, at, cls)) yield* spinLockSlow(k, at, cls);
 *
 * and `yield* spinLock(k, at, cls)` does the same. spinUnlock is preceded by a point where other cores may look.
 */
import type { Context, Work } from "../context.ts";
import { COST_IRQ_MASK, COST_LOCK, COST_UNLOCK } from "../costs.ts";
import type { KPtr } from "../struct.ts";
import type { LockClass } from "./lock-class.ts";
import { lockAcquired, lockReleased } from "./lockdep.ts";

/** One attempt that orders like a full acquire; false: continue with spinLockSlow. @hot */
export function spinAcquire(k: Context, at: KPtr, cls: LockClass, subclass = 0): boolean {
  const word = k.ram.read32(at);
  if ((word & 0xffff) !== word >>> 16) return false;
  lockAcquired(k, at, cls, subclass, "exclusive");
  k.ram.write32(at, (word + 0x1_0000) | 0);
  k.atomicDepth++;
  return true;
}

/** spin_trylock(): one attempt, outside the lock order. @hot */
export function spinTrylock(k: Context, at: KPtr, cls: LockClass): boolean {
  const word = k.ram.read32(at);
  if ((word & 0xffff) !== word >>> 16) return false;
  lockAcquired(k, at, cls, 0, "trylock");
  k.ram.write32(at, (word + 0x1_0000) | 0);
  k.atomicDepth++;
  return true;
}

/** Takes a ticket and waits for its turn. */
export function* spinLockSlow(k: Context, at: KPtr, cls: LockClass, subclass = 0): Work {
  lockAcquired(k, at, cls, subclass, "exclusive");
  k.atomicDepth++;
  const word = k.ram.read32(at);
  const ticket = word >>> 16;
  k.kernel.observer?.lockContended(k, at, cls, "exclusive");
  k.ram.write32(at, (word + 0x1_0000) | 0);
  while ((k.ram.read32(at) & 0xffff) !== ticket) {
    k.cpu.waitForWord(at);
    yield;
  }
  k.kernel.observer?.lockGranted(k, at, cls, "exclusive");
}

/** spin_lock(). */
export function* spinLock(k: Context, at: KPtr, cls: LockClass, subclass = 0): Work {
  if (k.point(COST_LOCK)) yield;
  if (!spinAcquire(k, at, cls, subclass)) yield* spinLockSlow(k, at, cls, subclass);
}

/** spin_unlock(). @hot */
export function spinUnlock(k: Context, at: KPtr, cls: LockClass): void {
  lockReleased(k, at, cls);
  k.atomicDepth--;
  const word = k.ram.read32(at);
  k.ram.write32(at, (word & ~0xffff) | ((word + 1) & 0xffff));
}

/** spin_is_locked(). @hot */
export function spinIsLocked(k: Context, at: KPtr): boolean {
  const word = k.ram.read32(at);
  return (word & 0xffff) !== word >>> 16;
}

/** local_irq_save(): the former state, for irqRestore. Preceded by a point (COST_IRQ_MASK). @hot */
export function irqSave(k: Context): boolean {
  const enabled = k.cpu.interruptsEnabled();
  if (enabled) k.cpu.setInterruptsEnabled(false);
  return enabled;
}

/** local_irq_restore(). Followed by a point, at which a pending interrupt comes in. @hot */
export function irqRestore(k: Context, enabled: boolean): void {
  if (enabled) k.cpu.setInterruptsEnabled(true);
}

/** spin_lock_irqsave(): the former state. */
export function* spinLockIrqsave(k: Context, at: KPtr, cls: LockClass): Work<boolean> {
  if (k.point(COST_IRQ_MASK)) yield;
  const enabled = irqSave(k);
  yield* spinLock(k, at, cls);
  return enabled;
}

/** spin_unlock_irqrestore(). */
export function* spinUnlockIrqrestore(k: Context, at: KPtr, cls: LockClass, enabled: boolean): Work {
  if (k.point(COST_UNLOCK)) yield;
  spinUnlock(k, at, cls);
  irqRestore(k, enabled);
  if (k.point(COST_IRQ_MASK)) yield;
}
