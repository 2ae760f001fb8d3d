/**
 * Counters of memory events under their published names: those of /proc/vmstat, and Lespinasse's speculative-fault
 * statistics ("mm: anon spf statistics"). Each core counts for itself; readers add up. pgfault counts every fault that
 * the fault core completed, those of MAP_POPULATE and failed ones too, but no attempt that is made again under mmap_lock
 * (mm_account_fault() since 6.4; in 5.17 such a fault counted twice).
 */

/** Index of an event: its place in EVENT_NAMES. */
export const PGFAULT = 0;
export const PGMAJFAULT = 1;
export const PGALLOC = 2;
export const PGFREE = 3;
export const SPF_ATTEMPT = 4;
export const SPF_ABORT = 5;
export const SPF_ABORT_ODD = 6;
export const SPF_ABORT_UNMAPPED = 7;
export const SPF_ABORT_NO_SPECULATE = 8;
export const SPF_ABORT_VMA_COPY = 9;
export const SPF_ABORT_ACCESS_ERROR = 10;
export const SPF_ABORT_PUD = 11;
export const SPF_ABORT_PMD = 12;
export const SPF_ABORT_ANON_VMA = 13;
export const SPF_ABORT_PTE_MAP_LOCK_SEQ1 = 14;
export const SPF_ABORT_PTE_MAP_LOCK_PMD = 15;
export const SPF_ABORT_PTE_MAP_LOCK_PTL = 16;
export const SPF_ABORT_PTE_MAP_LOCK_SEQ2 = 17;
export const SPF_ABORT_USERFAULTFD = 18;
export const SPF_ABORT_FAULT = 19;
export const SPF_ABORT_SWAP = 20;
export const SPF_ATTEMPT_ANON = 21;
export const SPF_ATTEMPT_NUMA = 22;
export const SPF_ATTEMPT_PTE = 23;
export const SPF_ATTEMPT_WP = 24;
export const MMAP_LOCK_READ = 25;
export const MMAP_LOCK_WRITE = 26;
export const MMAP_LOCK_CONTENDED = 27;
export const TLB_REMOTE_FLUSH = 28;
export const TLB_REMOTE_FLUSH_RECEIVED = 29;
export const TLB_LOCAL_FLUSH_ALL = 30;
export const TLB_LOCAL_FLUSH_ONE = 31;
export const OOM_KILL = 32;
export const SPF_HANDLED = 33;
export const COW_COPY = 34;
export const COW_REUSE = 35;
export const SPURIOUS_FAULT = 36;
export const PGLAZYFREE = 37;

export const EVENT_NAMES: readonly string[] = [
  "pgfault",
  "pgmajfault",
  "pgalloc_normal",
  "pgfree",
  "spf_attempt",
  "spf_abort",
  "SPF_ABORT_ODD",
  "SPF_ABORT_UNMAPPED",
  "SPF_ABORT_NO_SPECULATE",
  "SPF_ABORT_VMA_COPY",
  "SPF_ABORT_ACCESS_ERROR",
  "SPF_ABORT_PUD",
  "SPF_ABORT_PMD",
  "SPF_ABORT_ANON_VMA",
  "SPF_ABORT_PTE_MAP_LOCK_SEQ1",
  "SPF_ABORT_PTE_MAP_LOCK_PMD",
  "SPF_ABORT_PTE_MAP_LOCK_PTL",
  "SPF_ABORT_PTE_MAP_LOCK_SEQ2",
  "SPF_ABORT_USERFAULTFD",
  "SPF_ABORT_FAULT",
  "SPF_ABORT_SWAP",
  "SPF_ATTEMPT_ANON",
  "SPF_ATTEMPT_NUMA",
  "SPF_ATTEMPT_PTE",
  "SPF_ATTEMPT_WP",
  "mmap_lock_read",
  "mmap_lock_write",
  "mmap_lock_contended",
  "nr_tlb_remote_flush",
  "nr_tlb_remote_flush_received",
  "nr_tlb_local_flush_all",
  "nr_tlb_local_flush_one",
  "oom_kill",
  "spf_handled",
  "cow_copy",
  "cow_reuse",
  "spurious_fault",
  "pglazyfree",
];

/** Events that cannot happen yet, with the reason: they read 0. */
export const UNREACHABLE_EVENTS: ReadonlyMap<number, string> = new Map([
  [PGMAJFAULT, "no swap and no files"],
  [SPF_ABORT_PTE_MAP_LOCK_PMD, "checked only with transparent huge pages"],
  [SPF_ABORT_USERFAULTFD, "no userfaultfd"],
  [SPF_ABORT_FAULT, "declared without an increment in v2"],
  [SPF_ABORT_SWAP, "no swap"],
  [SPF_ATTEMPT_NUMA, "no NUMA balancing"],
]);

export class VmEvents {
  readonly #counts: Float64Array;
  readonly #cores: number;

  constructor(cores: number) {
    this.#cores = cores;
    this.#counts = new Float64Array(cores * EVENT_NAMES.length);
  }

  /** @hot */
  count(cpu: number, event: number): void {
    this.#counts[cpu * EVENT_NAMES.length + event]!++;
  }

  add(cpu: number, event: number, amount: number): void {
    this.#counts[cpu * EVENT_NAMES.length + event]! += amount;
  }

  /** What one core counted. */
  of(cpu: number, event: number): number {
    return this.#counts[cpu * EVENT_NAMES.length + event]!;
  }

  /** Sum over all cores. */
  total(event: number): number {
    let sum = 0;
    for (let cpu = 0; cpu < this.#cores; cpu++) sum += this.#counts[cpu * EVENT_NAMES.length + event]!;
    return sum;
  }

  save(): number[] {
    return Array.from(this.#counts);
  }

  restore(counts: readonly number[]): void {
    this.#counts.set(counts);
  }
}
