import { expect, test } from "vitest";
import * as errno from "../../../kernel/errno.ts";
import { HOLE, KERNEL_ADDRESS, PAGE, READ_ONLY, SyscallBench } from "./bench.ts";

type Row = readonly [call: string, args: readonly (number | bigint)[], expected: number];

const SIGUSR1 = 10;
const NO_PID = 0x3fff_ffff;
const ODD = PAGE + 1;
const MINUS = -1n;

/** What Linux answers to wrong calls, and to calls at the edge of what is right; man-pages sections ERRORS. */
const ROWS: readonly Row[] = [
  ["read", [99, PAGE, 1], -errno.EBADF],
  ["read", [1, PAGE, 1], -errno.EBADF],
  ["read", [-1, PAGE, 1], -errno.EBADF],
  ["read", [0, KERNEL_ADDRESS, 1], -errno.EFAULT],
  ["read", [0, PAGE, 16], 0],
  ["read", [0, HOLE, 0], 0],
  ["write", [0, PAGE, 1], -errno.EBADF],
  ["write", [3, PAGE, 1], -errno.EBADF],
  ["write", [1, HOLE, 1], -errno.EFAULT],
  ["write", [1, PAGE, MINUS], -errno.EFAULT],
  ["write", [1, KERNEL_ADDRESS, 1], -errno.EFAULT],
  ["write", [1, PAGE, 0], 0],
  ["write", [1, READ_ONLY, 0x1001], 0x1000],
  ["readv", [9, PAGE, 1], -errno.EBADF],
  ["readv", [0, PAGE, 1025], -errno.EINVAL],
  ["readv", [0, PAGE, MINUS], -errno.EINVAL],
  ["writev", [1, HOLE, 1], -errno.EFAULT],
  ["writev", [1, PAGE, 0], 0],
  ["open", [HOLE, 0], -errno.EFAULT],
  ["open", [0, 0], -errno.EFAULT],
  ["openat", [-100, HOLE, 0], -errno.EFAULT],
  ["close", [77], -errno.EBADF],
  ["close", [-1], -errno.EBADF],
  ["lseek", [77, 0, 0], -errno.EBADF],
  ["lseek", [0, 0, 0], -errno.ESPIPE],
  ["dup", [77], -errno.EBADF],
  ["dup2", [77, 5], -errno.EBADF],
  ["dup2", [1, -1], -errno.EBADF],
  ["dup2", [1, 4096], -errno.EBADF],
  ["dup2", [1, 1], 1],
  ["ioctl", [1, 0x5401, PAGE], -errno.ENOTTY],
  ["ioctl", [77, 0x5401, PAGE], -errno.EBADF],

  ["rt_sigaction", [0, PAGE, 0, 8], -errno.EINVAL],
  ["rt_sigaction", [65, PAGE, 0, 8], -errno.EINVAL],
  ["rt_sigaction", [-1, PAGE, 0, 8], -errno.EINVAL],
  ["rt_sigaction", [9, PAGE, 0, 8], -errno.EINVAL],
  ["rt_sigaction", [19, PAGE, 0, 8], -errno.EINVAL],
  ["rt_sigaction", [9, 0, PAGE, 8], 0],
  ["rt_sigaction", [SIGUSR1, HOLE, 0, 8], -errno.EFAULT],
  ["rt_sigaction", [SIGUSR1, 0, HOLE, 8], -errno.EFAULT],
  ["rt_sigaction", [SIGUSR1, 0, READ_ONLY, 8], -errno.EFAULT],
  ["rt_sigaction", [SIGUSR1, PAGE, 0, 4], -errno.EINVAL],
  ["rt_sigaction", [SIGUSR1, PAGE, 0, 128], -errno.EINVAL],
  ["rt_sigprocmask", [3, PAGE, 0, 8], -errno.EINVAL],
  ["rt_sigprocmask", [3, 0, PAGE, 8], 0],
  ["rt_sigprocmask", [0, HOLE, 0, 8], -errno.EFAULT],
  ["rt_sigprocmask", [0, 0, HOLE, 8], -errno.EFAULT],
  ["rt_sigprocmask", [0, PAGE, 0, 16], -errno.EINVAL],
  ["rt_sigpending", [PAGE, 9], -errno.EINVAL],
  ["rt_sigpending", [HOLE, 8], -errno.EFAULT],
  ["rt_sigpending", [PAGE, 8], 0],
  ["rt_sigsuspend", [PAGE, 4], -errno.EINVAL],
  ["rt_sigsuspend", [HOLE, 8], -errno.EFAULT],
  ["sigaltstack", [HOLE, 0], -errno.EFAULT],
  ["sigaltstack", [0, HOLE], -errno.EFAULT],
  ["sigaltstack", [0, PAGE], 0],
  ["kill", [NO_PID, SIGUSR1], -errno.ESRCH],
  ["kill", [1, 65], -errno.EINVAL],
  ["kill", [1, -1], -errno.EINVAL],
  ["kill", [-NO_PID, 0], -errno.ESRCH],
  ["tkill", [0, SIGUSR1], -errno.EINVAL],
  ["tkill", [-1, SIGUSR1], -errno.EINVAL],
  ["tkill", [NO_PID, SIGUSR1], -errno.ESRCH],
  ["tgkill", [0, 1, SIGUSR1], -errno.EINVAL],
  ["tgkill", [1, 0, SIGUSR1], -errno.EINVAL],
  ["tgkill", [NO_PID, NO_PID, SIGUSR1], -errno.ESRCH],

  ["futex", [ODD, 0x80, 0, 0], -errno.EINVAL],
  ["futex", [HOLE, 0x80, 0, 0], -errno.EFAULT],
  ["futex", [KERNEL_ADDRESS, 0x80, 0, 0], -errno.EFAULT],
  ["futex", [PAGE, 0x80, 1, 0], -errno.EAGAIN],
  ["futex", [READ_ONLY, 0x80, 1, 0], -errno.EAGAIN],
  ["futex", [PAGE, 0x80, 0, HOLE], -errno.EFAULT],
  ["futex", [PAGE, 0x89, 0, 0, 0, 0], -errno.EINVAL],
  ["futex", [PAGE, 0x8a, 1, 0, 0, 0], -errno.EINVAL],
  ["futex", [PAGE, 0x81, 1], 0],
  ["futex", [HOLE, 0x81, 1], 0],
  ["futex", [ODD, 0x81, 1], -errno.EINVAL],
  ["futex", [PAGE, 0x83, -1, 1, PAGE + 4], -errno.EINVAL],
  ["futex", [PAGE, 0x83, 1, -1, PAGE + 4], -errno.EINVAL],
  ["futex", [PAGE, 0x83, 1, 1, ODD], -errno.EINVAL],
  ["futex", [PAGE, 0x84, 1, 1, PAGE + 4, 1], -errno.EAGAIN],
  ["futex", [HOLE, 0x84, 1, 1, PAGE + 4, 1], -errno.EFAULT],
  ["futex", [PAGE, 0x84, 1, 1, PAGE + 4, 0], 0],
  ["futex", [ODD, 0x85, 1, 1, PAGE, 0], -errno.EINVAL],
  ["futex", [PAGE, 0x85, 1, 1, ODD, 0], -errno.EINVAL],
  ["futex", [PAGE, 0x85, 1, 1, HOLE, 0], -errno.EFAULT],
  ["futex", [PAGE, 0x85, 1, 1, READ_ONLY, 0], -errno.EFAULT],
  ["futex", [PAGE, 0x85, 1, 1, KERNEL_ADDRESS, 0], -errno.EFAULT],
  ["futex", [HOLE, 0x85, 1, 1, PAGE, 0], 0],
  ["futex", [PAGE, 0x85, -1, -1, PAGE, 0], 0],
  ["futex", [PAGE, 0x85, 1, 1, PAGE, 0x5000_0000], -errno.ENOSYS],
  ["futex", [PAGE, 0x85, 1, 1, HOLE, 0x5000_0000], -errno.ENOSYS],
  ["futex", [PAGE, 0x85, 1, 1, PAGE, 0x0600_0000], -errno.ENOSYS],
  ["futex", [PAGE, 0x185, 1, 1, PAGE, 0], -errno.ENOSYS],
  ["futex", [PAGE, 0x86, 0, 0], -errno.ENOSYS],
  ["futex", [PAGE, 77, 0, 0], -errno.ENOSYS],
  ["futex", [PAGE, 0x181, 1], -errno.ENOSYS],
  ["set_robust_list", [PAGE, 23], -errno.EINVAL],
  ["set_robust_list", [PAGE, 24], 0],

  ["nanosleep", [HOLE, 0], -errno.EFAULT],
  ["clock_nanosleep", [1, 0, HOLE, 0], -errno.EFAULT],
  ["clock_nanosleep", [3, 0, PAGE, 0], -errno.EINVAL],
  ["clock_nanosleep", [99, 0, PAGE, 0], -errno.EINVAL],
  ["clock_nanosleep", [4, 0, PAGE, 0], -errno.EOPNOTSUPP],
  ["clock_gettime", [1000, PAGE], -errno.EINVAL],
  ["clock_gettime", [1, HOLE], -errno.EFAULT],
  ["clock_gettime", [1, READ_ONLY], -errno.EFAULT],
  ["clock_getres", [1000, PAGE], -errno.EINVAL],
  ["clock_getres", [1, 0], 0],
  ["clock_getres", [1, HOLE], -errno.EFAULT],
  ["gettimeofday", [HOLE, 0], -errno.EFAULT],
  ["gettimeofday", [0, 0], 0],
  ["gettimeofday", [0, HOLE], -errno.EFAULT],
  ["time", [HOLE], -errno.EFAULT],

  ["clone", [0x1_0000], -errno.EINVAL],
  ["clone", [0x800], -errno.EINVAL],
  ["clone", [0x1_0800], -errno.EINVAL],
  ["clone", [0x2000_0000], -errno.EINVAL],
  ["clone", [0x0002_0000], -errno.EINVAL],
  ["clone", [0x1000], -errno.EINVAL],
  ["wait4", [-1, 0, 0, 0], -errno.ECHILD],
  ["wait4", [NO_PID, 0, 1, 0], -errno.ECHILD],
  ["wait4", [-1, 0, 0x100, 0], -errno.EINVAL],
  ["wait4", [-0x8000_0000, 0, 0, 0], -errno.ESRCH],
  ["sched_setaffinity", [0, 8, HOLE], -errno.EFAULT],
  ["sched_setaffinity", [NO_PID, 8, PAGE], -errno.ESRCH],
  ["sched_setaffinity", [0, 8, PAGE], -errno.EINVAL],
  ["sched_setaffinity", [0, 0, PAGE], -errno.EINVAL],
  ["sched_getaffinity", [0, 12, PAGE], -errno.EINVAL],
  ["sched_getaffinity", [0, 0, PAGE], -errno.EINVAL],
  ["sched_getaffinity", [NO_PID, 8, PAGE], -errno.ESRCH],
  ["sched_getaffinity", [0, 8, HOLE], -errno.EFAULT],
  ["sched_getaffinity", [0, 128, PAGE], 8],
  ["sched_yield", [], 0],

  ["getcpu", [HOLE, 0, 0], -errno.EFAULT],
  ["getcpu", [0, HOLE, 0], -errno.EFAULT],
  ["getcpu", [0, 0, 0], 0],
  ["uname", [HOLE], -errno.EFAULT],
  ["uname", [READ_ONLY], -errno.EFAULT],
  ["getrandom", [PAGE, 8, 0x80], -errno.EINVAL],
  ["getrandom", [PAGE, 8, 6], -errno.EINVAL],
  ["getrandom", [HOLE, 8, 0], -errno.EFAULT],
  ["getrandom", [PAGE, 0, 0], 0],
  ["getrandom", [PAGE, 16, 1], 16],
  ["getuid", [], 0],
  ["getgroups", [-1, 0], -errno.EINVAL],
  ["getpgid", [NO_PID], -errno.ESRCH],
  ["getsid", [NO_PID], -errno.ESRCH],
  ["setpgid", [NO_PID, 0], -errno.ESRCH],
  ["setpgid", [0, -1], -errno.EINVAL],
  ["getrlimit", [16, PAGE], -errno.EINVAL],
  ["getrlimit", [3, HOLE], -errno.EFAULT],
  ["setrlimit", [3, HOLE], -errno.EFAULT],
  ["prlimit64", [NO_PID, 3, 0, 0], -errno.ESRCH],
  ["prlimit64", [0, 16, 0, 0], -errno.EINVAL],
  ["prlimit64", [0, 3, HOLE, 0], -errno.EFAULT],
  ["prlimit64", [0, 3, 0, HOLE], -errno.EFAULT],
  ["arch_prctl", [0x1fff, 0], -errno.EINVAL],
  ["arch_prctl", [0x1002, KERNEL_ADDRESS], -errno.EPERM],
  ["arch_prctl", [0x1003, HOLE], -errno.EFAULT],
  ["mmap", [0, 4096, 3, 0x22, -1, 1], -errno.EINVAL],
  ["pkey_alloc", [1, 0], -errno.EINVAL],

  ["rseq", [PAGE, 32, 0, 0], -errno.ENOSYS],
  ["socket", [1, 1, 0], -errno.ENOSYS],
  ["1000000", [], -errno.ENOSYS],
];

