/** How much an address space and the machine may map: resource limits, commit accounting (mm/util.c, mm/mmap.c). */
import type { Context } from "../context.ts";
import { ENOMEM } from "../errno.ts";
import type { KPtr } from "../struct.ts";
import { committedAs, memoryOf } from "./memory.ts";
import { mmDataVm, mmExecVm, mmStackVm, mmTotalVm } from "./mm-struct.ts";
import {
  VM_ACCOUNT,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_NORESERVE,
  VM_SHARED,
  VM_WRITE,
  vmFlags,
  vmMm,
} from "./vma.ts";

/** Resource numbers, include/uapi/asm-generic/resource.h. */
export const RLIMIT_DATA = 2;
export const RLIMIT_STACK = 3;
export const RLIMIT_AS = 9;
/** VMAs that an address space may have (sysctl vm.max_map_count). */
export const MAX_MAP_COUNT = 65530;

function isStackMapping(flags: number): boolean {
  return (flags & (VM_GROWSDOWN | VM_SHARED)) === VM_GROWSDOWN;
}

function isDataMapping(flags: number): boolean {
  return (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) === VM_WRITE;
}

function isExecMapping(flags: number): boolean {
  return (flags & (VM_EXEC | VM_WRITE | VM_GROWSDOWN)) === VM_EXEC;
}

/** may_expand_vm(). Locks: mmap_lock for write. */
export function mayExpandVm(k: Context, mm: KPtr, flags: number, pages: number): boolean {
  const m = memoryOf(k);
  if (mmTotalVm.get(k.ram, mm) + pages > m.limitPages(k, RLIMIT_AS)) return false;
  return !isDataMapping(flags) || mmDataVm.get(k.ram, mm) + pages <= m.limitPages(k, RLIMIT_DATA);
}

/** vm_stat_account(). Locks: mmap_lock for write. */
export function accountVm(k: Context, mm: KPtr, flags: number, pages: number): void {
  mmTotalVm.add(k.ram, mm, pages);
  if (isExecMapping(flags)) mmExecVm.add(k.ram, mm, pages);
  else if (isStackMapping(flags)) mmStackVm.add(k.ram, mm, pages);
  else if (isDataMapping(flags)) mmDataVm.add(k.ram, mm, pages);
}

/**
 * security_vm_enough_memory_mm() with overcommit_memory = 0: refuses only what no reclaim could ever satisfy.
 * Atomic; preceded by a point. @returns 0 or -ENOMEM
 */
export function commitPages(k: Context, pages: number): number {
  const m = memoryOf(k);
  if (pages > m.frames.managed) return -ENOMEM;
  committedAs.add(k.ram, m.globals, pages);
  return 0;
}

/** vm_unacct_memory(). */
export function uncommitPages(k: Context, pages: number): void {
  if (pages !== 0) committedAs.add(k.ram, memoryOf(k).globals, -pages);
}

/** accountable_mapping(): private writable pages are promised memory, unless the caller waived it. */
export function isAccountable(flags: number): boolean {
  return (flags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) === VM_WRITE;
}

/** acct_stack_growth(): 0 or -ENOMEM. Locks: mmap_lock for write. */
export function accountStackGrowth(k: Context, vma: KPtr, sizePages: number, grow: number): number {
  const mm = vmMm.get(k.ram, vma);
  const flags = vmFlags.get(k.ram, vma);
  if (!mayExpandVm(k, mm, flags, grow)) return -ENOMEM;
  if (sizePages > memoryOf(k).limitPages(k, RLIMIT_STACK)) return -ENOMEM;
  if ((flags & VM_ACCOUNT) !== 0 && commitPages(k, grow) !== 0) return -ENOMEM;
  accountVm(k, mm, flags, grow);
  return 0;
}
