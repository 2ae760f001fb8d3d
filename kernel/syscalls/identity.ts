/** Who and what: getpid and its kin, uname, getrandom, getcpu, set_tid_address. */
import type { Context, Work } from "../context.ts";
import { EFAULT, EINVAL, EPERM, ESRCH } from "../errno.ts";
import { processOf } from "../tasks/process-state.ts";
import type { ThreadGroup } from "../tasks/thread-group.ts";
import { copyToUser, putUser32 } from "../user-access.ts";
import type { Syscall } from "./syscall.ts";
import { pointerArgument, writeBytes } from "./user-data.ts";

export function sysGetpid(k: Context): number {
  return k.task!.tgid;
}

export function sysGettid(k: Context): number {
  return k.task!.pid;
}

export function sysGetppid(k: Context): number {
  return processOf(k.task!).group.parent?.tgid ?? 0;
}

/** getuid, geteuid, getgid, getegid: everybody is root. */
export function sysGetId(): number {
  return 0;
}

/** getgroups(): no supplementary groups. */
export function sysGetgroups(_k: Context, call: Syscall): number {
  return call.lo(0) < 0 ? -EINVAL : 0;
}

export function sysGetpgid(k: Context, call: Syscall): number {
  return groupOf(k, call.lo(0))?.pgid ?? -ESRCH;
}

export function sysGetpgrp(k: Context): number {
  return processOf(k.task!).group.pgid;
}

export function sysGetsid(k: Context, call: Syscall): number {
  return groupOf(k, call.lo(0))?.sid ?? -ESRCH;
}

/** setpgid(pid, pgid): for the process itself and its children, within the session. */
export function* sysSetpgid(k: Context, call: Syscall): Work<number> {
  const own = processOf(k.task!).group;
  if (call.lo(1) < 0) return -EINVAL;
  const group = groupOf(k, call.lo(0));
  if (group === null || (group !== own && group.parent !== own)) return -ESRCH;
  if (group.sid !== own.sid || group.sid === group.tgid) return -EPERM;
  const pgid = call.lo(1) === 0 ? group.tgid : call.lo(1);
  const exists = [...own.table.groups.values()].some((other) => other.pgid === pgid && other.sid === own.sid);
  if (pgid !== group.tgid && !exists) return -EPERM;
  group.pgid = pgid;
  return 0;
}

export function* sysSetsid(k: Context): Work<number> {
  const group = processOf(k.task!).group;
  if ([...group.table.groups.values()].some((other) => other.pgid === group.tgid)) return -EPERM;
  group.sid = group.tgid;
  group.pgid = group.tgid;
  return group.tgid;
}

export function sysSetTidAddress(k: Context, call: Syscall): number {
  processOf(k.task!).clearChildTid = pointerArgument(call, 0);
  return k.task!.pid;
}

/** getcpu(cpu, node, unused): the core now; one node. */
export function* sysGetcpu(k: Context, call: Syscall): Work<number> {
  const cpu = k.cpu.id;
  let status = 0;
  if (!call.isNull(0)) status |= yield* putUser32(k, call.lo(0), call.hi(0), cpu);
  if (!call.isNull(1)) status |= yield* putUser32(k, call.lo(1), call.hi(1), 0);
  return status !== 0 ? -EFAULT : 0;
}

/** Bytes of each of the six fields of struct new_utsname. */
const UTS_FIELD_BYTES = 65;
/** The Linux version whose interface the kernel presents. */
const UTS_RELEASE = "6.12.0-faultline";

export function* sysUname(k: Context, call: Syscall): Work<number> {
  const machine = k.kernel.arch.process.machineName;
  const fields = ["Linux", "faultline", UTS_RELEASE, "#1 SMP", machine, "(none)"];
  const bytes = new Uint8Array(fields.length * UTS_FIELD_BYTES);
  for (const [index, field] of fields.entries()) {
    bytes.set(new TextEncoder().encode(field), index * UTS_FIELD_BYTES);
  }
  return yield* writeBytes(k, pointerArgument(call, 0), bytes);
}

const GRND_RANDOM = 2;
const GRND_INSECURE = 4;
const GRND_FLAGS = 7;
const RANDOM_CHUNK_BYTES = 4096;
const MAX_RANDOM_BYTES = 0x1ff_ffff;

/** getrandom(buffer, length, flags): bytes of the run's seed. */
export function* sysGetrandom(k: Context, call: Syscall): Work<number> {
  const flags = call.uint(2);
  const both = GRND_RANDOM | GRND_INSECURE;
  if ((flags & ~GRND_FLAGS) !== 0 || (flags & both) === both) return -EINVAL;
  const length = Math.min(call.size(1), MAX_RANDOM_BYTES);
  if (!k.kernel.arch.entry.isUserRange(call.lo(0), call.hi(0), length)) return -EFAULT;
  const random = processOf(k.task!).group.table.random;
  for (let done = 0; done < length; ) {
    const chunk = new Uint8Array(Math.min(RANDOM_CHUNK_BYTES, length - done));
    random.fill(chunk);
    const at = offsetPointer(call, 0, done);
    const missing = yield* copyToUser(k, at.lo, at.hi, chunk);
    done += chunk.length - missing;
    if (missing > 0) return done > 0 ? done : -EFAULT;
  }
  return length;
}

/** A pointer argument plus a number of bytes. */
export function offsetPointer(call: Syscall, index: number, bytes: number): { lo: number; hi: number } {
  const sum = (call.lo(index) >>> 0) + bytes;
  return { lo: sum | 0, hi: (call.hi(index) + Math.floor(sum / 0x1_0000_0000)) | 0 };
}

/** The process with a pid; 0 is the caller's. */
function groupOf(k: Context, pid: number): ThreadGroup | null {
  const own = processOf(k.task!).group;
  return pid === 0 ? own : own.table.groupOfPid(pid);
}
