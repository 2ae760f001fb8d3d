/**
 * User copies: accesses to user memory through the MMU, as the hardware would make them for kernel code. A faulting
 * access starts the delivery of its fault with the site's address as saved PC; the handler either repairs the mapping
 * and returns to the site, which tries again, or returns to the fixup, and the helper reports what is missing.
 *
 * Addresses are int32 halves; kernel buffers are host bytes. Data moves in chunks of at most USER_CHUNK_BYTES that do
 * not cross a cache line, each translated anew, with a scheduling point before it: another core may change the mapping
 * or the data between two chunks, as it can under REP MOVSB. With page faults disabled (pagefaultDisable) a fault goes
 * straight to the fixup.
 */
import { type AccessKind, DONE, FAULT, READ, SUSPENDED, WRITE } from "../mmu/index.ts";
import {
  SITE_CLEAR_USER,
  SITE_COPY_FROM_USER,
  SITE_COPY_TO_USER,
  SITE_FUTEX_CMPXCHG,
  SITE_FUTEX_OP,
  SITE_GET_USER,
  SITE_PUT_USER,
  SITE_STRNCPY_FROM_USER,
  SITE_STRNLEN_USER,
} from "./access-sites.ts";
import type { Context, Work } from "./context.ts";
import { COST_ATOMIC, COST_USER_ACCESS, COST_USER_CHUNK } from "./costs.ts";
import { EFAULT } from "./errno.ts";

/** Longest access that is one event. */
export const USER_CHUNK_BYTES = 64;

/** copy_to_user(): bytes not copied (0: all). */
export function* copyToUser(k: Context, lo: number, hi: number, bytes: Uint8Array): Work<number> {
  return yield* copyChunks(k, SITE_COPY_TO_USER, lo, hi, bytes, bytes.length);
}

/** copy_from_user(): fills `bytes`; bytes not copied (the rest is zeroed). */
export function* copyFromUser(k: Context, bytes: Uint8Array, lo: number, hi: number): Work<number> {
  const missing = yield* copyChunks(k, SITE_COPY_FROM_USER, lo, hi, bytes, bytes.length);
  if (missing !== 0) bytes.fill(0, bytes.length - missing);
  return missing;
}

/** clear_user(): bytes not cleared. */
export function* clearUser(k: Context, lo: number, hi: number, lengthBytes: number): Work<number> {
  return yield* copyChunks(k, SITE_CLEAR_USER, lo, hi, null, lengthBytes);
}

/** get_user() of a 32-bit word, aligned or not: 0 or -EFAULT; the value is in `k.userValue`. */
export function* getUser32(k: Context, lo: number, hi: number): Work<number> {
  return yield* moveWord(k, SITE_GET_USER, lo, hi, 4);
}

/** get_user() of a 64-bit word: 0 or -EFAULT; the halves are in `k.userValue` and `k.userValueHi`. */
export function* getUser64(k: Context, lo: number, hi: number): Work<number> {
  return yield* moveWord(k, SITE_GET_USER, lo, hi, 8);
}

/** put_user() of a 32-bit word: 0 or -EFAULT. */
export function* putUser32(k: Context, lo: number, hi: number, value: number): Work<number> {
  k.userValue = value;
  return yield* moveWord(k, SITE_PUT_USER, lo, hi, 4);
}

/** put_user() of a 64-bit word: 0 or -EFAULT. */
export function* putUser64(
  k: Context,
  lo: number,
  hi: number,
  valueLo: number,
  valueHi: number,
): Work<number> {
  k.userValue = valueLo;
  k.userValueHi = valueHi;
  return yield* moveWord(k, SITE_PUT_USER, lo, hi, 8);
}

/**
 * futex_atomic_cmpxchg_inatomic(): atomically replaces a word that equals `expected`: 0 or -EFAULT; the former value
 * is in `k.userValue`. @param lo a multiple of 4
 */
export function* cmpxchgUser32(
  k: Context,
  lo: number,
  hi: number,
  expected: number,
  value: number,
): Work<number> {
  return yield* changeWord(k, SITE_FUTEX_CMPXCHG, lo, hi, (word) => (word === (expected | 0) ? value : word));
}

/**
 * arch_futex_atomic_op_inuser(): atomically replaces a word by what `change` makes of it: 0 or -EFAULT; the former value
 * is in `k.userValue`. @param lo a multiple of 4
 */
