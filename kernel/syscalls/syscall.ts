/** A system call as its handler sees it: six 64-bit arguments in, a number out. Neutral: the architecture knows where. */
import type { PhysicalMemory } from "../../mmu/index.ts";
import type { ArchProcess } from "../arch/process-port.ts";
import type { Context, Work } from "../context.ts";
import { type KPtr, NULL } from "../struct.ts";

/**
 * @returns the result, exact (a page-aligned address above 2^53 is), or a negative errno; at once, or after work.
 * Interrupts are on, no lock is held, and sleeping is allowed.
 */
export type SyscallHandler = (k: Context, call: Syscall) => number | Work<number>;

export interface SyscallEntry {
  readonly number: number;
  readonly name: string;
  readonly handler: SyscallHandler;
}

const TWO_32 = 0x1_0000_0000;

/** The call that a task is in. One object per task, reused. */
export class Syscall {
  /** The user frame. */
  frame: KPtr = NULL;
  number = -1;
  /** The handler has put the registers as user code is to see them: no result is stored. */
  keepsFrame = false;
  readonly #ram: PhysicalMemory;
  readonly #arch: ArchProcess;

  constructor(ram: PhysicalMemory, arch: ArchProcess) {
    this.#ram = ram;
    this.#arch = arch;
  }

  /** @hot */
  begin(frame: KPtr): void {
    this.frame = frame;
    this.number = this.#arch.syscallNumber(this.#ram, frame);
    this.keepsFrame = false;
  }

  /** Low half of an argument: what a parameter of type int or unsigned is read from. @hot */
  lo(index: number): number {
    return this.#arch.argumentLo(this.#ram, this.frame, index);
  }

  /** @hot */
  hi(index: number): number {
    return this.#arch.argumentHi(this.#ram, this.frame, index);
  }

  /** An unsigned int. @hot */
  uint(index: number): number {
    return this.lo(index) >>> 0;
  }

  /** An unsigned long as a double: exact below 2^53, rounded above. @hot */
  size(index: number): number {
    return (this.hi(index) >>> 0) * TWO_32 + (this.lo(index) >>> 0);
  }

  /** A signed long as a double: exact within 2^53, rounded outside. */
  long(index: number): number {
    return this.hi(index) * TWO_32 + (this.lo(index) >>> 0);
  }

  /** A null pointer. @hot */
  isNull(index: number): boolean {
    return (this.lo(index) | this.hi(index)) === 0;
  }

  /** Stores a result. @hot */
  finish(result: number): void {
    if (this.keepsFrame) return;
    const hi = Math.floor(result / TWO_32);
    this.#arch.setResult(this.#ram, this.frame, (result - hi * TWO_32) | 0, hi | 0);
  }
}
