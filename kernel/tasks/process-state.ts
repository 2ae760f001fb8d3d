/** What the process half of the kernel keeps per task (parts of task_struct). Plain data but for the references. */
import type { FileTable } from "../fs/file-table.ts";
import type { TaskProcess } from "../process.ts";
import type { Task } from "../sched/task.ts";
import type { AlternateStack, FaultRecord } from "../signal/delivery-record.ts";
import type { SignalActions } from "../signal/signal-action.ts";
import type { SignalInfo } from "../signal/signal-info.ts";
import { SIGKILL, SS_DISABLE } from "../signal/signal-numbers.ts";
import { SignalQueue } from "../signal/signal-queue.ts";
import { SignalSet } from "../signal/signal-set.ts";
import { Syscall } from "../syscalls/syscall.ts";
import type { FutexWait } from "./futex.ts";
import type { ThreadGroup } from "./thread-group.ts";
import { NULL_USER, type UserPointer } from "./user-pointer.ts";

/** What restart_syscall continues: a timed wait that a signal without a handler interrupted (struct restart_block). */
export type RestartBlock =
  | {
      readonly kind: "sleep";
      /** End of the sleep, in cycles. */
      readonly untilCycles: number;
      /** Where the remaining time goes if a handler interrupts it; null: nowhere. */
      readonly remaining: UserPointer | null;
    }
  | { readonly kind: "futex"; readonly wait: FutexWait };

/** What save() gives: a task in user mode, so neither in a call nor ending. */
export interface SavedProcessState {
  pid: number;
  tgid: number;
  pending: SignalInfo[];
  killed: boolean;
  blocked: [number, number];
  altStack: AlternateStack;
  fault: FaultRecord;
  clearChildTid: UserPointer;
  setChildTid: UserPointer;
  robustList: UserPointer;
  restart: RestartBlock | null;
}

export class ProcessState implements TaskProcess {
  readonly task: Task;
  readonly group: ThreadGroup;
  /** Shared by the tasks of CLONE_FILES; null once the task has let go of it. */
  files: FileTable | null;
  /** Shared by the tasks of CLONE_SIGHAND. */
  actions: SignalActions;
  readonly call: Syscall;
  /** Pending signals of this thread. */
  readonly pending: SignalQueue = new SignalQueue();
  readonly blocked: SignalSet = new SignalSet();
  /** The mask to put back after a call that replaced it for its duration (rt_sigsuspend). */
  savedMask: SignalSet | null = null;
  /** sas_ss_reset(): the first process has SS_DISABLE as well, since kernel_thread() makes it with CLONE_VM. */
  readonly altStack: AlternateStack = { lo: 0, hi: 0, sizeBytes: 0, flags: SS_DISABLE };
  /** The last fault that became a signal. */
  readonly fault: FaultRecord = {
    trap: 0,
    error: 0,
    addressLo: 0,
    addressHi: 0,
    reportDue: false,
  };
  /** set_tid_address, CLONE_CHILD_CLEARTID. */
  clearChildTid: UserPointer = NULL_USER;
  /** CLONE_CHILD_SETTID: where the child writes its pid before it enters user mode. */
  setChildTid: UserPointer = NULL_USER;
  robustList: UserPointer = NULL_USER;
  restart: RestartBlock | null = null;
  /** In do_exit(). */
  exiting = false;

  constructor(task: Task, group: ThreadGroup, actions: SignalActions, files: FileTable) {
    this.task = task;
    this.group = group;
    this.actions = actions;
    this.files = files;
    this.call = new Syscall(task.ram, task.kernel.arch.process);
  }

  /** fatal_signal_pending(): the task is to die and nothing can prevent it. */
  get isKilled(): boolean {
    return this.pending.set.has(SIGKILL);
  }

  /** The task's own part; what it shares with others is saved with the process table. */
  save(): SavedProcessState {
    return {
      pid: this.task.pid,
      tgid: this.group.tgid,
      pending: this.pending.save(),
      killed: this.isKilled,
      blocked: [this.blocked.lo, this.blocked.hi],
      altStack: { ...this.altStack },
      fault: { ...this.fault },
      clearChildTid: this.clearChildTid,
      setChildTid: this.setChildTid,
      robustList: this.robustList,
      restart: this.restart,
    };
  }

  restore(saved: SavedProcessState): void {
    this.pending.restore(saved.pending);
    if (saved.killed) this.pending.markKilled();
    this.blocked.assign(saved.blocked[0], saved.blocked[1]);
    this.savedMask = null;
    Object.assign(this.altStack, saved.altStack);
    Object.assign(this.fault, saved.fault);
    this.clearChildTid = saved.clearChildTid;
    this.setChildTid = saved.setChildTid;
    this.robustList = saved.robustList;
    this.restart = saved.restart;
    this.exiting = false;
  }
}

/** The process data of a user task. */
export function processOf(task: Task): ProcessState {
  const state = task.process;
  if (!(state instanceof ProcessState)) throw new Error(`processOf: task ${task.pid} has no process`);
  return state;
}
