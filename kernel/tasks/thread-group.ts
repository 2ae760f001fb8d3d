/**
 * A process: its threads, what they share (struct signal_struct) and its family. Plain data but for the references
 * among groups and tasks. Simplification: no lock of its own; every operation on it happens between two scheduling
 * points, where Linux holds siglock or tasklist_lock.
 */
import type { Task } from "../sched/task.ts";
import { WaitQueue } from "../sched/wait-queue.ts";
import { SignalQueue } from "../signal/signal-queue.ts";
import { type KPtr, NULL } from "../struct.ts";
import type { ProcessTable } from "./process-table.ts";

/** A mapping that a program file made: what /proc/self/maps and fault reports call it. */
export interface ImageSegment {
  readonly startVpn: number;
  readonly endVpn: number;
  /** File offset of the first page, in pages. */
  readonly fileOffsetPages: number;
}

/** The program that a process executes. Immutable, shared by its forks. */
export interface ProgramImage {
  readonly path: string;
  readonly segments: readonly ImageSegment[];
  /** The vDSO's page, where exec mapped it; 0: there is none. */
  readonly vdsoVpn: number;
}

/** getrlimit(): soft and hard limit; Infinity is RLIM_INFINITY. */
export interface ResourceLimit {
  soft: number;
  hard: number;
}

export const RLIMITS = 16;
export const RLIMIT_STACK = 3;
export const RLIMIT_NPROC = 6;
export const RLIMIT_NOFILE = 7;
/** Soft limit of a main stack's size: 8 MiB, as Linux sets it up. */
export const STACK_LIMIT_BYTES: number = 8 << 20;

export class ThreadGroup {
  readonly table: ProcessTable;
  readonly tgid: number;
  /** Threads that have not been released, oldest first. */
  readonly threads: Task[] = [];
  /** Pending signals of the process. */
  readonly shared: SignalQueue = new SignalQueue();
  parent: ThreadGroup | null = null;
  readonly children: ThreadGroup[] = [];
  pgid: number;
  sid: number;
  /** Signal that the parent gets when the process ends; 0: none. */
  exitSignal: number;
  /** The process is ending: every thread leaves with `exitCode` (SIGNAL_GROUP_EXIT). */
  groupExit = false;
  /** Status as wait4() gives it: exit status << 8, or signal number with 0x80 for a core dump. */
  exitCode = 0;
  /** All threads are gone; the parent has not waited yet. */
  zombie = false;
  /** Stopped by a job-control signal. */
  stopped = false;
  /** The stop was reported to the parent. */
  stopReported = false;
  stopSignal = 0;
  /** Continued after a stop, and no wait4(WCONTINUED) has seen it (SIGNAL_STOP_CONTINUED). */
  continued = false;
  /** The first thread that looks at its signals tells the parent (SIGNAL_CLD_CONTINUED). */
  continueDue = false;
  /** Chosen by the out-of-memory killer (TIF_MEMDIE). */
  oomVictim = false;
  image: ProgramImage;
  limits: ResourceLimit[];
  /** Clock at its start, in cycles. */
  startCycles: number;
  /** Threads that wait for a child (signal->wait_chldexit). */
  readonly childWaiters: WaitQueue = new WaitQueue();
  /** Threads that wait in vfork() for this process to let its address space go. */
  readonly vforkWaiters: WaitQueue = new WaitQueue();
  /** The address space that its parent shares with it was let go (or the process is no vfork child). */
  vforkDone = true;

  constructor(options: {
    table: ProcessTable;
    tgid: number;
    parent: ThreadGroup | null;
    exitSignal: number;
    image: ProgramImage;
    limits: readonly ResourceLimit[];
    startCycles: number;
  }) {
    this.table = options.table;
    this.tgid = options.tgid;
    this.parent = options.parent;
    this.pgid = options.parent?.pgid ?? options.tgid;
    this.sid = options.parent?.sid ?? options.tgid;
    this.exitSignal = options.exitSignal;
    this.image = options.image;
    this.limits = options.limits.map((limit) => ({ ...limit }));
    this.startCycles = options.startCycles;
  }

  /** The thread with the process's own pid, or null once it is released. */
  get leader(): Task | null {
    return this.threads.find((task) => task.pid === this.tgid) ?? null;
  }
}

/** The address space of a process; NULL once all its threads have let go of it. */
export function mmOfGroup(group: ThreadGroup): KPtr {
  return group.threads.find((task) => task.mm !== NULL)?.mm ?? NULL;
}

/** The limits of the first process. */
export function defaultLimits(): ResourceLimit[] {
  const limits: ResourceLimit[] = [];
  for (let resource = 0; resource < RLIMITS; resource++) limits.push({ soft: Infinity, hard: Infinity });
  limits[RLIMIT_STACK] = { soft: STACK_LIMIT_BYTES, hard: Infinity };
  limits[4] = { soft: 0, hard: Infinity };
  limits[RLIMIT_NPROC] = { soft: 4096, hard: 4096 };
  limits[RLIMIT_NOFILE] = { soft: 1024, hard: 4096 };
  limits[8] = { soft: 8 << 20, hard: 8 << 20 };
  limits[11] = { soft: 1024, hard: 1024 };
  limits[12] = { soft: 819200, hard: 819200 };
  limits[13] = { soft: 0, hard: 0 };
  limits[14] = { soft: 0, hard: 0 };
  return limits;
}
