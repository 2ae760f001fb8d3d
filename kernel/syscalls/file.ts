/** Open files: read(2), write(2) and their vector forms, close(2), lseek(2), dup(2), ioctl(2). */
import type { Context, Work } from "../context.ts";
import { EBADF, EFAULT, EINVAL, EIO, EISDIR, EMFILE, ENOTTY, ESPIPE } from "../errno.ts";
import type { FileTable, OpenFile } from "../fs/file-table.ts";
import { procMaps, procVmstat } from "../fs/proc.ts";
import { processOf } from "../tasks/process-state.ts";
import { RLIMIT_NOFILE } from "../tasks/thread-group.ts";
import { addToUser, type UserPointer } from "../tasks/user-pointer.ts";
import { copyFromUser, copyToUser } from "../user-access.ts";
import type { Syscall } from "./syscall.ts";
import { pointerArgument, readWords } from "./user-data.ts";

/** MAX_RW_COUNT: what one call moves at most. */
const MAX_COUNT = 0x7fff_f000;
const PAGE_BYTES = 4096;
const UIO_MAXIOV = 1024;
/** include/uapi/asm-generic/fcntl.h. */
const O_CLOEXEC = 0o2000000;

export function* sysRead(k: Context, call: Syscall): Work<number> {
  const file = filesOf(k).get(call.lo(0));
  if (file === null || !isReadable(file)) return -EBADF;
  const buffer = { at: pointerArgument(call, 1), lengthBytes: call.size(2) };
  if (!isUserBuffer(k, buffer)) return -EFAULT;
  return yield* readFile(k, file, buffer);
}

export function* sysWrite(k: Context, call: Syscall): Work<number> {
  const file = filesOf(k).get(call.lo(0));
  if (file === null || !isWritable(file)) return -EBADF;
  if (cannotWrite(file)) return -EINVAL;
  const buffer = { at: pointerArgument(call, 1), lengthBytes: call.size(2) };
  if (!isUserBuffer(k, buffer)) return -EFAULT;
  return yield* writeFile(k, file, buffer);
}

export function* sysReadv(k: Context, call: Syscall): Work<number> {
  const file = filesOf(k).get(call.lo(0));
  if (file === null || !isReadable(file)) return -EBADF;
  return yield* eachVector(k, call, (buffer) => readFile(k, file, buffer));
}

export function* sysWritev(k: Context, call: Syscall): Work<number> {
  const file = filesOf(k).get(call.lo(0));
  if (file === null || !isWritable(file)) return -EBADF;
  if (cannotWrite(file)) return -EINVAL;
  return yield* eachVector(k, call, (buffer) => writeFile(k, file, buffer));
}

interface UserBuffer {
  readonly at: UserPointer;
  /** Rounded above 2^53: such a length fails the range check anyway. */
  readonly lengthBytes: number;
}

function isUserBuffer(k: Context, buffer: UserBuffer): boolean {
  return k.kernel.arch.entry.isUserRange(buffer.at.lo, buffer.at.hi, buffer.lengthBytes);
}

/** Calls for the buffers of an iovec array until one moves less than it holds. */
function* eachVector(k: Context, call: Syscall, move: (buffer: UserBuffer) => Work<number>): Work<number> {
  const count = call.size(2);
  if (count > UIO_MAXIOV) return -EINVAL;
  if (count === 0) return 0;
  const vectors = yield* readWords(k, pointerArgument(call, 1), count * 2);
  if (vectors === null) return -EFAULT;
  const buffers: UserBuffer[] = [];
  for (let index = 0; index < count; index++) {
    if (vectors.hi(index * 2 + 1) < 0) return -EINVAL;
    const at = { lo: vectors.lo(index * 2), hi: vectors.hi(index * 2) };
    const buffer = { at, lengthBytes: vectors.unsigned(index * 2 + 1) };
    if (!isUserBuffer(k, buffer)) return -EFAULT;
    buffers.push(buffer);
  }
  let total = 0;
  for (const buffer of buffers) {
    const moved = yield* move(buffer);
    if (moved < 0) return total > 0 ? total : moved;
    total += moved;
    if (moved < buffer.lengthBytes) break;
  }
  return total;
}

/** Pieces that end at page boundaries of the user buffer: a fault loses no more than its own page. */
function pieceBytes(at: UserPointer, leftBytes: number): number {
  return Math.min(PAGE_BYTES - (at.lo & (PAGE_BYTES - 1)), leftBytes);
}

function* writeFile(k: Context, file: OpenFile, buffer: UserBuffer): Work<number> {
  // proc_reg_write() of an entry without a handler.
  if (file.kind !== "stdout" && file.kind !== "stderr") return -EIO;
  const length = Math.min(buffer.lengthBytes, MAX_COUNT);
  const console = processOf(k.task!).group.table.console;
  for (let done = 0; done < length; ) {
    const at = addToUser(buffer.at, done, 0);
    const bytes = new Uint8Array(pieceBytes(at, length - done));
    const missing = yield* copyFromUser(k, bytes, at.lo, at.hi);
    if (missing > 0) return done > 0 ? done : -EFAULT;
    console.write(file.kind, bytes);
    done += bytes.length;
  }
  return length;
}

