/**
 * What goes on in memory between two instructions: DC ZVA, address translation by cache maintenance and AT instructions,
 * and the fetch that decides what follows an illegal exception return. One record, a step machine: it can stop between
 * any two memory accesses and goes on with the same call.
 *
 * Arm ARM DDI 0487, C5.3 "A64 System instructions for cache maintenance", C5.4 "… for address translation"; J1
 * "AArch64.DC", "AArch64.AT"; D24.2.133 "PAR_EL1". Caches are not modelled: a maintenance instruction by address translates
 * it, with the faults that this has, and does nothing else. Set/way instructions do nothing at all.
 *
 * An AT instruction sets AF as any walk does; none changes the dirty state. PAR_EL1.ATTR and SH are those of the stage 1
 * translation; with stage 1 off Device-nGnRnE, Outer Shareable.
 */
import {
  type AArch64TranslationUnit,
  type AccessKind,
  DONE,
  FAULT,
  FETCH,
  IMPLICIT,
  ISS_WNR,
  type PhysicalMemory,
  type Privilege,
  READ,
  SUPERVISOR,
  SUSPENDED,
  type TranslationStatus,
  USER,
  WRITE,
} from "../../../mmu/index.ts";
import {
  EC_DATA_ABORT,
  EC_ILLEGAL_STATE,
  EC_INSTRUCTION_ABORT,
  takeAbort,
  takePcAlignment,
  takeSynchronous,
} from "./exceptions.ts";
import { DC_ZVA_BYTES } from "./id-registers.ts";
import { exceptionLevel } from "./pstate.ts";
import { M_ACCESS, M_KIND, M_PC, M_PRIVILEGE, M_VA, PAR, PC } from "./words.ts";

/** Values of M_KIND. */
export const OPERATION_NONE = 0;
/** DC ZVA: M_VA is the register argument. */
export const OPERATION_ZERO = 1;
/** A cache maintenance instruction by address: M_ACCESS and M_PRIVILEGE say what it needs. */
export const OPERATION_MAINTAIN = 2;
/** An AT instruction. */
export const OPERATION_TRANSLATE = 3;
/** The first instruction with PSTATE.IL set. */
export const OPERATION_ILLEGAL = 4;

/** ISS of a Data Abort: a cache maintenance or address translation instruction. */
const ISS_CM = 1 << 8;
/** PAR_EL1: F, and the RES1 bit 11 of both forms. */
const PAR_F = 1;
const PAR_RES1 = 1 << 11;
/** MAIR_EL1 byte of Normal memory, Inner and Outer Non-cacheable. */
const NON_CACHEABLE = 0x44;

export interface MemoryOperationParts {
  readonly words: Int32Array;
  readonly mmu: AArch64TranslationUnit;
  readonly ram: PhysicalMemory;
}

export class MemoryOperation {
  readonly #words: Int32Array;
  readonly #mmu: AArch64TranslationUnit;
  readonly #ram: PhysicalMemory;

  constructor(parts: MemoryOperationParts) {
    this.#words = parts.words;
    this.#mmu = parts.mmu;
    this.#ram = parts.ram;
  }

  /** PC is the following instruction; (pcLo, pcHi) is this one. */
  start(
    kind: number,
    lo: number,
    hi: number,
    access: AccessKind,
    privilege: Privilege,
    pcLo: number,
    pcHi: number,
  ): void {
    const words = this.#words;
    words[M_KIND] = kind;
    words[M_VA] = lo;
    words[M_VA + 1] = hi;
    words[M_ACCESS] = access;
    words[M_PRIVILEGE] = privilege;
    words[M_PC] = pcLo;
    words[M_PC + 1] = pcHi;
  }

  /** The instruction at PC is about to be executed with PSTATE.IL set. */
  startIllegal(): void {
    const words = this.#words;
    this.start(OPERATION_ILLEGAL, words[PC], words[PC + 1], FETCH, USER, words[PC], words[PC + 1]);
  }

  /**
   * Goes on with the operation. DONE: it is complete. FAULT: it has become an exception, which is taken. SUSPENDED:
   * another event is needed.
   */
  step(): TranslationStatus {
    const words = this.#words;
    const status = this.#step(words[M_KIND]);
    if (status !== SUSPENDED) words[M_KIND] = OPERATION_NONE;
    return status;
  }

