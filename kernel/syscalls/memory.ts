/**
 * System calls of memory management: arguments in, the verbs of kernel/mm out. The address space's own functions check
 * the arguments, since the order of the checks is part of what they do.
 */
import type { Context, Work } from "../context.ts";
import { EBADF, EINVAL, ENODEV } from "../errno.ts";
import {
  brk,
  MAP_ANONYMOUS,
  madvise,
  mmapAnonymous,
  mprotect,
  mremap,
  munmap,
  pkeyAlloc,
  pkeyFree,
} from "../mm/index.ts";
import { processOf } from "../tasks/process-state.ts";
import type { Syscall } from "./syscall.ts";

const PAGE_BYTES = 4096;

/** An address as a page number, or an errno, as the result of a call: exact, as the low bits are 0. */
function addressResult(page: number): number {
  return page < 0 ? page : page * PAGE_BYTES;
}

/** mmap(address, length, prot, flags, descriptor, offset). No file can be mapped. */
export function* sysMmap(k: Context, call: Syscall): Work<number> {
  if ((call.lo(5) & (PAGE_BYTES - 1)) !== 0) return -EINVAL;
  const flags = call.lo(3);
  if ((flags & MAP_ANONYMOUS) === 0) {
    return processOf(k.task!).files!.get(call.lo(4)) === null ? -EBADF : -ENODEV;
  }
  const work = mmapAnonymous(k, call.lo(0), call.hi(0), call.lo(1), call.hi(1), call.lo(2), flags);
  return addressResult(yield* work);
}

/**
 * High half of the address of an existing mapping, which may be tagged. brk(), mmap() and the new address of mremap() take no
 * tags (Documentation/arch/arm64/tagged-address-abi.rst). @hot
 */
function placeHi(k: Context, call: Syscall): number {
  return k.kernel.arch.entry.untaggedHi(call.hi(0));
}

/** munmap(address, length). */
export function sysMunmap(k: Context, call: Syscall): Work<number> {
  return munmap(k, call.lo(0), placeHi(k, call), call.lo(1), call.hi(1));
}

/** mprotect(address, length, prot). */
export function sysMprotect(k: Context, call: Syscall): Work<number> {
  return mprotect(k, call.lo(0), placeHi(k, call), call.lo(1), call.hi(1), call.lo(2), -1);
}

/** pkey_mprotect(address, length, prot, key). Key -1: mprotect(). */
export function sysPkeyMprotect(k: Context, call: Syscall): Work<number> {
  return mprotect(k, call.lo(0), placeHi(k, call), call.lo(1), call.hi(1), call.lo(2), call.lo(3));
}

/** pkey_alloc(flags, rights). */
export function* sysPkeyAlloc(k: Context, call: Syscall): Work<number> {
  if ((call.hi(0) | call.hi(1)) !== 0) return -EINVAL;
  return yield* pkeyAlloc(k, call.lo(0), call.lo(1));
}

/** pkey_free(key). */
export function sysPkeyFree(k: Context, call: Syscall): Work<number> {
  return pkeyFree(k, call.lo(0));
}

/** mremap(old address, old length, new length, flags, new address). */
export function* sysMremap(k: Context, call: Syscall): Work<number> {
  const request = {
    lo: call.lo(0),
    hi: placeHi(k, call),
    oldLengthLo: call.lo(1),
    oldLengthHi: call.hi(1),
    newLengthLo: call.lo(2),
    newLengthHi: call.hi(2),
    flags: call.lo(3),
    newLo: call.lo(4),
    newHi: call.hi(4),
  };
  return addressResult(yield* mremap(k, request));
}

/** madvise(address, length, advice). */
export function sysMadvise(k: Context, call: Syscall): Work<number> {
  return madvise(k, call.lo(0), placeHi(k, call), call.lo(1), call.hi(1), call.lo(2));
}

/** brk(address): the break afterwards, which is the old one if it could not be set. */
export function sysBrk(k: Context, call: Syscall): Work<number> {
  return brk(k, call.size(0));
}
