/**
 * The system calls that x86-64 programs can make: number, name and neutral handler (arch/x86/entry/syscalls/syscall_64.tbl).
 * Where x86-64 orders arguments in its own way (clone), the order is here.
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
import { sysArchPrctl } from "./arch-prctl.ts";
import { x86SyscallNumber } from "./syscall-names.ts";

/** clone(flags, stack, parent_tid, child_tid, tls): CONFIG_CLONE_BACKWARDS is off. */
function sysClone(k: Context, call: Syscall): Work<number> {
  return process.sysClone(k, {
    flags: call.lo(0),
    stack: pointerArgument(call, 1),
    parentTid: pointerArgument(call, 2),
    childTid: pointerArgument(call, 3),
    tls: pointerArgument(call, 4),
  });
}

const HANDLERS: Readonly<Record<string, SyscallHandler>> = {
  read: file.sysRead,
  write: file.sysWrite,
  open: open.sysOpen,
  close: file.sysClose,
  lseek: file.sysLseek,
  mmap: memory.sysMmap,
  mprotect: memory.sysMprotect,
  munmap: memory.sysMunmap,
  brk: memory.sysBrk,
  rt_sigaction: signal.sysRtSigaction,
  rt_sigprocmask: signal.sysRtSigprocmask,
  rt_sigreturn: signal.sysRtSigreturn,
  ioctl: file.sysIoctl,
  readv: file.sysReadv,
  writev: file.sysWritev,
  sched_yield: process.sysSchedYield,
  mremap: memory.sysMremap,
  madvise: memory.sysMadvise,
  dup: file.sysDup,
  dup2: file.sysDup2,
  dup3: file.sysDup3,
  pause: time.sysPause,
  nanosleep: time.sysNanosleep,
  getpid: identity.sysGetpid,
  clone: sysClone,
  fork: process.sysFork,
  vfork: process.sysVfork,
  exit: process.sysExit,
  wait4: process.sysWait4,
  kill: signal.sysKill,
  uname: identity.sysUname,
  gettimeofday: time.sysGettimeofday,
  getrlimit: limits.sysGetrlimit,
  sysinfo: limits.sysSysinfo,
  getuid: identity.sysGetId,
  getgid: identity.sysGetId,
  geteuid: identity.sysGetId,
  getegid: identity.sysGetId,
  setpgid: identity.sysSetpgid,
  getppid: identity.sysGetppid,
  getpgrp: identity.sysGetpgrp,
  setsid: identity.sysSetsid,
  getgroups: identity.sysGetgroups,
  getpgid: identity.sysGetpgid,
  getsid: identity.sysGetsid,
  rt_sigpending: signal.sysRtSigpending,
  rt_sigsuspend: signal.sysRtSigsuspend,
  sigaltstack: signal.sysSigaltstack,
  arch_prctl: sysArchPrctl,
  setrlimit: limits.sysSetrlimit,
  gettid: identity.sysGettid,
  tkill: signal.sysTkill,
  time: time.sysTime,
  futex: futex.sysFutex,
  sched_setaffinity: process.sysSchedSetaffinity,
  sched_getaffinity: process.sysSchedGetaffinity,
  set_tid_address: identity.sysSetTidAddress,
  restart_syscall: time.sysRestartSyscall,
  clock_gettime: time.sysClockGettime,
  clock_getres: time.sysClockGetres,
  clock_nanosleep: time.sysClockNanosleep,
  exit_group: process.sysExitGroup,
  tgkill: signal.sysTgkill,
  openat: open.sysOpenat,
  set_robust_list: futex.sysSetRobustList,
  prlimit64: limits.sysPrlimit64,
  getcpu: identity.sysGetcpu,
  getrandom: identity.sysGetrandom,
  pkey_mprotect: memory.sysPkeyMprotect,
  pkey_alloc: memory.sysPkeyAlloc,
  pkey_free: memory.sysPkeyFree,
};

/** The table, in order of number. Calls that are not in it return ENOSYS (rseq among them, as the ABI allows). */
export const X86_SYSCALLS: readonly SyscallEntry[] = Object.entries(HANDLERS)
  .map(([name, handler]) => ({ number: x86SyscallNumber(name), name, handler }))
  .sort((a, b) => a.number - b.number);