test("every call answers wrong arguments as Linux does", () => {
  const bench = new SyscallBench();
  const wrong: string[] = [];
  bench.run([
    function* (own, k) {
      for (const [name, args, expected] of ROWS) {
        bench.write64(PAGE, 0, 0, 0, 0);
        const result = yield* own.call(k, name, ...args);
        if (result !== expected) wrong.push(`${name}(${args.join(", ")}) gave ${result}, not ${expected}`);
      }
    },
  ]);
  expect(wrong).toEqual([]);
  expect(bench.machine.kernel.reports).toEqual([]);
});

test("calls that are not implemented are counted by number and name", () => {
  const bench = new SyscallBench();
  bench.run([
    function* (own, k) {
      for (const name of ["rseq", "socket", "rseq", "1000000"]) yield* own.call(k, name);
    },
  ]);
  expect(bench.processes.unknownCalls).toEqual([
    { number: 41, name: "socket", count: 1 },
    { number: 334, name: "rseq", count: 2 },
    { number: 1000000, name: "#1000000", count: 1 },
  ]);
});

test("the list of implemented calls has every number once, under its own name", () => {
  const calls = new SyscallBench().processes.implementedCalls;
  expect(new Set(calls.map((call) => call.number)).size).toBe(calls.length);
  expect(calls.every((call) => call.number >= 0)).toBe(true);
  for (const [name, number] of [
    ["read", 0],
    ["mmap", 9],
    ["clone", 56],
    ["futex", 202],
    ["pkey_free", 331],
  ]) {
    expect(calls.find((call) => call.number === number)?.name).toBe(name);
  }
});
