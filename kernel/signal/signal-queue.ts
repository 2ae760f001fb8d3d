/**
 * Pending signals (struct sigpending): a set, and what is known about each member. A standard signal is queued at most
 * once, a real-time one as often as it is sent, up to a bound. Changed only between two
 * scheduling points, where Linux holds siglock.
 */
import { type SignalInfo, signalInfo } from "./signal-info.ts";
import { SI_KERNEL, SIGKILL, SIGRTMIN, SYNCHRONOUS } from "./signal-numbers.ts";
import { SignalSet } from "./signal-set.ts";

/** Queued signals of one queue at most (RLIMIT_SIGPENDING stands for a whole user in Linux). */
export const MAX_QUEUED = 1024;

export class SignalQueue {
  readonly set: SignalSet = new SignalSet();
  readonly #infos: SignalInfo[] = [];

  /** Queues a signal. `full`: the bound is reached; a standard signal that is pending already is `merged`. */
  push(info: SignalInfo): "queued" | "merged" | "full" {
    if (info.signal < SIGRTMIN && this.set.has(info.signal)) return "merged";
    if (this.#infos.length >= MAX_QUEUED) return "full";
    this.set.add(info.signal);
    this.#infos.push(info);
    return "queued";
  }

  /** The signal that is delivered next under a mask of blocked ones: synchronous ones first, then the lowest; 0: none. */
  next(blocked: SignalSet): number {
    const lo = this.set.lo & ~blocked.lo;
    const hi = this.set.hi & ~blocked.hi;
    if ((lo | hi) === 0) return 0;
    let synchronous = 0;
    for (const signal of SYNCHRONOUS) synchronous |= 1 << (signal - 1);
    const first = (lo & synchronous) !== 0 ? lo & synchronous : lo;
    if (first !== 0) return 32 - Math.clz32(first & -first);
    return 64 - Math.clz32(hi & -hi);
  }

  /** The process ends: SIGKILL without an entry, as complete_signal() and zap_other_threads() set it. */
  markKilled(): void {
    this.set.add(SIGKILL);
  }

  /** Takes the oldest entry of a signal that is in the set. */
  take(signal: number): SignalInfo {
    const position = this.#infos.findIndex((info) => info.signal === signal);
    const info = position < 0 ? signalInfo(signal, SI_KERNEL) : this.#infos.splice(position, 1)[0]!;
    if (!this.#infos.some((other) => other.signal === signal)) this.set.delete(signal);
    return info;
  }

  /** Drops every entry of a signal. */
  flush(signal: number): void {
    for (let at = this.#infos.length - 1; at >= 0; at--) {
      if (this.#infos[at]!.signal === signal) this.#infos.splice(at, 1);
    }
    this.set.delete(signal);
  }

  clear(): void {
    this.#infos.length = 0;
    this.set.assign(0, 0);
  }

  save(): SignalInfo[] {
    return [...this.#infos];
  }

  restore(infos: readonly SignalInfo[]): void {
    this.clear();
    for (const info of infos) {
      this.set.add(info.signal);
      this.#infos.push(info);
    }
  }
}
