/** A reading of the tables in memory without side effects: no cache, no A/D, no rights. */
import type { PhysicalMemory } from "../memory.ts";
import { S_CR3_HI, S_CR3_LO, S_LEVELS, S_RESERVED_HI } from "./layout.ts";
import { entryFrame, isCanonical, levelShift, PTE_P, PTE_PAT_LARGE, PTE_PS, tableIndex } from "./paging.ts";

/** The physical address that an address is mapped to, or -1. */
export function probeTables(words: Int32Array, ram: PhysicalMemory, lo: number, hi: number): number {
  const levels = words[S_LEVELS];
  if (levels === 0) return hi === 0 ? lo >>> 0 : -1;
  if (!isCanonical(hi, levels === 5 ? 5 : 4)) return -1;
  let table = entryFrame(words[S_CR3_LO], words[S_CR3_HI]);
  for (let level = levels; level >= 1; level--) {
    if (table >= ram.frames) return -1;
    const slot = table * 1024 + tableIndex(lo, hi, level) * 2;
    const entryLo = ram.i32[slot];
    const entryHi = ram.i32[slot + 1];
    if ((entryLo & PTE_P) === 0 || (entryHi & words[S_RESERVED_HI]) !== 0) return -1;
    if (level === 1) return entryFrame(entryLo, entryHi) * 4096 + (lo & 0xfff);
    if ((entryLo & PTE_PS) !== 0) {
      if (level > 3) return -1;
      const frame = entryFrame(entryLo & ~PTE_PAT_LARGE, entryHi);
      return frame * 4096 + (lo & (2 ** levelShift(level) - 1));
    }
    table = entryFrame(entryLo, entryHi);
  }
  return -1;
}
