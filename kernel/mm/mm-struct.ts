/**
 * struct mm_struct: one address space. Fields grouped by what guards them. Page numbers where Linux has addresses that
 * are page aligned by nature; byte addresses (brk, start_stack …) are kept as halves.
 */
import { type CpuMaskField, cpuMask } from "../cpu-set.ts";
import { PERCPU_RWSEM, PERCPU_RWSEM_BYTES } from "../locking/percpu-rwsem.ts";
import { RWSEM } from "../locking/rwsem.ts";
import { type I32Field, type PtrField, StructLayout, type U64Field, type VpnField } from "../struct.ts";

const WRITE_LOCK = "mmap_lock (write)";
const layout: StructLayout = new StructLayout("mm_struct");

/** Users of the address space (threads, and whoever holds it by mmget). */
export const mmUsers: I32Field = layout.i32("mm_users", "atomic");
/** References to the structure; all users together hold one. */
export const mmCount: I32Field = layout.i32("mm_count", "atomic");
export const mmPgd: PtrField = layout.ptr("pgd", "constant");

/** The VMAs, by address: tree (RCU readers) and list. */
export const mmRb: PtrField = layout.ptr("mm_rb", "mmap_lock (write); RCU readers");
export const mmMmap: PtrField = layout.ptr("mmap", WRITE_LOCK);
export const mmHighestVmEnd: VpnField = layout.vpn("highest_vm_end", WRITE_LOCK);
/** mremap looks at it before it takes the lock, as Linux does. */
export const mmMapCount: I32Field = layout.i32("map_count", "mmap_lock (write); lockless readers");
export const mmPageTableLock: I32Field = layout.i32("page_table_lock", "lock word");
/** Odd while a writer holds mmap_lock. */
export const mmMmapSeq: U64Field = layout.u64("mmap_seq", "mmap_lock (write); lockless readers");

/** mmap_lock: an rwsem. */
export const MM_MMAP_LOCK: number = layout.embed("mmap_lock", RWSEM);
/** Excludes registration of MMU notifiers from copy-on-write without mmap_lock: a percpu-rwsem. */
export const MM_NOTIFIER_LOCK: number = layout.embed("mmu_notifier_lock", PERCPU_RWSEM, PERCPU_RWSEM_BYTES);
/** Registered MMU notifiers (mmu_notifier_subscriptions). */
export const mmNotifiers: I32Field = layout.i32("notifier_subscriptions", "mmu_notifier_lock");
/** Invalidations that subscribers were told the start of, and not yet the end. */
export const mmNotifierActive: I32Field = layout.i32("notifier_active", "atomic");
/** Nested mmu_gathers: more than one forces full flushes. */
export const mmTlbFlushPending: I32Field = layout.i32("tlb_flush_pending", "atomic");

/** Never reused: names the address space for per-core context slots. */
export const mmCtxId: U64Field = layout.u64("context.ctx_id", "constant");
/** Bumped by every invalidation. */
export const mmTlbGen: U64Field = layout.u64("context.tlb_gen", "atomic");
/** Memory keys: allocated bits, and the execute-only key or -1. */
export const mmPkeyMap: I32Field = layout.i32("context.pkey_allocation_map", WRITE_LOCK);
export const mmExecuteOnlyPkey: I32Field = layout.i32("context.execute_only_pkey", WRITE_LOCK);

/** Bytes of page tables, and resident pages by kind. */
export const mmPgtablesBytes: U64Field = layout.u64("pgtables_bytes", "atomic");
export const mmRssAnon: U64Field = layout.u64("rss_stat[MM_ANONPAGES]", "atomic");
export const mmRssShmem: U64Field = layout.u64("rss_stat[MM_SHMEMPAGES]", "atomic");

/** Pages mapped, in all and by kind. */
export const mmTotalVm: U64Field = layout.u64("total_vm", WRITE_LOCK);
export const mmDataVm: U64Field = layout.u64("data_vm", WRITE_LOCK);
export const mmExecVm: U64Field = layout.u64("exec_vm", WRITE_LOCK);
export const mmStackVm: U64Field = layout.u64("stack_vm", WRITE_LOCK);
/** Top of the area that mmap fills downwards, and end of the address space for hints below and above the window. */
export const mmMmapBase: VpnField = layout.vpn("mmap_base", "constant");
export const mmTaskSize: VpnField = layout.vpn("task_size", "constant");
export const mmStartCode: U64Field = layout.u64("start_code", "arg_lock");
export const mmEndCode: U64Field = layout.u64("end_code", "arg_lock");
export const mmStartData: U64Field = layout.u64("start_data", "arg_lock");
export const mmEndData: U64Field = layout.u64("end_data", "arg_lock");
/** Heap, in bytes: below 2^47 always, so exact. */
export const mmStartBrk: U64Field = layout.u64("start_brk", WRITE_LOCK);
export const mmBrk: U64Field = layout.u64("brk", WRITE_LOCK);
export const mmStartStack: U64Field = layout.u64("start_stack", WRITE_LOCK);
/** Set when the address space is being torn down by the out-of-memory reaper (MMF_UNSTABLE). */
export const mmFlags: I32Field = layout.i32("flags", "atomic");

/** Cores that may hold translations of this address space (mm_cpumask). */
export const mmCpumask: CpuMaskField = cpuMask(layout, "cpu_bitmap", "atomic");
export const MM_BYTES: number = layout.sizeBytes;

/** mmFlags: contents are no longer to be trusted; faults answer SIGBUS. */
export const MMF_UNSTABLE = 0x40_0000;
export const MMF_OOM_SKIP = 0x20_0000;
