/**
 * What the operations of the microcode have in common, but for the delivery, which is what the others become when they
 * fault: a step machine over the record in words.ts. A step ends before the memory access that could not be made now,
 * and is executed again when the operation goes on.
 */
import { CR0_AM, DONE, FAULT, type TranslationStatus } from "../../../mmu/index.ts";
import { RFLAGS_AC } from "../../frontends/x86-64/state.ts";
import { canonicalShift, type TrapDelivery } from "./delivery.ts";
import type { SystemAccess } from "./system-access.ts";
import { CPL, CR0, CR4, M_CROSSING, M_FAULT_PC, M_KIND, M_STEP, SYSTEM_FLAGS } from "./words.ts";

export abstract class Operation {
  protected readonly words: Int32Array;
  protected readonly access: SystemAccess;
  protected readonly delivery: TrapDelivery;

  constructor(words: Int32Array, access: SystemAccess, delivery: TrapDelivery) {
    this.words = words;
    this.access = access;
    this.delivery = delivery;
  }

  /** Goes on until the operation is done, has become the delivery of a fault, or is suspended. @hot */
  step(): TranslationStatus {
    const words = this.words;
    const kind = words[M_KIND];
    while (words[M_KIND] === kind) {
      const status = this.next();
      if (status !== DONE) return status;
    }
    return DONE;
  }

  /** The step that M_STEP names; it sets the next one, or M_KIND. */
  protected abstract next(): TranslationStatus;

  /** Step 0 is next; (pcLo, pcHi) is what a fault saves. @hot */
  protected begin(kind: number, pcLo: number, pcHi: number): void {
    const words = this.words;
    words[M_KIND] = kind;
    words[M_STEP] = 0;
    words[M_FAULT_PC] = pcLo;
    words[M_FAULT_PC + 1] = pcHi;
    words[M_CROSSING] = 0;
  }

  /**
   * The last access is not done.
   * @param vector what a non-canonical address is, with its error code
   */
  protected stopped(status: TranslationStatus, vector: number, error: number): TranslationStatus {
    return status === FAULT ? this.delivery.accessFault(vector, error) : status;
  }

  /**
   * Alignment is checked and this access at CPL 3 is not aligned: #AC(0), after what a non-canonical address is and
   * before page faults (vol. 3A 6.15, #AC).
   */
  protected isMisaligned(lo: number, hi: number, bytes: number): boolean {
    const words = this.words;
    if (words[CPL] !== 3 || (lo & (bytes - 1)) === 0) return false;
    if ((words[CR0] & CR0_AM) === 0 || (words[SYSTEM_FLAGS] & RFLAGS_AC) === 0) return false;
    const shift = canonicalShift(words[CR4]);
    return (hi << shift) >> shift === hi;
  }
}
