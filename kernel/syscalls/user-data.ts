/** Small structures in user memory: timespec, timeval, iovec, sigset_t. All fields are 64 bits in machine byte order. */
import type { Context, Work } from "../context.ts";
import { EFAULT } from "../errno.ts";
import type { UserPointer } from "../tasks/user-pointer.ts";
import type { TimeSpec } from "../time.ts";
import { copyFromUser, copyToUser } from "../user-access.ts";
import type { Syscall } from "./syscall.ts";

/** A structure of 64-bit words on its way to or from user memory. */
export class Words {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #little: boolean;

  constructor(k: Context, words: number) {
    this.bytes = new Uint8Array(words * 8);
    this.#view = new DataView(this.bytes.buffer);
    this.#little = k.kernel.arch.process.littleEndian;
  }

  lo(word: number): number {
    return this.#view.getInt32(word * 8 + (this.#little ? 0 : 4), this.#little);
  }

  hi(word: number): number {
    return this.#view.getInt32(word * 8 + (this.#little ? 4 : 0), this.#little);
  }

  /** A signed word as a double, exact within 2^53. */
  signed(word: number): number {
    return this.hi(word) * 0x1_0000_0000 + (this.lo(word) >>> 0);
  }

  /** An unsigned word as a double, exact below 2^53. */
  unsigned(word: number): number {
    return (this.hi(word) >>> 0) * 0x1_0000_0000 + (this.lo(word) >>> 0);
  }

  set(word: number, value: number): void {
    const hi = Math.floor(value / 0x1_0000_0000);
    this.setHalves(word, (value - hi * 0x1_0000_0000) | 0, hi | 0);
  }

  setHalves(word: number, lo: number, hi: number): void {
    this.#view.setInt32(word * 8 + (this.#little ? 0 : 4), lo, this.#little);
    this.#view.setInt32(word * 8 + (this.#little ? 4 : 0), hi, this.#little);
  }

  /** A 32-bit field. */
  setInt(offset: number, value: number): void {
    this.#view.setInt32(offset, value, this.#little);
  }

  int(offset: number): number {
    return this.#view.getInt32(offset, this.#little);
  }
}

/** Reads a structure of words; null: EFAULT. */
export function* readWords(k: Context, at: UserPointer, words: number): Work<Words | null> {
  const data = new Words(k, words);
  return (yield* copyFromUser(k, data.bytes, at.lo, at.hi)) === 0 ? data : null;
}

/** Writes bytes: 0 or -EFAULT. */
export function* writeBytes(k: Context, at: UserPointer, bytes: Uint8Array): Work<number> {
  return (yield* copyToUser(k, at.lo, at.hi, bytes)) === 0 ? 0 : -EFAULT;
}

/** struct timespec; null: EFAULT. The values are not checked. */
export function* readTimeSpec(k: Context, at: UserPointer): Work<TimeSpec | null> {
  const data = yield* readWords(k, at, 2);
  return data === null ? null : { seconds: data.signed(0), nanoseconds: data.signed(1) };
}

export function* writeTimeSpec(k: Context, at: UserPointer, time: TimeSpec): Work<number> {
  const data = new Words(k, 2);
  data.set(0, time.seconds);
  data.set(1, time.nanoseconds);
  return yield* writeBytes(k, at, data.bytes);
}

/** An argument that is a pointer. */
export function pointerArgument(call: Syscall, index: number): UserPointer {
  return { lo: call.lo(index), hi: call.hi(index) };
}
