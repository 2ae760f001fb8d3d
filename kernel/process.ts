/**
 * What scheduling and trap entry call in the process half of the kernel (system calls, signals, exec), and what they
 * keep per task for it.
 */
import type { Context, Work } from "./context.ts";
import type { Task } from "./sched/task.ts";
import type { KPtr } from "./struct.ts";

/** Process data of a task: signals, files, family. The process half defines and owns the contents; plain data. */
export interface TaskProcess {
  /** Plain data for saving. */
  save(): unknown;
}

/** A synchronous signal, as force_sig_fault() takes it. */
export interface FaultSignal {
  readonly signo: number;
  readonly code: number;
  /** si_addr. */
  readonly lo: number;
  readonly hi: number;
  /**
   * What becomes of the task's record of its last fault. "page-fault": the address is that of a page fault, and what the
   * ucontext holds as such from now on (thread.cr2, fault_address). "none": there is no such address any more. "unrecorded":
   * error code and address stay what they were. Absent: the address stays.
   */
  readonly addressKind?: "page-fault" | "none" | "unrecorded";
  /** Trap number and error code for the ucontext and the log (thread.trap_nr, error_code, fault_code). */
  readonly trap: number;
  readonly error: number;
  /** The memory key that forbade the access, for SEGV_PKUERR. */
  readonly pkey?: number;
}

export interface ProcessSubsystem {
  /**
   * do_syscall_64() and its kin: interrupts on, then the call. Number and arguments are in the frame; the result goes
   * there. Interrupts are off on entry.
   */
  syscall(k: Context, frame: KPtr): Work;
  /** Delivers pending signals before the return to user mode (TIF_SIGPENDING or TIF_NOTIFY_RESUME is set). */
  exitWork(k: Context, frame: KPtr): Work;
  /** force_sig_fault() on the current task. */
  forceSignal(k: Context, signal: FaultSignal): void;
  /** fatal_signal_pending(). */
  fatalSignalPending(task: Task): boolean;
  /** signal_pending(). */
  signalPending(task: Task): boolean;
  /** The first task's kernel side: executes the init program (exec) so that its user frame is ready. */
  startInit(k: Context): Work;
  /** Writes that a new task makes on its first run (CLONE_CHILD_SETTID), before it enters user mode. */
  scheduleTail(k: Context): Work;
  save(): unknown;
  restore(state: unknown): void;
}
