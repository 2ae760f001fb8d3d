/** Resource limits and totals: prlimit64(2), getrlimit(2), setrlimit(2), sysinfo(2). */
import type { Context, Work } from "../context.ts";
import { EFAULT, EINVAL, ESRCH } from "../errno.ts";
import { memoryOf } from "../mm/memory.ts";
import { percpuOf } from "../percpu.ts";
import { processOf } from "../tasks/process-state.ts";
import { type ResourceLimit, RLIMITS, type ThreadGroup } from "../tasks/thread-group.ts";
import type { Syscall } from "./syscall.ts";
import { pointerArgument, readWords, Words, writeBytes } from "./user-data.ts";

/** getrlimit(resource, limit). */
export function* sysGetrlimit(k: Context, call: Syscall): Work<number> {
  const resource = call.uint(0);
  if (resource >= RLIMITS) return -EINVAL;
  return yield* writeLimit(k, call, 1, processOf(k.task!).group.limits[resource]!);
}

/** setrlimit(resource, limit). */
export function* sysSetrlimit(k: Context, call: Syscall): Work<number> {
  const limit = yield* readLimit(k, call, 1);
  if (limit === null) return -EFAULT;
  return change(processOf(k.task!).group, call.uint(0), limit);
}

/** prlimit64(pid, resource, new, old). */
export function* sysPrlimit64(k: Context, call: Syscall): Work<number> {
  const resource = call.uint(1);
  const next = call.isNull(2) ? null : yield* readLimit(k, call, 2);
  if (next === null && !call.isNull(2)) return -EFAULT;
  const own = processOf(k.task!).group;
  const group = call.lo(0) === 0 ? own : own.table.groupOfPid(call.lo(0));
  if (group === null) return -ESRCH;
  if (resource >= RLIMITS) return -EINVAL;
  const old = group.limits[resource]!;
  if (next !== null) {
    const error = change(group, resource, next);
    if (error !== 0) return error;
  }
  return call.isNull(3) ? 0 : yield* writeLimit(k, call, 3, old);
}

function change(group: ThreadGroup, resource: number, limit: ResourceLimit): number {
  if (resource >= RLIMITS || limit.soft > limit.hard) return -EINVAL;
  group.limits[resource] = limit;
  return 0;
}

function* readLimit(k: Context, call: Syscall, index: number): Work<ResourceLimit | null> {
  const data = yield* readWords(k, pointerArgument(call, index), 2);
  return data === null ? null : { soft: limitValue(data, 0), hard: limitValue(data, 1) };
}

function limitValue(data: Words, word: number): number {
  return (data.lo(word) & data.hi(word)) === -1 ? Number.POSITIVE_INFINITY : data.unsigned(word);
}

function* writeLimit(k: Context, call: Syscall, index: number, limit: ResourceLimit): Work<number> {
  const data = new Words(k, 2);
  for (const [word, value] of [limit.soft, limit.hard].entries()) {
    if (value === Number.POSITIVE_INFINITY) data.setHalves(word, -1, -1);
    else data.set(word, value);
  }
  return yield* writeBytes(k, pointerArgument(call, index), data.bytes);
}

/** struct sysinfo: 14 words on 64-bit machines; see sysinfo(2). */
const SYSINFO_WORDS = 14;
const PROCS_OFFSET = 80;
const MEM_UNIT_OFFSET = 104;

/** sysinfo(info). Load averages, shared, buffer and swap sizes are 0. */
export function* sysSysinfo(k: Context, call: Syscall): Work<number> {
  const kernel = k.kernel;
  const { frames } = memoryOf(k);
  const table = processOf(k.task!).group.table;
  const areas = kernel.platform.cpus.map((_cpu, index) => percpuOf(kernel, index));
  const data = new Words(k, SYSINFO_WORDS);
  data.set(0, table.clock.now(k).seconds);
  data.set(4, frames.managed * 4096);
  data.set(5, frames.freeFrames(areas) * 4096);
  data.setInt(PROCS_OFFSET, [...kernel.sched.tasks()].length);
  data.setInt(MEM_UNIT_OFFSET, 1);
  return yield* writeBytes(k, pointerArgument(call, 0), data.bytes);
}
