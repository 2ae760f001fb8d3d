/**
 * The operations of a core that touch memory between two instructions: deliveries, returns, and system instructions that
 * read descriptors or ports. One record (words.ts) holds the one in progress; each operation goes on from where the
 * record says, and a fault turns it into a delivery.
 */
import type {
  EventBudget,
  PhysicalMemory,
  TranslationStatus,
  X86TranslationUnit,
} from "../../../mmu/index.ts";
import { MICRO_DELIVERY, TrapDelivery } from "./delivery.ts";
import { FarTransfer, MICRO_FAR_TRANSFER } from "./far-transfer.ts";
import { MICRO_PORT, PortIo } from "./port-io.ts";
import { MICRO_FAR_RETURN, MICRO_IRET, TrapReturn } from "./return.ts";
import { MICRO_SEGMENT, Segments } from "./segments.ts";
import { SystemAccess } from "./system-access.ts";

export interface MicrocodeParts {
  readonly words: Int32Array;
  readonly mmu: X86TranslationUnit;
  readonly ram: PhysicalMemory;
  readonly budget: EventBudget;
  /** SS was loaded: the interrupt shadow opens. */
  openShadow(): void;
}

export class Microcode {
  readonly delivery: TrapDelivery;
  readonly trapReturn: TrapReturn;
  readonly segments: Segments;
  readonly farTransfer: FarTransfer;
  readonly portIo: PortIo;

  constructor(parts: MicrocodeParts) {
    const { words, mmu, ram, budget } = parts;
    const access = new SystemAccess(words, mmu, ram, budget);
    this.delivery = new TrapDelivery(words, access, mmu, ram);
    this.trapReturn = new TrapReturn(words, access, this.delivery, ram);
    this.segments = new Segments(words, access, this.delivery, () => parts.openShadow());
    this.farTransfer = new FarTransfer(words, access, this.delivery);
    this.portIo = new PortIo(words, access, this.delivery);
  }

  /** Continues the operation of this kind until it is done, has become another one, or is suspended. @hot */
  step(kind: number): TranslationStatus {
    switch (kind) {
      case MICRO_DELIVERY:
        return this.delivery.step();
      case MICRO_IRET:
      case MICRO_FAR_RETURN:
        return this.trapReturn.step();
      case MICRO_SEGMENT:
        return this.segments.step();
      case MICRO_FAR_TRANSFER:
        return this.farTransfer.step();
      case MICRO_PORT:
        return this.portIo.step();
      default:
        throw new Error(`Microcode.step: there is no operation ${kind}`);
    }
  }
}
