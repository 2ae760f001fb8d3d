/** struct vm_fault: one fault in progress. There is one per task, reused, as a task handles one fault at a time. */
import { type KPtr, NULL } from "../struct.ts";
import { AnonymousPage } from "./anonymous-page.ts";

/** FAULT_FLAG_* (include/linux/mm_types.h); SPECULATIVE as in Lespinasse's series. */
export const FAULT_FLAG_WRITE = 0x1;
export const FAULT_FLAG_ALLOW_RETRY = 0x4;
export const FAULT_FLAG_KILLABLE = 0x10;
export const FAULT_FLAG_TRIED = 0x20;
export const FAULT_FLAG_USER = 0x40;
export const FAULT_FLAG_INSTRUCTION = 0x100;
export const FAULT_FLAG_INTERRUPTIBLE = 0x200;
export const FAULT_FLAG_SPECULATIVE = 0x400;
/** How architectures start (FAULT_FLAG_DEFAULT). */
export const FAULT_FLAG_DEFAULT: number =
  FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE | FAULT_FLAG_INTERRUPTIBLE;

/** vm_fault_t. */
export const VM_FAULT_OOM = 0x1;
export const VM_FAULT_SIGBUS = 0x2;
export const VM_FAULT_MAJOR = 0x4;
export const VM_FAULT_WRITE = 0x8;
export const VM_FAULT_SIGSEGV = 0x40;
export const VM_FAULT_NOPAGE = 0x100;
export const VM_FAULT_RETRY = 0x400;
export const VM_FAULT_ERROR: number = VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV;

export class FaultState {
  mm: KPtr = NULL;
  /** The VMA, or the copy of it that a speculative fault works with. */
  vma: KPtr = NULL;
  /** What `vma` is a copy of. The fault does not keep it: it may be freed, and only its address means something. */
  found: KPtr = NULL;
  /** Faulting address. */
  lo = 0;
  hi = 0;
  /** Its page. */
  page = 0;
  /** FAULT_FLAG_*. */
  flags = 0;
  /** What the hardware said, for the architecture's access check. */
  archError = 0;
  /** Sequence count at the start of a speculative attempt. */
  seq = 0;

  /** An attempt without mmap_lock: the access that comes next, as the design counts them. */
  step = 0;
  /** Its search for the VMA: node that is looked at, and nodes so far; then bytes of the VMA that are copied. */
  node: KPtr = NULL;
  depth = 0;
  copied = 0;
  /** What walkBegin() returned. */
  walkState = false;
  /** A walk: table that is read next, and its level; at the end where it ended. */
  table = 0;
  level = 0;
  /** Slot of level 2 that covers the page, and its value when it was walked. */
  pmdSlot = 0;
  origPmdLo = 0;
  origPmdHi = 0;
  /** Slot of the lowest level; 0: not mapped (table or entry absent). */
  pteSlot = 0;
  origLo = 0;
  origHi = 0;
  /** Lock of the lowest table while it is held. */
  ptl: KPtr = NULL;
  /** The page mapped before, with a reference while it is copied. */
  oldPage: KPtr = NULL;
  readonly anonymousPage: AnonymousPage = new AnonymousPage(this);
}
