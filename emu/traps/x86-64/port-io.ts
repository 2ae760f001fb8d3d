/**
 * IN, OUT, INS and OUTS: the permission check (Intel SDM vol. 1 19.5.2, I/O permission bit map of the TSS) and the
 * transfer. No port is claimed by anything: reads give all ones and writes go nowhere. One execution of the record is
 * one iteration of a REP form; PC stays on the instruction while iterations are left.
 */
import {
  DONE,
  IMPLICIT,
  type Privilege,
  SUPERVISOR,
  type TranslationStatus,
  USER,
} from "../../../mmu/index.ts";
import { FS, GS, RAX, RCX, RFLAGS_DF, RFLAGS_IOPL } from "../../frontends/x86-64/state.ts";
import { SYSTEM_HELPERS } from "../../frontends/x86-64/system-helpers.ts";
import { MICRO_NONE } from "./delivery.ts";
import { Operation } from "./operation.ts";
import { writeRegister } from "./segments.ts";
import { VECTOR_AC, VECTOR_GP } from "./vectors.ts";
import {
  CPL,
  FS_BASE,
  GPR,
  GPR_RDI,
  GPR_RDX,
  GPR_RSI,
  GS_BASE,
  LIMIT,
  M_A,
  M_B,
  M_FAULT_PC,
  M_HELPER,
  M_KIND,
  M_STEP,
  M_TARGET,
  PC,
  SYSTEM_FLAGS,
  TR,
} from "./words.ts";

/** Value of M_KIND. */
export const MICRO_PORT = 7;

/** Steps. */
const CHECK = 0;
const MAP_BASE = 1;
const MAP_BITS = 2;
const TRANSFER = 3;

const TSS_MAP_BASE = 0x66;
const H = SYSTEM_HELPERS;

export class PortIo extends Operation {
  /** Starts IN, OUT or STRING_IO with its operands. PC is the next instruction. */
  start(helper: number, a: number, b: number, pcLo: number, pcHi: number): void {
    this.begin(MICRO_PORT, pcLo, pcHi);
    const words = this.words;
    words[M_HELPER] = helper;
    words[M_A] = a;
    words[M_B] = b;
  }

  protected override next(): TranslationStatus {
    switch (this.words[M_STEP]) {
      case CHECK:
        return this.#check();
      case MAP_BASE:
        return this.#mapBase();
      case MAP_BITS:
        return this.#mapBits();
      default:
        return this.words[M_HELPER] === H.STRING_IO ? this.#string() : this.#single();
    }
  }

