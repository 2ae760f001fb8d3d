/** Processes: clone(2), wait4(2), exit(2), affinity. */
import type { Context, Work } from "../context.ts";
import { CpuSet } from "../cpu-set.ts";
import { ECHILD, EFAULT, EINVAL, ERESTARTSYS, ESRCH } from "../errno.ts";
import { setAffinity, yieldTask } from "../sched/schedule.ts";
import { TASK_INTERRUPTIBLE, type Task } from "../sched/task.ts";
import { waitEvent } from "../sched/wait-queue.ts";
import { SIGCHLD } from "../signal/signal-numbers.ts";
import { exitTask, groupExit } from "../tasks/exit.ts";
import { releaseGroup } from "../tasks/family.ts";
import { type CloneArguments, cloneTask, forkTask, vforkTask } from "../tasks/fork.ts";
import { processOf } from "../tasks/process-state.ts";
import type { ThreadGroup } from "../tasks/thread-group.ts";
import { clearUser, copyFromUser, copyToUser, putUser32 } from "../user-access.ts";
import type { Syscall } from "./syscall.ts";

/** clone() with the arguments in the order that the architecture's table gives. */
export function* sysClone(k: Context, args: CloneArguments): Work<number> {
  return yield* cloneTask(k, args);
}

export function* sysFork(k: Context): Work<number> {
  return yield* forkTask(k);
}

export function* sysVfork(k: Context): Work<number> {
  return yield* vforkTask(k);
}

export function* sysExit(k: Context, call: Syscall): Work<number> {
  return yield* exitTask(k, (call.lo(0) & 0xff) << 8);
}

export function* sysExitGroup(k: Context, call: Syscall): Work<number> {
  return yield* groupExit(k, (call.lo(0) & 0xff) << 8);
}

const WNOHANG = 1;
const WUNTRACED = 2;
const WCONTINUED = 8;
const WNOTHREAD = 0x2000_0000;
const WALL = 0x4000_0000;
const WCLONE: number = 0x8000_0000 | 0;
const WAIT_FLAGS: number = WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WALL | WCLONE;
/** Wait status of a child that was continued. */
const STATUS_CONTINUED = 0xffff;
/** sizeof(struct rusage). */
const RUSAGE_BYTES = 144;

/** wait4(pid, status, options, rusage). The resource usage is all zeros. */
export function* sysWait4(k: Context, call: Syscall): Work<number> {
  const pid = call.lo(0);
  const options = call.lo(2);
  if ((options & ~WAIT_FLAGS) !== 0) return -EINVAL;
  if (pid === -0x8000_0000) return -ESRCH;
  const group = processOf(k.task!).group;
  let found: { child: ThreadGroup; status: number } | null = null;
  let isHopeless = false;
  const look = (): boolean => {
    const candidates = group.children.filter((child) => isEligible(group, child, pid, options));
    isHopeless = candidates.length === 0;
    found = ready(candidates, options);
    return found !== null || isHopeless || (options & WNOHANG) !== 0;
  };
  if (!(yield* waitEvent(k, group.childWaiters, TASK_INTERRUPTIBLE, look))) return -ERESTARTSYS;
  const result = found as { child: ThreadGroup; status: number } | null;
  if (result === null) return isHopeless ? -ECHILD : 0;
  const { child, status } = result;
  if (child.zombie) releaseGroup(child);
  else if (status === STATUS_CONTINUED) child.continued = false;
  else child.stopReported = true;
  if (!call.isNull(1) && (yield* putUser32(k, call.lo(1), call.hi(1), status)) !== 0) return -EFAULT;
  if (!call.isNull(3) && (yield* clearUser(k, call.lo(3), call.hi(3), RUSAGE_BYTES)) !== 0) return -EFAULT;
  return child.tgid;
}

/** eligible_child(): the pid, and whether the child was made by clone() with another signal than SIGCHLD. */
function isEligible(own: ThreadGroup, child: ThreadGroup, pid: number, options: number): boolean {
  if (pid > 0 && child.tgid !== pid) return false;
  if (pid === 0 && child.pgid !== own.pgid) return false;
  if (pid < -1 && child.pgid !== -pid) return false;
  return (options & WALL) !== 0 || (child.exitSignal !== SIGCHLD) === ((options & WCLONE) !== 0);
}

function ready(
  children: readonly ThreadGroup[],
  options: number,
): { child: ThreadGroup; status: number } | null {
  for (const child of children) {
    if (child.zombie) return { child, status: child.exitCode };
    if ((options & WUNTRACED) !== 0 && child.stopped && !child.stopReported) {
      return { child, status: (child.stopSignal << 8) | 0x7f };
    }
    if ((options & WCONTINUED) !== 0 && child.continued) return { child, status: STATUS_CONTINUED };
  }
  return null;
}

export function* sysSchedYield(k: Context): Work<number> {
  yield* yieldTask(k);
  return 0;
}

/** sched_setaffinity(pid, size, mask). */
export function* sysSchedSetaffinity(k: Context, call: Syscall): Work<number> {
  const words = new Uint8Array(new CpuSet().words.length * 4);
  const length = Math.min(call.uint(1), words.length);
  const bytes = words.subarray(0, length);
  if ((yield* copyFromUser(k, bytes, call.lo(2), call.hi(2))) !== 0) return -EFAULT;
  const task = taskOf(k, call.lo(0));
  if (task === null) return -ESRCH;
  const allowed = new CpuSet();
  for (let cpu = k.kernel.sched.online.next(0); cpu >= 0; cpu = k.kernel.sched.online.next(cpu + 1)) {
    if (((words[maskByte(k, cpu)]! >>> (cpu & 7)) & 1) !== 0) allowed.add(cpu);
  }
  if (allowed.isEmpty()) return -EINVAL;
  setAffinity(k, task, allowed);
  return 0;
}

/** sched_getaffinity(pid, size, mask): bytes written. */
export function* sysSchedGetaffinity(k: Context, call: Syscall): Work<number> {
  const cpus = k.kernel.platform.cpus.length;
  const size = call.uint(1);
  if (size * 8 < cpus || (size & 7) !== 0) return -EINVAL;
  const task = taskOf(k, call.lo(0));
  if (task === null) return -ESRCH;
  const bytes = new Uint8Array(Math.min(size, Math.ceil(cpus / 64) * 8));
  for (let cpu = 0; cpu < cpus; cpu++) {
    if (task.affinity.has(cpu) && k.kernel.sched.online.has(cpu)) bytes[maskByte(k, cpu)]! |= 1 << (cpu & 7);
  }
  return (yield* copyToUser(k, call.lo(2), call.hi(2), bytes)) === 0 ? bytes.length : -EFAULT;
}

/** The byte of a cpu_set_t that holds a core's bit: an array of unsigned longs in machine byte order. */
function maskByte(k: Context, cpu: number): number {
  const byte = cpu >>> 3;
  return k.kernel.arch.process.littleEndian ? byte : byte ^ 7;
}

function taskOf(k: Context, pid: number): Task | null {
  const task = pid === 0 ? k.task : k.kernel.sched.taskByPid(pid);
  return task === null || task.process === null ? null : task;
}
