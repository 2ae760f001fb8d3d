/** A set of signals: sigset_t, bit n-1 for signal n, as two int32 halves. */
import { SIGKILL, SIGNALS, SIGSTOP } from "./signal-numbers.ts";

export class SignalSet {
  lo = 0;
  hi = 0;

  constructor(lo = 0, hi = 0) {
    this.lo = lo;
    this.hi = hi;
  }

  /** @hot */
  has(signal: number): boolean {
    const bit = signal - 1;
    return ((bit < 32 ? this.lo >>> bit : this.hi >>> (bit - 32)) & 1) !== 0;
  }

  add(signal: number): void {
    const bit = signal - 1;
    if (bit < 32) this.lo |= 1 << bit;
    else this.hi |= 1 << (bit - 32);
  }

  delete(signal: number): void {
    const bit = signal - 1;
    if (bit < 32) this.lo &= ~(1 << bit);
    else this.hi &= ~(1 << (bit - 32));
  }

  assign(lo: number, hi: number): void {
    this.lo = lo | 0;
    this.hi = hi | 0;
  }

  /** SIGKILL and SIGSTOP cannot be blocked. */
  dropUnblockable(): void {
    this.delete(SIGKILL);
    this.delete(SIGSTOP);
  }

  get isEmpty(): boolean {
    return (this.lo | this.hi) === 0;
  }

  /** The members, lowest number first. */
  signals(): number[] {
    const members: number[] = [];
    for (let signal = 1; signal <= SIGNALS; signal++) if (this.has(signal)) members.push(signal);
    return members;
  }
}
