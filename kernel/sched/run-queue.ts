/**
 * A core's run queue and timers. One core touches it at a time (wake-ups from other cores happen between two points),
 * so it is ordinary TypeScript; everything in it is plain data when the machine is saved.
 */
import type { KPtr } from "../struct.ts";
import { NULL } from "../struct.ts";
import type { Task } from "./task.ts";

/** A timed wake-up. */
export interface Timer {
  readonly atCycles: number;
  readonly pid: number;
}

export class RunQueue {
  readonly cpu: number;
  readonly idle: Task;
  /** What the core executes. */
  current: Task;
  /** Runnable tasks besides the current one, in order of arrival. */
  readonly queue: Task[] = [];
  /** Never decreases: newcomers start here. */
  minVruntime = 0;
  /** Task that was switched away from, until the incoming side has finished the switch. */
  previous: Task | null = null;
  /** Set by the outgoing side; the run loop puts the incoming side's work on top. */
  unfinishedSwitch = false;
  /** Address space that only this core's former task kept alive; dropped by the incoming side. */
  previousMm: KPtr = NULL;
  /** Runnable, but no longer allowed on this core; the incoming side places it elsewhere. */
  migrate: Task | null = null;
  /** Timed wake-ups, earliest first. */
  readonly timers: Timer[] = [];
  /** When the tick is due; Infinity while it is stopped. */
  tickAt: number = Infinity;
  /** What the core's timer is set to. */
  armedAt: number = Infinity;
  /** Ticks so far. */
  ticks = 0;
  switches = 0;

  constructor(cpu: number, idle: Task) {
    this.cpu = cpu;
    this.idle = idle;
    this.current = idle;
  }

  /** Nothing runs and nothing waits to run. @hot */
  get isIdle(): boolean {
    return this.current === this.idle && this.queue.length === 0;
  }
  /** Runnable tasks, the current one included. */
  get load(): number {
    return this.queue.length + (this.current === this.idle ? 0 : 1);
  }
}
