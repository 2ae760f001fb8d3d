/**
 * The end of a thread and of a process (kernel/exit.c): do_exit(), do_group_exit(). Order as in Linux: the address
 * space is let go first, so that a waiting parent finds the memory free; then files; then the family hears of it.
 */
import type { Context, Work } from "../context.ts";
import { COST_STEP } from "../costs.ts";
import { exitMm, mmUsersOf } from "../mm/index.ts";
import { schedule } from "../sched/schedule.ts";
import { TASK_DEAD, TASK_RUNNING } from "../sched/task.ts";
import { wakeUp } from "../sched/wait-queue.ts";
import { startGroupExit } from "../signal/send.ts";
import { NULL } from "../struct.ts";
import { putUser32 } from "../user-access.ts";
import { notifyFamily } from "./family.ts";
import { futexWake } from "./futex.ts";
import { type ProcessState, processOf } from "./process-state.ts";
import { exitRobustList } from "./robust-list.ts";
import { isNullPointer, NULL_USER } from "./user-pointer.ts";

/** do_group_exit(): ends the whole process with a wait status, or with the one that it ends with already. */
export function* groupExit(k: Context, exitCode: number): Work<never> {
  const group = processOf(k.task!).group;
  startGroupExit(k, group, exitCode);
  return yield* exitTask(k, group.exitCode);
}

/** do_exit(): ends the current thread. Interrupts on; no locks. Does not return. */
export function* exitTask(k: Context, exitCode: number): Work<never> {
  const task = k.task!;
  const state = processOf(task);
  const group = state.group;
  state.exiting = true;
  if (!group.groupExit && task.pid === group.tgid) group.exitCode = exitCode;
  k.kernel.platform.trace(k.cpu.id, "exit", task.pid, exitCode);
  yield* releaseAddressSpace(k, state);
  if (k.point(COST_STEP)) yield;
  state.files?.release();
  state.files = null;
  group.threads.splice(group.threads.indexOf(task), 1);
  if (group.threads.length === 0) {
    if (group === group.table.init) powerOff(k, group.exitCode);
    notifyFamily(k, group);
  }
  k.kernel.sched.forget(task);
  task.state = TASK_DEAD;
  for (;;) yield* schedule(k);
}

/**
 * exit_mm_release() and exit_mm(): hands over what other threads wait for in this address space, then lets go of it.
 * Also what exec would do with the old one.
 */
function* releaseAddressSpace(k: Context, state: ProcessState): Work {
  const task = k.task!;
  const mm = task.mm;
  if (mm === NULL) return;
  if (!isNullPointer(state.robustList)) yield* exitRobustList(k, state);
  const { lo, hi } = state.clearChildTid;
  if ((lo | hi) !== 0) {
    if (k.point(COST_STEP)) yield;
    if (mmUsersOf(k, mm) > 1) {
      yield* putUser32(k, lo, hi, 0);
      yield* futexWake(k, { lo, hi }, { shared: true, count: 1, bitset: -1 });
    }
    state.clearChildTid = NULL_USER;
  }
  task.state = TASK_RUNNING;
  yield* exitMm(k);
  if (!state.group.vforkDone) {
    state.group.vforkDone = true;
    wakeUp(k, state.group.vforkWaiters, Infinity);
  }
}

function powerOff(k: Context, exitCode: number): void {
  const signal = exitCode & 0x7f;
  const status = signal !== 0 ? 128 + signal : (exitCode >>> 8) & 0xff;
  const how = signal !== 0 ? `was ended by signal ${signal}` : `exited with status ${status}`;
  k.kernel.printk(`reboot: Power down (init ${how})`);
  k.cpu.stopMachine({ kind: "power-off", text: `init ${how}`, status });
}
