/**
 * User copies: accesses to user memory through the MMU, as the hardware would make them for kernel code. Each helper
 * has a site in the kernel text, at which the core comes back after a handled fault, and a fixup, at which it comes
 * back when the fault could not be handled; then the helper reports what is missing.
 * Addresses are int32 halves. Kernel buffers are host bytes.
 */
import type { Context, Work } from "./context.ts";

/** copy_to_user(): bytes not copied (0: all). */
export function* copyToUser(k: Context, lo: number, hi: number, bytes: Uint8Array): Work<number> {
  void k;
  void lo;
  void hi;
  return bytes.length;
}
/** copy_from_user(): fills `bytes`; bytes not copied (the rest is zeroed). */
export function* copyFromUser(k: Context, bytes: Uint8Array, lo: number, hi: number): Work<number> {
  void k;
  void lo;
  void hi;
  return bytes.length;
}
/** clear_user(): bytes not cleared. */
export function* clearUser(k: Context, lo: number, hi: number, lengthBytes: number): Work<number> {
  void k;
  void lo;
  void hi;
  return lengthBytes;
}
/** get_user() of a 32-bit word, aligned or not: 0 or -EFAULT; the value is in `k.userValue`. */
export function* getUser32(k: Context, lo: number, hi: number): Work<number> {
  void k;
  void lo;
  void hi;
  return 0;
}
/** put_user() of a 32-bit word: 0 or -EFAULT. */
export function* putUser32(k: Context, lo: number, hi: number, value: number): Work<number> {
  void k;
  void lo;
  void hi;
  void value;
  return 0;
}
/** get_user() of a 64-bit word: 0 or -EFAULT; the halves are in `k.userValue` and `k.userValueHi`. */
export function* getUser64(k: Context, lo: number, hi: number): Work<number> {
  void k;
  void lo;
  void hi;
  return 0;
}
/** put_user() of a 64-bit word. */
export function* putUser64(
  k: Context,
  lo: number,
  hi: number,
  valueLo: number,
  valueHi: number,
): Work<number> {
  void k;
  void lo;
  void hi;
  void valueLo;
  void valueHi;
  return 0;
}
/**
 * futex_cmpxchg_value_locked(): atomically replaces an aligned word that equals `expected`: 0 or -EFAULT; the former
 * value is in `k.userValue`.
 */
export function* cmpxchgUser32(
  k: Context,
  lo: number,
  hi: number,
  expected: number,
  value: number,
): Work<number> {
  void k;
  void lo;
  void hi;
  void expected;
  void value;
  return 0;
}
/** strncpy_from_user(): length without the NUL, `bytes.length` if there is none so far, or -EFAULT. */
export function* strncpyFromUser(k: Context, bytes: Uint8Array, lo: number, hi: number): Work<number> {
  void k;
  void bytes;
  void lo;
  void hi;
  return 0;
}
/** strnlen_user(): length with the NUL, limit + 1 if longer, 0 on a fault. */
export function* strnlenUser(k: Context, lo: number, hi: number, limit: number): Work<number> {
  void k;
  void lo;
  void hi;
  void limit;
  return 0;
}