  get #port(): number {
    const words = this.words;
    return (words[M_HELPER] === H.STRING_IO ? words[GPR_RDX] : words[M_A]) & 0xffff;
  }

  get #bytes(): 1 | 2 | 4 {
    const words = this.words;
    const helper = words[M_HELPER];
    const bits = helper === H.IN ? words[M_B] : helper === H.OUT ? words[M_A] >>> 16 : words[M_A] & 0xff;
    return ((bits & 0xff) >>> 3) as 1 | 2 | 4;
  }

  #check(): TranslationStatus {
    const words = this.words;
    const iopl = (words[SYSTEM_FLAGS] & RFLAGS_IOPL) >>> 12;
    words[M_STEP] = words[CPL] <= iopl ? TRANSFER : MAP_BASE;
    if (words[M_HELPER] === H.STRING_IO && words[M_B] !== 0 && this.#countIsZero())
      words[M_KIND] = MICRO_NONE;
    return DONE;
  }

  #mapBase(): TranslationStatus {
    const words = this.words;
    if (TSS_MAP_BASE + 1 > words[TR + LIMIT] >>> 0) return this.delivery.fault(VECTOR_GP, 0);
    const status = this.#loadTss(TSS_MAP_BASE);
    if (status !== DONE) return status;
    words[M_TARGET] = (this.access.lo & 0xffff) + (this.#port >>> 3);
    words[M_STEP] = MAP_BITS;
    return DONE;
  }

  /** Two bytes of the map are read, whatever the width; all bits of the access must be 0. */
  #mapBits(): TranslationStatus {
    const words = this.words;
    if (words[M_TARGET] + 1 > words[TR + LIMIT] >>> 0) return this.delivery.fault(VECTOR_GP, 0);
    const status = this.#loadTss(words[M_TARGET]);
    if (status !== DONE) return status;
    const mask = (1 << this.#bytes) - 1;
    if (((this.access.lo >>> (this.#port & 7)) & mask) !== 0) return this.delivery.fault(VECTOR_GP, 0);
    words[M_STEP] = TRANSFER;
    return DONE;
  }

  #loadTss(offset: number): TranslationStatus {
    const words = this.words;
    const lo = (words[TR] + offset) | 0;
    const hi = (words[TR + 1] + (lo >>> 0 < words[TR] >>> 0 ? 1 : 0)) | 0;
    const status = this.access.load(lo, hi, 2, IMPLICIT);
    return this.stopped(status, VECTOR_GP, 0);
  }

  #single(): TranslationStatus {
    const words = this.words;
    if (words[M_HELPER] === H.IN) {
      const bytes = this.#bytes;
      if (bytes === 1) words[GPR + RAX * 2] |= 0xff;
      else writeRegister(words, RAX, bytes * 8, -1, 0);
    }
    words[M_KIND] = MICRO_NONE;
    return DONE;
  }

  /** Operand word of STRING_IO: bits 7:0 width, 8 OUTS, 23:16 address size, 31:24 segment. */
  #string(): TranslationStatus {
    const words = this.words;
    const a = words[M_A];
    const output = (a & 0x100) !== 0;
    const bytes = this.#bytes;
    const index = output ? GPR_RSI : GPR_RDI;
    const wide = ((a >>> 16) & 0xff) === 64;
    let lo = words[index];
    let hi = wide ? words[index + 1] : 0;
    const segment = a >>> 24;
    if (output && (segment === FS || segment === GS)) {
      const base = segment === FS ? FS_BASE : GS_BASE;
      const sum = (lo >>> 0) + (words[base] >>> 0);
      hi = (hi + words[base + 1] + (sum > 0xffff_ffff ? 1 : 0)) | 0;
      lo = sum | 0;
    }
    if (this.isMisaligned(lo, hi, bytes)) return this.delivery.fault(VECTOR_AC, 0);
    const privilege: Privilege = words[CPL] === 3 ? USER : SUPERVISOR;
    const status = output
      ? this.access.load(lo, hi, bytes, privilege)
      : this.access.store(lo, hi, bytes, privilege, -1, -1);
    if (status !== DONE) return this.stopped(status, VECTOR_GP, 0);
    step(words, index, (words[SYSTEM_FLAGS] & RFLAGS_DF) !== 0 ? -bytes : bytes, wide);
    if (words[M_B] !== 0) {
      step(words, GPR + RCX * 2, -1, wide);
      if (!this.#countIsZero()) {
        words[PC] = words[M_FAULT_PC];
        words[PC + 1] = words[M_FAULT_PC + 1];
      }
    }
    words[M_KIND] = MICRO_NONE;
    return DONE;
  }

  #countIsZero(): boolean {
    const words = this.words;
    const wide = ((words[M_A] >>> 16) & 0xff) === 64;
    return words[GPR + RCX * 2] === 0 && (!wide || words[GPR + RCX * 2 + 1] === 0);
  }
}

/** Adds a small number to a register of 64 or 32 (zero-extended) bits. */
function step(words: Int32Array, at: number, by: number, wide: boolean): void {
  const sum = (words[at] >>> 0) + by;
  words[at] = sum | 0;
  if (!wide) words[at + 1] = 0;
  else if (sum < 0) words[at + 1]--;
  else if (sum > 0xffff_ffff) words[at + 1]++;
}