  #step(kind: number): TranslationStatus {
    switch (kind) {
      case OPERATION_ZERO:
        return this.#zero();
      case OPERATION_MAINTAIN:
        return this.#maintain();
      case OPERATION_TRANSLATE:
        return this.#addressTranslation();
      case OPERATION_ILLEGAL:
        return this.#illegal();
      default:
        throw new Error(`MemoryOperation: there is no operation ${kind}`);
    }
  }

  #zero(): TranslationStatus {
    const words = this.#words;
    const privilege = exceptionLevel(words) === 0 ? USER : SUPERVISOR;
    const lo = words[M_VA] & -DC_ZVA_BYTES;
    const status = this.#mmu.translate(lo, words[M_VA + 1], WRITE, privilege);
    if (status === FAULT) this.#abort(ISS_WNR);
    if (status !== DONE) return status;
    const { pa, memoryAttribute } = this.#mmu;
    if ((memoryAttribute & 0xf0) === 0) {
      // DC ZVA to Device memory is an Alignment fault.
      this.#mmu.raiseAlignment(words[M_VA], words[M_VA + 1], WRITE, privilege);
      this.#abort(ISS_WNR);
      return FAULT;
    }
    for (let at = 0; at < DC_ZVA_BYTES && pa + at < this.#ram.sizeBytes; at += 8)
      this.#ram.write64(pa + at, 0, 0);
    return DONE;
  }

  #maintain(): TranslationStatus {
    const words = this.#words;
    const mmu = this.#mmu;
    const access = words[M_ACCESS] as AccessKind;
    const privilege = words[M_PRIVILEGE] as Privilege;
    const status = mmu.translate(words[M_VA], words[M_VA + 1], READ, privilege);
    if (status === FAULT) this.#abort(ISS_CM | ISS_WNR);
    if (status !== DONE || mmu.permits(access, privilege)) return status;
    this.#abortWith(mmu.permissionStatusCode | ISS_CM | ISS_WNR);
    return FAULT;
  }

  #abort(flags: number): void {
    this.#abortWith(this.#mmu.fault.statusCode | flags);
  }

  /** FAR_EL1 is the register argument. */
  #abortWith(iss: number): void {
    const words = this.#words;
    words[PC] = words[M_PC];
    words[PC + 1] = words[M_PC + 1];
    takeAbort(words, EC_DATA_ABORT, iss, words[M_VA], words[M_VA + 1]);
  }

  #addressTranslation(): TranslationStatus {
    const words = this.#words;
    const mmu = this.#mmu;
    const privilege = words[M_PRIVILEGE] as Privilege;
    const access = words[M_ACCESS] as AccessKind;
    // As a read, so that the dirty state stays; whether a write is permitted is asked of the translation.
    const status = mmu.translate(words[M_VA], words[M_VA + 1], READ, privilege);
    if (status === SUSPENDED) return SUSPENDED;
    if (status === FAULT && mmu.fault.cause === "tlb-conflict") {
      // Taken as an abort, not reported in PAR_EL1.
      this.#abort(ISS_CM | ISS_WNR);
      return FAULT;
    }
    if (status === FAULT) this.#answer((mmu.fault.statusCode << 1) | PAR_F | PAR_RES1, 0);
    else if (!mmu.permits(access, privilege)) {
      this.#answer((mmu.permissionStatusCode << 1) | PAR_F | PAR_RES1, 0);
    } else {
      const attribute = mmu.memoryAttribute;
      // Device and Normal Non-cacheable memory are Outer Shareable whatever the descriptor says.
      const sh = (attribute & 0xf0) === 0 || attribute === NON_CACHEABLE ? 2 : mmu.shareability;
      const paHi = Math.floor(mmu.pa / 0x1_0000_0000);
      this.#answer((mmu.pa & -4096) | PAR_RES1 | (sh << 7), paHi | (attribute << 24));
    }
    return DONE;
  }

  #answer(lo: number, hi: number): void {
    this.#words[PAR] = lo;
    this.#words[PAR + 1] = hi;
  }

  /** PC alignment and Instruction Abort come before the Illegal Execution state exception; D1.3.5. */
  #illegal(): TranslationStatus {
    const words = this.#words;
    const [lo, hi] = [words[PC], words[PC + 1]];
    if ((lo & 3) !== 0) {
      takePcAlignment(words, lo, hi);
      return FAULT;
    }
    const status = this.#mmu.translate(lo, hi, FETCH, exceptionLevel(words) === 0 ? USER : SUPERVISOR);
    if (status === FAULT) takeAbort(words, EC_INSTRUCTION_ABORT, this.#mmu.fault.statusCode, lo, hi);
    if (status !== DONE) return status;
    takeSynchronous(words, EC_ILLEGAL_STATE, 0, lo, hi);
    return FAULT;
  }
}

/** Privilege of a cache maintenance instruction at an Exception level: PSTATE.PAN has no say. */
export function maintenancePrivilege(level: 0 | 1): Privilege {
  return level === 0 ? USER : IMPLICIT;
}