export function* changeUser32(
  k: Context,
  lo: number,
  hi: number,
  change: (word: number) => number,
): Work<number> {
  return yield* changeWord(k, SITE_FUTEX_OP, lo, hi, change);
}

function* changeWord(
  k: Context,
  site: number,
  lo: number,
  hi: number,
  change: (word: number) => number,
): Work<number> {
  const { arch } = k.kernel;
  if (!arch.entry.isUserRange(lo, hi, 4)) return -EFAULT;
  begin(k, site);
  let result = -EFAULT;
  for (;;) {
    if (k.point(COST_ATOMIC)) yield;
    let status = k.cpu.access(lo, hi, WRITE);
    while (status === SUSPENDED) {
      yield;
      status = k.cpu.access(lo, hi, WRITE);
    }
    if (status === DONE) {
      const pa = k.cpu.accessPa;
      k.userValue = k.ram.read32(pa);
      const value = change(k.userValue) | 0;
      if (value !== k.userValue) k.ram.write32(pa, value);
      result = 0;
      break;
    }
    k.cpu.raiseAccessFault();
    yield;
    if (arch.entry.cameBackAtFixup(k)) {
      k.kernel.observer?.userCopyFailed(k, lo, hi, "write");
      break;
    }
  }
  end(k);
  return result;
}

/** strncpy_from_user(): length without the NUL, `bytes.length` if there is none so far, or -EFAULT. */
export function* strncpyFromUser(k: Context, bytes: Uint8Array, lo: number, hi: number): Work<number> {
  const missing = yield* copyString(k, SITE_STRNCPY_FROM_USER, lo, hi, bytes, bytes.length);
  return missing < 0 ? -EFAULT : missing;
}

/** strnlen_user(): length with the NUL, limit + 1 if longer, 0 on a fault. @param limit bytes looked at */
export function* strnlenUser(k: Context, lo: number, hi: number, limit: number): Work<number> {
  const length = yield* copyString(k, SITE_STRNLEN_USER, lo, hi, null, limit);
  return length < 0 ? 0 : length + 1;
}

/** Moves bytes between `bytes` (null: zeros) and user memory; bytes not moved. */
function* copyChunks(
  k: Context,
  site: number,
  lo: number,
  hi: number,
  bytes: Uint8Array | null,
  lengthBytes: number,
): Work<number> {
  const { arch } = k.kernel;
  if (lengthBytes === 0) return 0;
  if (!arch.entry.isUserRange(lo, hi, lengthBytes)) return lengthBytes;
  const kind: AccessKind = site === SITE_COPY_FROM_USER ? READ : WRITE;
  begin(k, site);
  let done = 0;
  while (done < lengthBytes) {
    const atLo = (lo + done) | 0;
    const size = Math.min(lengthBytes - done, USER_CHUNK_BYTES - (atLo & (USER_CHUNK_BYTES - 1)));
    if (k.point(COST_USER_CHUNK)) yield;
    let status = k.cpu.access(atLo, carried(lo, hi, done), kind);
    while (status === SUSPENDED) {
      yield;
      status = k.cpu.access(atLo, carried(lo, hi, done), kind);
    }
    if (status === DONE) {
      moveChunk(k, kind, bytes, done, size);
      done += size;
      continue;
    }
    k.cpu.raiseAccessFault();
    yield;
    if (arch.entry.cameBackAtFixup(k)) {
      k.kernel.observer?.userCopyFailed(k, atLo, carried(lo, hi, done), kind === READ ? "read" : "write");
      break;
    }
  }
  end(k);
  return lengthBytes - done;
}

/** Looks for a NUL, copying on the way; length before it, `limit` if there is none, -1 on a fault. */
function* copyString(
  k: Context,
  site: number,
  lo: number,
  hi: number,
  bytes: Uint8Array | null,
  limit: number,
): Work<number> {
  const { arch } = k.kernel;
  if (!arch.entry.isUserRange(lo, hi, 1)) return -1;
  begin(k, site);
  let done = 0;
  let result = limit;
  while (done < limit) {
    const atLo = (lo + done) | 0;
    const atHi = carried(lo, hi, done);
    const size = Math.min(limit - done, USER_CHUNK_BYTES - (atLo & (USER_CHUNK_BYTES - 1)));
    if (k.point(COST_USER_CHUNK)) yield;
    let status = arch.entry.isUserRange(atLo, atHi, 1) ? k.cpu.access(atLo, atHi, READ) : -1;
    while (status === SUSPENDED) {
      yield;
      status = k.cpu.access(atLo, atHi, READ);
    }
    if (status === DONE) {
      const nul = k.ram.u8.subarray(k.cpu.accessPa, k.cpu.accessPa + size).indexOf(0);
      if (bytes !== null) moveChunk(k, READ, bytes, done, nul < 0 ? size : nul + 1);
      if (nul >= 0) {
        result = done + nul;
        break;
      }
      done += size;
      continue;
    }
    if (status === FAULT) {
      k.cpu.raiseAccessFault();
      yield;
    }
    if (status === -1 || arch.entry.cameBackAtFixup(k)) {
      if (status !== -1) k.kernel.observer?.userCopyFailed(k, atLo, atHi, "read");
      result = -1;
      break;
    }
  }
  end(k);
  return result;
}

