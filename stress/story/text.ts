/** How addresses, entries, locks and calls are written in a story: short, and as the kernel's own tools write them. */
import type { Context, KPtr, LockClass, Memory, Syscall } from "../../kernel/index.ts";

/** Arguments of a call that are worth a place: u address or size, d signed number, x flags. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  mmap: "uudx",
  munmap: "uu",
  mprotect: "uud",
  mremap: "uuuxu",
  madvise: "uud",
  brk: "u",
  futex: "udd",
  clone: "x",
  wait4: "d",
  exit_group: "d",
  exit: "d",
};
const SHORT_NAMES: Readonly<Record<string, string>> = {
  mmap_lock: "mmap",
  ptlock: "ptl",
  mmu_notifier_lock: "mn",
  "anon_vma->rwsem": "anon_vma",
  page_table_lock: "pgtl",
  "zone->lock": "zone",
  "cache->list_lock": "slab",
};
/** errno names that memory calls answer with. */
const ERRORS: Readonly<Record<number, string>> = {
  1: "EPERM",
  3: "ESRCH",
  4: "EINTR",
  10: "ECHILD",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  14: "EFAULT",
  17: "EEXIST",
  22: "EINVAL",
  38: "ENOSYS",
  110: "ETIMEDOUT",
};

export function hex(lo: number, hi: number): string {
  return `0x${((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)).toString(16)}`;
}

/** A page's address without 0x: where a number can be nothing else. */
export function pageText(page: number): string {
  return (BigInt(page) << 12n).toString(16);
}

export function rangeText(start: number, end: number): string {
  if (end === 0) return "everything";
  return end - start === 1 ? pageText(start) : `${pageText(start)}-${pageText(end)}`;
}

export function frameText(frame: number): string {
  return `#${frame.toString(16)}`;
}

/** An entry as frame, rights and dirty bit, as `#298 rw D`; "none" if it is empty. */
export function pteText({ format, zeroFrame }: Memory, lo: number, hi: number): string {
  if (format.isNone(lo, hi)) return "none";
  const frame = format.frame(lo, hi);
  const rights = format.isProtNone(lo, hi) ? "-" : format.isWritable(lo, hi) ? "rw" : "ro";
  return `${frame === zeroFrame ? "zero page" : frameText(frame)} ${rights}${format.isDirty(lo, hi) ? " D" : ""}`;
}

export function callText(name: string, call: Syscall): string {
  const kinds = ARGUMENTS[name] ?? "";
  const values = [...kinds].map((kind, index) =>
    kind === "d" ? String(call.lo(index) | 0) : hex(call.lo(index), call.hi(index)),
  );
  return `${name}(${values.join(", ")})`;
}

export function resultText(result: number): string {
  if (result >= 4096) return `0x${result.toString(16)}`;
  if (result >= 0) return String(result);
  const name = ERRORS[-result];
  return name === undefined ? String(result) : `-${name}`;
}

export function lockName(cls: LockClass): string {
  return SHORT_NAMES[cls.name] ?? cls.name;
}

export function lockText(at: KPtr, cls: LockClass): string {
  return `${lockName(cls)}@${(at >>> 0).toString(16)}`;
}

/**
 * Locks held, outermost first, and "irqoff" if interrupts are: `mmap:r ptl irqoff`. Sleeping locks are held for reading or
 * for writing. @param readers addresses of those that this context holds for reading
 * @param last whether the lock that was announced last is held already
 */
export function lockState(
  k: Context,
  readers: ReadonlySet<number>,
  last: "with-last" | "without-last" = "with-last",
): string {
  const names: string[] = [];
  const count = last === "with-last" ? k.held.count : k.held.count - 1;
  for (let slot = 0; slot < count; slot++) {
    const cls = k.held.classes[slot]!;
    const mode = cls.kind === "sleep" ? (readers.has(k.held.at[slot]! >>> 0) ? ":r" : ":w") : "";
    names.push(lockName(cls) + mode);
  }
  if (!k.cpu.interruptsEnabled()) names.push("irqoff");
  return names.join(" ");
}
