/**
 * struct vm_area_struct, as Linux 5.17 lays it out with the RCU head of "mm: rcu safe vma freeing" over its first four
 * words: once a VMA waits for its grace period, a lockless reader sees garbage in vm_start, vm_end, vm_next and vm_prev.
 * Everything here is guarded by mmap_lock held for write; designs without the lock read copies.
 */
import type { PhysicalMemory } from "../../mmu/index.ts";
import {
  type I32Field,
  type KPtr,
  kptrOf,
  NULL,
  type PtrField,
  StructLayout,
  type U64Field,
  type VpnField,
} from "../struct.ts";
import { RB_NODE, rbClearNode } from "./rbtree.ts";

const WRITE_LOCK = "mmap_lock (write)";
const layout: StructLayout = new StructLayout("vm_area_struct");
export const vmStart: VpnField = layout.vpn("vm_start", WRITE_LOCK);
export const vmEnd: VpnField = layout.vpn("vm_end", WRITE_LOCK);
export const vmNext: PtrField = layout.ptr("vm_next", WRITE_LOCK);
export const vmPrev: PtrField = layout.ptr("vm_prev", WRITE_LOCK);
export const VM_RB: number = layout.embed("vm_rb", RB_NODE);
/** Largest gap below a VMA in this VMA's subtree. */
export const vmSubtreeGap: VpnField = layout.vpn("rb_subtree_gap", WRITE_LOCK);
export const vmMm: PtrField = layout.ptr("vm_mm", "constant");
export const vmPageProtLo: I32Field = layout.i32("vm_page_prot", WRITE_LOCK);
export const vmPageProtHi: I32Field = layout.i32("vm_page_prot.hi", WRITE_LOCK);
export const vmFlags: I32Field = layout.i32("vm_flags", WRITE_LOCK);
/** Bits 63:32 of vm_flags: the memory key in bits 3:0. */
export const vmFlagsHi: I32Field = layout.i32("vm_flags.hi", WRITE_LOCK);
/** List of the VMAs that map one object, in the room of the interval-tree node that Linux has here (shared.rb). */
export const vmSharedNext: PtrField = layout.ptr("shared.next", "i_mmap_rwsem (write)");
export const vmSharedPrev: PtrField = layout.ptr("shared.prev", "i_mmap_rwsem (write)");
layout.bytes(16);
/** List of anon_vma_chain: next, prev. */
export const vmAnonVmaChain: PtrField = layout.ptr("anon_vma_chain.next", WRITE_LOCK);
export const vmAnonVmaChainPrev: PtrField = layout.ptr("anon_vma_chain.prev", WRITE_LOCK);
export const vmAnonVma: PtrField = layout.ptr("anon_vma", "mmap_lock (read) and page_table_lock");
export const vmOps: PtrField = layout.ptr("vm_ops", WRITE_LOCK);
export const vmPgoff: U64Field = layout.u64("vm_pgoff", WRITE_LOCK);
/** The object behind a shared mapping. */
export const vmFile: PtrField = layout.ptr("vm_file", WRITE_LOCK);
export const vmPrivateData: PtrField = layout.ptr("vm_private_data", WRITE_LOCK);
export const VMA_BYTES: number = layout.sizeBytes;
/** 64-bit words of the structure: what a copy reads one by one. */
export const VMA_WORDS: number = VMA_BYTES / 8;

export const VM_READ = 0x1;
export const VM_WRITE = 0x2;
export const VM_EXEC = 0x4;
export const VM_SHARED = 0x8;
export const VM_MAYREAD = 0x10;
export const VM_MAYWRITE = 0x20;
export const VM_MAYEXEC = 0x40;
export const VM_MAYSHARE = 0x80;
export const VM_GROWSDOWN = 0x100;
export const VM_UFFD_MISSING = 0x200;
export const VM_UFFD_WP = 0x1000;
export const VM_LOCKED = 0x2000;
export const VM_DONTCOPY = 0x2_0000;
export const VM_DONTEXPAND = 0x4_0000;
export const VM_ACCOUNT = 0x10_0000;
export const VM_NORESERVE = 0x20_0000;
export const VM_WIPEONFORK = 0x200_0000;
export const VM_DONTDUMP = 0x400_0000;
export const VM_SOFTDIRTY = 0x800_0000;
export const VM_ACCESS_FLAGS: number = VM_READ | VM_WRITE | VM_EXEC;
/** Four memory-key bits of the high half. */
export const VM_PKEY_MASK_HI = 0xf;

/** Pages that stay unmapped below a growing stack (stack_guard_gap). */
export const STACK_GUARD_GAP_PAGES = 256;

/** The red-black node of a VMA. @hot */
export function rbOfVma(vma: KPtr): KPtr {
  return kptrOf(vma + VM_RB);
}

/** The VMA of a red-black node. @hot */
export function vmaOfRb(node: KPtr): KPtr {
  return kptrOf(node - VM_RB);
}

/** Address of the list head `anon_vma_chain`. */
export function anonVmaChainOf(vma: KPtr): KPtr {
  return kptrOf(vmAnonVmaChain.at(vma));
}

/** Anonymous: private, or shared without an object's operations (vma_is_anonymous). @hot */
export function vmaIsAnonymous(ram: PhysicalMemory, vma: KPtr): boolean {
  return vmOps.get(ram, vma) === NULL;
}

/** Lowest page that no other mapping may use below this VMA (vm_start_gap). */
export function vmStartGap(ram: PhysicalMemory, vma: KPtr): number {
  const start = vmStart.get(ram, vma);
  if ((vmFlags.get(ram, vma) & VM_GROWSDOWN) === 0) return start;
  return start > STACK_GUARD_GAP_PAGES ? start - STACK_GUARD_GAP_PAGES : 0;
}

/** Page offset of an address of the VMA (linear_page_index). @hot */
export function linearPageIndex(ram: PhysicalMemory, vma: KPtr, page: number): number {
  return page - vmStart.get(ram, vma) + vmPgoff.get(ram, vma);
}

/** Initialises a zeroed VMA (vma_init). */
export function vmaInit(ram: PhysicalMemory, vma: KPtr, mm: KPtr): void {
  vmMm.set(ram, vma, mm);
  const head = anonVmaChainOf(vma);
  vmAnonVmaChain.set(ram, vma, head);
  vmAnonVmaChainPrev.set(ram, vma, head);
  rbClearNode(ram, rbOfVma(vma));
}