/** One word through one access; a word that crosses a page goes through the copy helpers. */
function* moveWord(k: Context, site: number, lo: number, hi: number, size: 4 | 8): Work<number> {
  const { arch } = k.kernel;
  if (((lo & 4095) + size) >>> 0 > 4096) return yield* moveSplitWord(k, site, lo, hi, size);
  if (!arch.entry.isUserRange(lo, hi, size)) return -EFAULT;
  const kind: AccessKind = site === SITE_GET_USER ? READ : WRITE;
  begin(k, site);
  let result = -EFAULT;
  for (;;) {
    if (k.point(COST_USER_CHUNK)) yield;
    let status = k.cpu.access(lo, hi, kind);
    while (status === SUSPENDED) {
      yield;
      status = k.cpu.access(lo, hi, kind);
    }
    if (status === DONE) {
      if (kind === READ) loadWord(k, k.cpu.accessPa, size);
      else storeWord(k, k.cpu.accessPa, size);
      result = 0;
      break;
    }
    k.cpu.raiseAccessFault();
    yield;
    if (arch.entry.cameBackAtFixup(k)) {
      k.kernel.observer?.userCopyFailed(k, lo, hi, kind === READ ? "read" : "write");
      break;
    }
  }
  end(k);
  return result;
}

function* moveSplitWord(k: Context, site: number, lo: number, hi: number, size: 4 | 8): Work<number> {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  if (site === SITE_GET_USER) {
    if ((yield* copyFromUser(k, bytes.subarray(0, size), lo, hi)) !== 0) return -EFAULT;
    k.userValue = view.getInt32(0, true);
    k.userValueHi = view.getInt32(4, true);
    return 0;
  }
  view.setInt32(0, k.userValue, true);
  view.setInt32(4, k.userValueHi, true);
  return (yield* copyToUser(k, lo, hi, bytes.subarray(0, size))) === 0 ? 0 : -EFAULT;
}

function begin(k: Context, site: number): void {
  const { entry } = k.kernel.arch;
  k.cpu.charge(COST_USER_ACCESS);
  entry.setAccessSite(k.cpu, site);
  entry.userAccessBegin(k.cpu);
}

function end(k: Context): void {
  const { entry } = k.kernel.arch;
  entry.userAccessEnd(k.cpu);
  entry.clearAccessSite(k.cpu);
}

function moveChunk(
  k: Context,
  kind: AccessKind,
  bytes: Uint8Array | null,
  from: number,
  sizeBytes: number,
): void {
  const pa = k.cpu.accessPa;
  const { ram } = k;
  if (kind === READ) {
    bytes!.set(ram.u8.subarray(pa, pa + sizeBytes), from);
    return;
  }
  ram.beforeWrite(pa);
  if (bytes === null) ram.u8.fill(0, pa, pa + sizeBytes);
  else ram.u8.set(bytes.subarray(from, from + sizeBytes), pa);
}

function loadWord(k: Context, pa: number, size: 4 | 8): void {
  const { view } = k.ram;
  k.userValue = view.getInt32(pa, true);
  k.userValueHi = size === 8 ? view.getInt32(pa + 4, true) : 0;
}

function storeWord(k: Context, pa: number, size: 4 | 8): void {
  k.ram.beforeWrite(pa);
  k.ram.view.setInt32(pa, k.userValue, true);
  if (size === 8) k.ram.view.setInt32(pa + 4, k.userValueHi, true);
}

/** High half of (lo, hi) + offset, for offsets below 2^31. */
function carried(lo: number, hi: number, offset: number): number {
  return (lo >>> 0) + offset > 0xffff_ffff ? (hi + 1) | 0 : hi;
}
