/** open(2) and openat(2): what the flags make of what a path leads to (do_filp_open() of fs/namei.c). */
import type { Context, Work } from "../context.ts";
import { EBADF, EEXIST, EINVAL, EISDIR, EMFILE, ENAMETOOLONG, ENOENT, ENOTDIR, EROFS } from "../errno.ts";
import type { OpenFile } from "../fs/file-table.ts";
import { type Directory, type PathNode, walkPath } from "../fs/path.ts";
import { processOf } from "../tasks/process-state.ts";
import { RLIMIT_NOFILE } from "../tasks/thread-group.ts";
import type { UserPointer } from "../tasks/user-pointer.ts";
import { strncpyFromUser } from "../user-access.ts";
import type { Syscall } from "./syscall.ts";
import { pointerArgument } from "./user-data.ts";

const PATH_MAX = 4096;
/** include/uapi/asm-generic/fcntl.h. */
const O_ACCMODE = 3;
const O_RDONLY = 0;
const O_WRONLY = 1;
const O_RDWR = 2;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_TRUNC = 0o1000;
const AT_FDCWD = -100;

/** open(path, flags, mode). */
export function* sysOpen(k: Context, call: Syscall): Work<number> {
  return yield* openPath(k, AT_FDCWD, pointerArgument(call, 0), call.lo(1));
}

/** openat(directory, path, flags, mode). */
export function* sysOpenat(k: Context, call: Syscall): Work<number> {
  return yield* openPath(k, call.lo(0), pointerArgument(call, 1), call.lo(2));
}

function* openPath(k: Context, directory: number, at: UserPointer, flags: number): Work<number> {
  const { directory: O_DIRECTORY, noFollow: O_NOFOLLOW } = k.kernel.arch.process.openFlags;
  const has = (bits: number): boolean => (flags & bits) === bits;
  if (has(O_CREAT | O_DIRECTORY)) return -EINVAL;
  const path = yield* readPath(k, at);
  if (typeof path === "number") return path;
  const from = startOf(k, directory, path);
  if (typeof from === "number") return from;
  const { group } = processOf(k.task!);
  const walker = { table: group.table, tgid: group.tgid, tid: k.task!.pid };
  // A slash at the end names a directory, and none can be created: what is there is not looked at.
  const asksForDirectory = has(O_CREAT) && /[^/]\/+$/.test(path);
  const name = asksForDirectory ? path.replace(/\/+$/, "") : path;
  const node = walkPath(walker, from, name, has(O_NOFOLLOW) && !has(O_CREAT | O_EXCL) ? "refuse" : "follow");
  if (typeof node === "number") return node;
  if (asksForDirectory) return -EISDIR;
  const file = openNode(node, flags, O_DIRECTORY);
  if (typeof file === "number") return file;
  const fd = processOf(k.task!).files!.install(file, group.limits[RLIMIT_NOFILE]!.soft);
  return fd < 0 ? -EMFILE : fd;
}

/** getname(). */
function* readPath(k: Context, at: UserPointer): Work<string | number> {
  const bytes = new Uint8Array(PATH_MAX);
  const length = yield* strncpyFromUser(k, bytes, at.lo, at.hi);
  if (length < 0) return length;
  if (length === PATH_MAX) return -ENAMETOOLONG;
  return length === 0 ? -ENOENT : new TextDecoder().decode(bytes.subarray(0, length));
}

/** Where a path begins; the working directory is the root. */
function startOf(k: Context, directory: number, path: string): Directory | number {
  if (path.startsWith("/") || directory === AT_FDCWD) return [];
  const file = processOf(k.task!).files!.get(directory);
  if (file === null) return -EBADF;
  return file.kind === "directory" ? file.names : -ENOTDIR;
}

/** do_open(); everybody is root, whom a file's mode does not stop. */
function openNode(node: PathNode, flags: number, O_DIRECTORY: number): OpenFile | number {
  const creates = (flags & O_CREAT) !== 0;
  if (node.kind === "missing") return creates && node.directory.length === 0 ? -EROFS : -ENOENT;
  if (creates && (flags & O_EXCL) !== 0) return -EEXIST;
  const access = flags & O_ACCMODE;
  if (node.kind === "directory") {
    if (creates || access !== O_RDONLY || (flags & O_TRUNC) !== 0) return -EISDIR;
    return { kind: "directory", names: node.names, position: 0 };
  }
  if ((flags & O_DIRECTORY) !== 0) return -ENOTDIR;
  return {
    kind: "text",
    path: node.file,
    pid: node.pid,
    readable: access === O_RDONLY || access === O_RDWR,
    writable: access === O_WRONLY || access === O_RDWR,
    content: null,
    position: 0,
  };
}
