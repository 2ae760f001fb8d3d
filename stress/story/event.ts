/** One thing that happened in a run, as the story and the trace tell it. Plain data. */

/** How much an event says: 1 what the threads did, 2 what the kernel changed, 3 how it got there, 4 details. */
export type Weight = 1 | 2 | 3 | 4;

export type StoryKind =
  | "syscall"
  | "fault"
  | "signal"
  | "lock"
  | "wait"
  | "memory"
  | "flush"
  | "ipi"
  | "interrupt"
  | "trap"
  | "invalidate"
  | "fill"
  | "user"
  | "word"
  | "count"
  | "rcu"
  | "switch"
  | "assertion"
  | "site";

export interface StoryEvent {
  readonly core: number;
  /** Virtual time of the core, in cycles. Cores have clocks of their own: the order is that of the list. */
  readonly time: number;
  readonly weight: Weight;
  /** Begin and end of something that lasts, with the same `span` at both ends; or a moment. */
  readonly phase: "begin" | "end" | "moment";
  /** Number of what lasts, or 0. */
  readonly span: number;
  readonly kind: StoryKind;
  /** Kernel function, name of user code, or "". */
  readonly where: string;
  readonly what: string;
  readonly pid: number;
  /** Locks held, outermost first, and whether interrupts are off. */
  readonly locks: string;
  /** The core that an interprocessor interrupt goes to, or that an accepted one or an invalidation comes from; or -1. */
  readonly peer: number;
  /** Of an interprocessor interrupt, or of an invalidation that is broadcast: the same number at all its ends; or 0. */
  readonly flow: number;
  /** The page and the frame that it is about, or -1. */
  readonly page: number;
  readonly frame: number;
}
