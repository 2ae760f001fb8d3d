/** What the kernel says of an address space, in the witness's terms: the one place where the two meet. */
import {
  type KPtr,
  type Memory,
  mmBrk,
  mmMmap,
  mmMmapBase,
  mmStartBrk,
  NULL,
  VM_ACCESS_FLAGS,
  VM_DONTCOPY,
  VM_GROWSDOWN,
  VM_PKEY_MASK_HI,
  VM_SHARED,
  VM_WIPEONFORK,
  vmEnd,
  vmFlags,
  vmFlagsHi,
  vmNext,
  vmStart,
} from "../../../kernel/index.ts";
import { type Range, VmaModel } from "./vma-model.ts";

/** The mappings, in order. Locks: mmap_lock, or nothing runs. */
export function rangesOf(m: Memory, mm: KPtr): Range[] {
  const { ram } = m;
  const ranges: Range[] = [];
  for (let vma = mmMmap.get(ram, mm); vma !== NULL; vma = vmNext.get(ram, vma)) {
    const flags = vmFlags.get(ram, vma);
    ranges.push({
      start: vmStart.get(ram, vma),
      end: vmEnd.get(ram, vma),
      rights: flags & VM_ACCESS_FLAGS,
      shared: (flags & VM_SHARED) !== 0,
      growsDown: (flags & VM_GROWSDOWN) !== 0,
      dontFork: (flags & VM_DONTCOPY) !== 0,
      wipeOnFork: (flags & VM_WIPEONFORK) !== 0,
      keyed: (vmFlagsHi.get(ram, vma) & VM_PKEY_MASK_HI) !== 0,
    });
  }
  return ranges;
}

/** A model that begins where the kernel is. */
export function modelOf(m: Memory, mm: KPtr): VmaModel {
  return new VmaModel(rangesOf(m, mm), mmBrk.get(m.ram, mm), {
    taskSize: m.mmu.taskSize,
    taskSizeMax: m.mmu.taskSizeMax,
    mmapBase: mmMmapBase.get(m.ram, mm),
    memoryPages: m.frames.managed,
    startBrk: mmStartBrk.get(m.ram, mm),
  });
}
