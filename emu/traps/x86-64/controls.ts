/**
 * Control registers and EFER: which writes are #GP(0), and what they change. Intel SDM vol. 3A 2.5 (control registers),
 * 2.2.1 (EFER), 4.10.4 (invalidation), 9.8.5 (entering IA-32e mode). Bits of features that CPUID does not report are
 * reserved. Simplification: only 64-bit mode executes, so paging cannot be switched off again, and code before paging is
 * on runs in 64-bit mode at physical addresses.
 */
import {
  CR0_PE,
  CR0_PG,
  CR3_HI_NO_FLUSH,
  CR4_PAE,
  CR4_PCIDE,
  EFER_LMA,
  EFER_LME,
  type X86TranslationUnit,
} from "../../../mmu/index.ts";
import { CR0, CR2, CR3, CR4, EFER } from "./words.ts";

const CR0_ET = 0x10;
const CR0_NW = 0x2000_0000;
const CR0_CD = 0x4000_0000;
/** PE MP EM TS ET NE WP AM NW CD PG: writes of other bits below 32 have no effect. */
const CR0_DEFINED = 0xe005_003f | 0;
/** TSD PSE PAE PGE PCE UMIP LA57 FSGSBASE PCIDE SMEP SMAP PKE. */
const CR4_DEFINED = 0x0073_19b4;
/** SCE LME LMA NXE. */
const EFER_DEFINED = 0xd01;

export const CR4_TSD = 0x4;

export class Controls {
  readonly #words: Int32Array;
  readonly #mmu: X86TranslationUnit;

  constructor(words: Int32Array, mmu: X86TranslationUnit) {
    this.#words = words;
    this.#mmu = mmu;
  }

  /** State before paging: protection on, PAE and LME set, ready for CR3 and CR0.PG. */
  reset(): void {
    const words = this.#words;
    for (const register of [CR0, CR2, CR3, CR4, EFER]) words.fill(0, register, register + 2);
    this.#mmu.emptyFast();
    this.#commit(CR0_PE | CR0_ET, CR4_PAE, EFER_LME);
    this.#mmu.writeCr3(0, 0);
  }

  /** False: #GP(0). */
  writeCr0(lo: number, hi: number): boolean {
    if (hi !== 0) return false;
    return this.writeAll((lo & CR0_DEFINED) | CR0_ET, this.#words[CR4], this.#words[EFER]);
  }

  /** Bit 63 (no flush) is not stored. False: #GP(0). */
  writeCr3(lo: number, hi: number): boolean {
    if (!this.#mmu.writeCr3(lo, hi)) return false;
    const words = this.#words;
    words[CR3] = lo;
    words[CR3 + 1] = (words[CR4] & CR4_PCIDE) !== 0 ? hi & ~CR3_HI_NO_FLUSH : hi;
    return true;
  }

  /** False: #GP(0). */
  writeCr4(lo: number, hi: number): boolean {
    return hi === 0 && this.writeAll(this.#words[CR0], lo, this.#words[EFER]);
  }

  /** WRMSR IA32_EFER; writes of LMA have no effect. False: #GP(0). */
  writeEfer(lo: number, hi: number): boolean {
    if (hi !== 0 || (lo & ~EFER_DEFINED) !== 0) return false;
    return this.writeAll(this.#words[CR0], this.#words[CR4], lo);
  }

  /** The three together, as if written in an order that the manual allows. LMA follows from PG and LME. False: #GP(0). */
  writeAll(cr0: number, cr4: number, efer: number): boolean {
    const words = this.#words;
    if ((cr4 & ~CR4_DEFINED) !== 0 || (efer & ~EFER_DEFINED) !== 0) return false;
    if ((cr0 & CR0_PE) === 0 || (cr0 & (CR0_NW | CR0_CD)) === CR0_NW) return false;
    if ((words[CR0] & CR0_PG) !== 0 && (cr0 & CR0_PG) === 0) return false;
    return this.#commit((cr0 & CR0_DEFINED) | CR0_ET, cr4, efer);
  }

  #commit(cr0: number, cr4: number, efer: number): boolean {
    const words = this.#words;
    const active = (cr0 & CR0_PG) !== 0 && (efer & EFER_LME) !== 0;
    const nextEfer = active ? efer | EFER_LMA : efer & ~EFER_LMA;
    if (!this.#mmu.setControls(cr0, cr4, nextEfer)) return false;
    words[CR0] = cr0;
    words[CR4] = cr4;
    words[EFER] = nextEfer;
    return true;
  }
}
