/** User addresses as pairs of int32 halves, and small user structures. */
import type { Context, Work } from "../context.ts";
import { getUser64 } from "../user-access.ts";

/** An address in user memory, int32 halves. */
export interface UserPointer {
  readonly lo: number;
  readonly hi: number;
}

export const NULL_USER: UserPointer = { lo: 0, hi: 0 };

/** Sum modulo 2^64. */
export function addToUser(base: UserPointer, lo: number, hi: number): UserPointer {
  const sum = (base.lo >>> 0) + (lo >>> 0);
  return { lo: sum | 0, hi: (base.hi + hi + (sum > 0xffff_ffff ? 1 : 0)) | 0 };
}

export function samePointer(a: UserPointer, b: UserPointer): boolean {
  return a.lo === b.lo && a.hi === b.hi;
}

export function isNullPointer(pointer: UserPointer): boolean {
  return (pointer.lo | pointer.hi) === 0;
}

/** A pointer in user memory; null: it could not be read. */
export function* fetchUserPointer(k: Context, at: UserPointer): Work<UserPointer | null> {
  if ((yield* getUser64(k, at.lo, at.hi)) !== 0) return null;
  return { lo: k.userValue, hi: k.userValueHi };
}
