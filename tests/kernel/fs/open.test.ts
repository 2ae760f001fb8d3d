import { describe, expect, test } from "vitest";
import {
  EBADF,
  EEXIST,
  EINVAL,
  EIO,
  EISDIR,
  ELOOP,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
  EROFS,
} from "../../../kernel/errno.ts";
import { PAGE, SyscallBench } from "../syscalls/bench.ts";

type Call = Parameters<SyscallBench["call"]>[0];
type Body = (bench: SyscallBench, k: Call) => Generator<void, void, void>;

const O_WRONLY = 1;
const O_RDWR = 2;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_TRUNC = 0o1000;
const O_DIRECTORY = 0o200000;
const O_NOFOLLOW = 0o400000;
const AT_FDCWD = -100;
const LONG = "a".repeat(300);
/** The first free descriptor: the file was opened. */
const OK = 3;

function run(body: Body): void {
  const bench = new SyscallBench();
  bench.run([(own, k) => body(own, k)]);
  expect(bench.machine.kernel.reports).toEqual([]);
}

function* open(bench: SyscallBench, k: Call, path: string, flags = 0, at = AT_FDCWD) {
  bench.writeText(PAGE, path);
  return yield* bench.call(k, "openat", at, PAGE, flags);
}

/** Recorded under Linux 6.18 as root, but for EROFS: the root there could be written. */
describe("open", () => {
  test.each([
    ["/proc/self/maps", 0, OK],
    ["/proc/self/./maps", 0, OK],
    ["//proc///vmstat", 0, OK],
    ["/../proc/vmstat", 0, OK],
    ["/proc/self/../vmstat", 0, OK],
    ["proc/vmstat", 0, OK],
    ["/proc/thread-self/maps", 0, OK],
    ["/proc/self/task", 0, OK],
    ["/proc/self/maps/x", 0, -ENOTDIR],
    ["/proc/self/maps/", 0, -ENOTDIR],
    ["/proc/self/maps/.", 0, -ENOTDIR],
    ["/proc/self/maps/..", 0, -ENOTDIR],
    ["/proc/self/maps/../maps", 0, -ENOTDIR],
    ["/proc/vmstat/x", 0, -ENOTDIR],
    ["/proc/nope", 0, -ENOENT],
    ["/proc/nope/x", 0, -ENOENT],
    ["/proc/self/nope/x", 0, -ENOENT],
    ["/proc/999999/maps", 0, -ENOENT],
    ["/proc/01/maps", 0, -ENOENT],
    ["/proc/0/maps", 0, -ENOENT],
    ["/proc/1x/maps", 0, -ENOENT],
    ["/nope/", 0, -ENOENT],
    ["", 0, -ENOENT],
    [`/${LONG}`, 0, -ENAMETOOLONG],
    [`/proc/${LONG}`, 0, -ENOENT],
    [`/proc/${LONG}/x`, 0, -ENOENT],
    ["/", 0, OK],
    ["/proc", 0, OK],
    ["/proc/", 0, OK],
    ["/proc/self/", O_DIRECTORY, OK],
    ["/proc", O_WRONLY, -EISDIR],
    ["/proc/self", O_RDWR, -EISDIR],
    ["/proc", O_TRUNC, -EISDIR],
    ["/proc", O_CREAT, -EISDIR],
    ["/proc/self", O_CREAT | O_EXCL, -EEXIST],
    ["/proc/self/.", O_CREAT | O_EXCL, -EEXIST],
    ["/", O_CREAT | O_EXCL, -EEXIST],
    ["/proc/", O_CREAT | O_EXCL, -EISDIR],
    ["/proc/self/maps", O_CREAT | O_EXCL, -EEXIST],
    ["/proc/vmstat", O_CREAT, OK],
    ["/proc/vmstat", O_DIRECTORY, -ENOTDIR],
    ["/proc/self", O_NOFOLLOW, -ELOOP],
    ["/proc/self/", O_NOFOLLOW, OK],
    ["/proc/self/maps", O_NOFOLLOW, OK],
    ["/proc/self/maps/x", O_WRONLY, -ENOTDIR],
    ["/proc/nope", O_CREAT, -ENOENT],
    ["/proc/nope/", O_CREAT, -EISDIR],
    ["/proc/self/maps/", O_CREAT, -EISDIR],
    ["/nope/x", O_CREAT, -ENOENT],
    ["/proc/nope", O_CREAT | O_DIRECTORY, -EINVAL],
    ["/nope", O_CREAT | O_WRONLY, -EROFS],
  ] as const)("%s with flags %i is %i", (path, flags, expected) => {
    run(function* (bench, k) {
      expect(yield* open(bench, k, path, flags)).toBe(expected);
    });
  });

  test("openat begins at a directory, and needs one unless the path is absolute", () => {
    run(function* (bench, k) {
      const proc = yield* open(bench, k, "/proc");
      const file = yield* open(bench, k, "vmstat", 0, proc);
      expect(file).toBe(proc + 1);
      expect(yield* open(bench, k, "../proc/self/maps", 0, proc)).toBe(proc + 2);
      expect(yield* open(bench, k, "", 0, proc)).toBe(-ENOENT);
      expect(yield* open(bench, k, "x", 0, file)).toBe(-ENOTDIR);
      expect(yield* open(bench, k, "vmstat", 0, 77)).toBe(-EBADF);
      expect(yield* open(bench, k, "", 0, 77)).toBe(-ENOENT);
      expect(yield* open(bench, k, "/proc/vmstat", 0, 77)).toBe(proc + 3);
    });
  });

  test("a directory can be sought in and is no file", () => {
    run(function* (bench, k) {
      const proc = yield* open(bench, k, "/proc");
      expect(yield* bench.call(k, "read", proc, PAGE, 10)).toBe(-EISDIR);
      expect(yield* bench.call(k, "write", proc, PAGE, 1)).toBe(-EBADF);
      expect(yield* bench.call(k, "lseek", proc, 5, 0)).toBe(5);
      expect(yield* bench.call(k, "lseek", proc, -1, 0)).toBe(-EINVAL);
    });
  });

  test("what is open for writing alone cannot be read, and what cannot be written says so", () => {
    run(function* (bench, k) {
      const maps = yield* open(bench, k, "/proc/self/maps", O_WRONLY);
      expect(yield* bench.call(k, "read", maps, PAGE, 1)).toBe(-EBADF);
      expect(yield* bench.call(k, "write", maps, PAGE, 1)).toBe(-EINVAL);
      const vmstat = yield* open(bench, k, "/proc/vmstat", O_RDWR);
      expect(yield* bench.call(k, "write", vmstat, PAGE, 1)).toBe(-EIO);
      const reader = yield* open(bench, k, "/proc/vmstat");
      expect(yield* bench.call(k, "write", reader, PAGE, 1)).toBe(-EBADF);
    });
  });
});
