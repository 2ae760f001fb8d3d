/**
 * The system calls that arm64 programs can make: number, name and neutral handler. The generic table has none of the
 * calls that a newer one replaces (open, fork, dup2, pause, time and their kin); clone() has its arguments in the order of
 * CONFIG_CLONE_BACKWARDS; mmap() takes its offset in bytes (arch/arm64/kernel/sys.c).
 */
import type { Context, Work } from "../../context.ts";
import * as file from "../../syscalls/file.ts";
import * as futex from "../../syscalls/futex.ts";
import * as identity from "../../syscalls/identity.ts";
import * as limits from "../../syscalls/limits.ts";
import * as memory from "../../syscalls/memory.ts";
import * as open from "../../syscalls/open.ts";
import * as process from "../../syscalls/process.ts";
import * as signal from "../../syscalls/signal.ts";
import type { Syscall, SyscallEntry, SyscallHandler } from "../../syscalls/syscall.ts";
import * as time from "../../syscalls/time.ts";
import { pointerArgument } from "../../syscalls/user-data.ts";
import { arm64SyscallNumber } from "./syscall-names.ts";

/** clone(flags, stack, parent_tid, tls, child_tid). */
function sysClone(k: Context, call: Syscall): Work<number> {
  return process.sysClone(k, {
    flags: call.lo(0),
    stack: pointerArgument(call, 1),
    parentTid: pointerArgument(call, 2),
    tls: pointerArgument(call, 3),
    childTid: pointerArgument(call, 4),
  });
}

const HANDLERS: Readonly<Record<string, SyscallHandler>> = {
  dup: file.sysDup,
  dup3: file.sysDup3,
  ioctl: file.sysIoctl,
  openat: open.sysOpenat,
  close: file.sysClose,
  lseek: file.sysLseek,
  read: file.sysRead,
  write: file.sysWrite,
  readv: file.sysReadv,
  writev: file.sysWritev,
  exit: process.sysExit,
  exit_group: process.sysExitGroup,
  set_tid_address: identity.sysSetTidAddress,
  futex: futex.sysFutex,
  set_robust_list: futex.sysSetRobustList,
  nanosleep: time.sysNanosleep,
  clock_gettime: time.sysClockGettime,
  clock_getres: time.sysClockGetres,
  clock_nanosleep: time.sysClockNanosleep,
  sched_setaffinity: process.sysSchedSetaffinity,
  sched_getaffinity: process.sysSchedGetaffinity,
  sched_yield: process.sysSchedYield,
  restart_syscall: time.sysRestartSyscall,
  kill: signal.sysKill,
  tkill: signal.sysTkill,
  tgkill: signal.sysTgkill,
  sigaltstack: signal.sysSigaltstack,
  rt_sigsuspend: signal.sysRtSigsuspend,
  rt_sigaction: signal.sysRtSigaction,
  rt_sigprocmask: signal.sysRtSigprocmask,
  rt_sigpending: signal.sysRtSigpending,
  rt_sigreturn: signal.sysRtSigreturn,
  setpgid: identity.sysSetpgid,
  getpgid: identity.sysGetpgid,
  getsid: identity.sysGetsid,
  setsid: identity.sysSetsid,
  getgroups: identity.sysGetgroups,
  uname: identity.sysUname,
  getrlimit: limits.sysGetrlimit,
  setrlimit: limits.sysSetrlimit,
  getcpu: identity.sysGetcpu,
  gettimeofday: time.sysGettimeofday,
  getpid: identity.sysGetpid,
  getppid: identity.sysGetppid,
  getuid: identity.sysGetId,
  geteuid: identity.sysGetId,
  getgid: identity.sysGetId,
  getegid: identity.sysGetId,
  gettid: identity.sysGettid,
  sysinfo: limits.sysSysinfo,
  brk: memory.sysBrk,
  munmap: memory.sysMunmap,
  mremap: memory.sysMremap,
  clone: sysClone,
  mmap: memory.sysMmap,
  mprotect: memory.sysMprotect,
  madvise: memory.sysMadvise,
  wait4: process.sysWait4,
  prlimit64: limits.sysPrlimit64,
  getrandom: identity.sysGetrandom,
};

/**
 * The table, in order of number. Calls that are not in it return ENOSYS: rseq among them, as the ABI allows, and those about
 * memory keys, which arm64 has not (no CONFIG_ARCH_HAS_PKEYS in 6.6).
 */
export const ARM64_SYSCALLS: readonly SyscallEntry[] = Object.entries(HANDLERS)
  .map(([name, handler]) => ({ number: arm64SyscallNumber(name), name, handler }))
  .sort((a, b) => a.number - b.number);