function* readFile(k: Context, file: OpenFile, buffer: UserBuffer): Work<number> {
  if (file.kind === "directory") return -EISDIR;
  const length = Math.min(buffer.lengthBytes, MAX_COUNT);
  if (length === 0) return 0;
  if (file.kind === "text") return yield* readText(k, file, buffer.at, length);
  if (file.kind !== "stdin") return -EBADF;
  const console = processOf(k.task!).group.table.console;
  let done = 0;
  for (;;) {
    const at = addToUser(buffer.at, done, 0);
    const bytes = console.peek(pieceBytes(at, length - done));
    if (bytes.length === 0) return done;
    const missing = yield* copyToUser(k, at.lo, at.hi, bytes);
    console.advance(bytes.length - missing);
    done += bytes.length - missing;
    if (missing > 0) return done > 0 ? done : -EFAULT;
  }
}

function* readText(
  k: Context,
  file: Extract<OpenFile, { kind: "text" }>,
  at: UserPointer,
  length: number,
): Work<number> {
  if (file.content === null || file.position === 0) {
    const group = processOf(k.task!).group.table.groupOfPid(file.pid);
    const text =
      file.path === "vmstat" ? yield* procVmstat(k) : group === null ? "" : yield* procMaps(k, group);
    file.content = text;
  }
  const bytes = new TextEncoder().encode(file.content).subarray(file.position, file.position + length);
  const copied = bytes.length - (yield* copyToUser(k, at.lo, at.hi, bytes));
  if (copied === 0 && bytes.length > 0) return -EFAULT;
  file.position += copied;
  return copied;
}

export function sysClose(k: Context, call: Syscall): number {
  return filesOf(k).close(call.lo(0)) ? 0 : -EBADF;
}

const SEEK_SET = 0;
const SEEK_CUR = 1;

/** lseek(descriptor, offset, whence): on what /proc has; the console cannot seek. */
export function sysLseek(k: Context, call: Syscall): number {
  const file = filesOf(k).get(call.lo(0));
  if (file === null) return -EBADF;
  if (file.kind !== "text" && file.kind !== "directory") return -ESPIPE;
  const whence = call.lo(2);
  if (whence !== SEEK_SET && whence !== SEEK_CUR) return -EINVAL;
  const offset = call.long(1) + (whence === SEEK_CUR ? file.position : 0);
  if (offset < 0 || offset > Number.MAX_SAFE_INTEGER) return -EINVAL;
  file.position = offset;
  return offset;
}

export function sysDup(k: Context, call: Syscall): number {
  const file = filesOf(k).get(call.lo(0));
  if (file === null) return -EBADF;
  const fd = filesOf(k).install(file, descriptorLimit(k));
  return fd < 0 ? -EMFILE : fd;
}

/** dup2(old, new). */
export function sysDup2(k: Context, call: Syscall): number {
  const file = filesOf(k).get(call.lo(0));
  const fd = call.lo(1);
  if (file === null || fd < 0 || fd >= descriptorLimit(k)) return -EBADF;
  if (fd !== call.lo(0)) filesOf(k).replace(fd, file);
  return fd;
}

/** dup3(old, new, flags). O_CLOEXEC has no effect, as there is no execve(). */
export function sysDup3(k: Context, call: Syscall): number {
  const file = filesOf(k).get(call.lo(0));
  const fd = call.lo(1);
  if ((call.lo(2) & ~O_CLOEXEC) !== 0 || fd === call.lo(0)) return -EINVAL;
  if (fd < 0 || fd >= descriptorLimit(k) || file === null) return -EBADF;
  filesOf(k).replace(fd, file);
  return fd;
}

/** ioctl(): no file here answers any; the console is not a terminal. */
export function sysIoctl(k: Context, call: Syscall): number {
  return filesOf(k).get(call.lo(0)) === null ? -EBADF : -ENOTTY;
}

function filesOf(k: Context): FileTable {
  return processOf(k.task!).files!;
}

function descriptorLimit(k: Context): number {
  return processOf(k.task!).group.limits[RLIMIT_NOFILE]!.soft;
}

function isReadable(file: OpenFile): boolean {
  return file.kind === "text" ? file.readable : file.kind === "stdin" || file.kind === "directory";
}

function isWritable(file: OpenFile): boolean {
  return file.kind === "text" ? file.writable : file.kind === "stdout" || file.kind === "stderr";
}

/** A file that can be opened for writing and has no way to write (FMODE_CAN_WRITE). */
function cannotWrite(file: OpenFile): boolean {
  return file.kind === "text" && file.path === "maps";
}
