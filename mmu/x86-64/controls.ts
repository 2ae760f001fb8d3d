/** Control registers: which changes are #GP, and the words that follow from them. Intel SDM vol. 3A 2.5 and 4.1. */
import {
  S_AC,
  S_CR0,
  S_CR3_LO,
  S_CR4,
  S_EFER,
  S_LEVELS,
  S_PCID,
  S_RESERVED_HI,
  S_SLOW_USER,
} from "./layout.ts";
import {
  CR0_AM,
  CR0_PE,
  CR0_PG,
  CR3_PCID_MASK,
  CR4_LA57,
  CR4_PAE,
  CR4_PCIDE,
  EFER_LME,
  EFER_NXE,
  reservedHi,
} from "./paging.ts";
import { deriveRights } from "./rights.ts";

/**
 * Not #GP, as far as paging decides it: paging needs PE, PAE and LME; LA57 and LME do not change under paging; PCIDE is
 * set only under paging and with CR3[11:0] = 0; paging is not switched off under PCIDE.
 */
export function areControlsLegal(words: Int32Array, cr0: number, cr4: number, efer: number): boolean {
  const paging = (cr0 & CR0_PG) !== 0;
  const wasPaging = (words[S_CR0] & CR0_PG) !== 0;
  const cr4Changed = cr4 ^ words[S_CR4];
  if (paging && ((cr0 & CR0_PE) === 0 || (cr4 & CR4_PAE) === 0 || (efer & EFER_LME) === 0)) return false;
  if (paging && wasPaging && (cr4Changed & CR4_LA57) !== 0) return false;
  if (paging && wasPaging && ((efer ^ words[S_EFER]) & EFER_LME) !== 0) return false;
  if (!paging && wasPaging && (words[S_CR4] & CR4_PCIDE) !== 0) return false;
  if ((cr4Changed & cr4 & CR4_PCIDE) === 0) return true;
  return paging && (words[S_CR3_LO] & CR3_PCID_MASK) === 0;
}

/** Recomputes what follows from CR0, CR3, CR4, EFER and EFLAGS.AC. */
export function deriveControls(words: Int32Array, maxPhysBits: number): void {
  const cr0 = words[S_CR0];
  const cr4 = words[S_CR4];
  words[S_LEVELS] = (cr0 & CR0_PG) === 0 ? 0 : (cr4 & CR4_LA57) !== 0 ? 5 : 4;
  words[S_PCID] = (cr4 & CR4_PCIDE) !== 0 ? words[S_CR3_LO] & CR3_PCID_MASK : 0;
  words[S_RESERVED_HI] = reservedHi(maxPhysBits, (words[S_EFER] & EFER_NXE) !== 0);
  words[S_SLOW_USER] = (cr0 & CR0_AM) !== 0 && words[S_AC] !== 0 ? 1 : 0;
  deriveRights(words);
}
