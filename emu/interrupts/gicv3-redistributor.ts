/**
 * The Redistributor of one core: state and priority of its SGIs (INTID 0–15) and PPIs (16–31). IHI 0069 4.1 "The
 * interrupt lifecycle", 4.8 "Interrupt prioritization", 12.11 (Redistributor registers). Two Security states: every
 * interrupt here is in Non-secure Group 1, as firmware leaves it, and priorities are kept as the CPU interface compares
 * them, in the lower-priority half: a Non-secure write of P becomes 0x80 | P >> 1.
 *
 * Not modelled: Secure interrupts, SPIs, LPIs, GICR_NSACR. The Distributor has no state: forwarding of Non-secure Group 1
 * is on, with affinity routing.
 */
import {
  FIRST_PPI,
  GICR_ICACTIVER0,
  GICR_ICENABLER0,
  GICR_ICFGR0,
  GICR_ICFGR1,
  GICR_ICPENDR0,
  GICR_IIDR,
  GICR_IIDR_VALUE,
  GICR_IPRIORITYR0,
  GICR_ISACTIVER0,
  GICR_ISENABLER0,
  GICR_ISPENDR0,
  GICR_TYPER,
  PRIORITY_IDLE,
  PRIORITY_MASK,
  PRIVATE_INTERRUPTS,
} from "./gicv3-registers.ts";

/** Words, relative to the base; a bit per INTID but for the priorities, four to a word. */
const ENABLED = 0;
/** Pending by an edge, an SGI or a write of GICR_ISPENDR0. */
const LATCHED = 1;
const ACTIVE = 2;
/** Edge-triggered; the others are pending while their line is high. */
const EDGE = 3;
const LINES = 4;
const PRIORITIES = 5;
const SGIS = 0xffff;
const SECURE_VIEW = 0x80;

export class Redistributor {
  static readonly words: number = PRIORITIES + PRIVATE_INTERRUPTS / 4;

  readonly #words: Int32Array;
  readonly #base: number;
  readonly #typerLo: number;
  readonly #affinity: number;

  /** @param id number of the core @param affinity Aff3 … Aff0 in a word */
  constructor(words: Int32Array, base: number, id: number, affinity: number) {
    this.#words = words;
    this.#base = base;
    // Processor_Number in bits 23:8.
    this.#typerLo = id << 8;
    this.#affinity = affinity;
  }

  /** Everything disabled, at the highest Non-secure priority; PPIs are level-sensitive. */
  reset(): void {
    const words = this.#words;
    const base = this.#base;
    words.fill(0, base, base + Redistributor.words);
    words[base + EDGE] = SGIS;
    words.fill(0x80808080 | 0, base + PRIORITIES, base + Redistributor.words);
  }

  /** Interrupts that may be signalled, as bits by INTID: pending, enabled and not active. */
  get candidates(): number {
    const words = this.#words;
    const base = this.#base;
    return this.pending & words[base + ENABLED] & ~words[base + ACTIVE];
  }

  get pending(): number {
    const words = this.#words;
    const base = this.#base;
    return words[base + LATCHED] | (words[base + LINES] & ~words[base + EDGE]);
  }

  get enabled(): number {
    return this.#words[this.#base + ENABLED];
  }

  get active(): number {
    return this.#words[this.#base + ACTIVE];
  }

  /** As the CPU interface compares it: 0x80 … 0xf8. */
  priorityOf(intid: number): number {
    return (this.#words[this.#base + PRIORITIES + (intid >> 2)] >>> ((intid & 3) << 3)) & 0xff;
  }

  /** The pending, enabled and not active interrupt of the highest priority, the lowest INTID among equals; or -1. */
  highest(): number {
    let best = -1;
    let bestPriority: number = PRIORITY_IDLE;
    for (let left = this.candidates; left !== 0; left &= left - 1) {
      const intid = 31 - Math.clz32(left & -left);
      const priority = this.priorityOf(intid);
      if (priority < bestPriority) {
        best = intid;
        bestPriority = priority;
      }
    }
    return best;
  }

  /** An SGI arrives. */
  latch(intid: number): void {
    this.#words[this.#base + LATCHED] |= 1 << intid;
  }

  /** The input lines of the PPIs, as bits by INTID. */
  setLines(lines: number): void {
    const words = this.#words;
    const base = this.#base;
    const rising = lines & ~words[base + LINES];
    words[base + LATCHED] |= rising & words[base + EDGE];
    words[base + LINES] = lines;
  }

  /** Acknowledged: pending becomes active; a line that stays high makes it active and pending. */
  activate(intid: number): void {
    this.#words[this.#base + LATCHED] &= ~(1 << intid);
    this.#words[this.#base + ACTIVE] |= 1 << intid;
  }

  deactivate(intid: number): void {
    this.#words[this.#base + ACTIVE] &= ~(1 << intid);
  }

  /** A 32-bit read at an offset from RD_base, Non-secure; what does not exist reads as 0. */
  read(offset: number): number {
    const words = this.#words;
    const base = this.#base;
    if (offset >= GICR_IPRIORITYR0 && offset < GICR_IPRIORITYR0 + PRIVATE_INTERRUPTS) {
      return (words[base + PRIORITIES + ((offset - GICR_IPRIORITYR0) >> 2)] & 0x7f7f7f7f) << 1;
    }
    switch (offset) {
      case GICR_TYPER:
        return this.#typerLo;
      case GICR_TYPER + 4:
        return this.#affinity;
      case GICR_IIDR:
        return GICR_IIDR_VALUE;
      case GICR_ISENABLER0:
      case GICR_ICENABLER0:
        return words[base + ENABLED];
      case GICR_ISPENDR0:
      case GICR_ICPENDR0:
        return this.pending;
      case GICR_ISACTIVER0:
      case GICR_ICACTIVER0:
        return words[base + ACTIVE];
      case GICR_ICFGR0:
        return configuration(words[base + EDGE] & 0xffff);
      case GICR_ICFGR1:
        return configuration(words[base + EDGE] >>> FIRST_PPI);
      default:
        // GICR_CTLR: no LPIs. GICR_WAKER and GICR_IGROUPR0: Secure, read as zero here.
        return 0;
    }
  }

  /** A 32-bit write. False: there is no such register, or it is read-only here, and the write is ignored. */
  write(offset: number, value: number): boolean {
    const words = this.#words;
    const base = this.#base;
    if (offset >= GICR_IPRIORITYR0 && offset < GICR_IPRIORITYR0 + PRIVATE_INTERRUPTS) {
      const mask = PRIORITY_MASK * 0x0101_0101;
      const secure = SECURE_VIEW * 0x0101_0101;
      words[base + PRIORITIES + ((offset - GICR_IPRIORITYR0) >> 2)] =
        (((value >>> 1) & 0x7f7f7f7f) | secure) & mask;
      return true;
    }
    switch (offset) {
      case GICR_ISENABLER0:
        words[base + ENABLED] |= value;
        return true;
      case GICR_ICENABLER0:
        words[base + ENABLED] &= ~value;
        return true;
      case GICR_ISPENDR0:
        words[base + LATCHED] |= value;
        return true;
      case GICR_ICPENDR0:
        // A line that is high keeps its interrupt pending.
        words[base + LATCHED] &= ~value;
        return true;
      case GICR_ISACTIVER0:
        words[base + ACTIVE] |= value;
        return true;
      case GICR_ICACTIVER0:
        words[base + ACTIVE] &= ~value;
        return true;
      case GICR_ICFGR1:
        words[base + EDGE] = SGIS | (edges(value) << FIRST_PPI);
        return true;
      default:
        return false;
    }
  }
}

/** Sixteen bits, one per interrupt, as the upper bits of pairs. */
function configuration(edge: number): number {
  let value = 0;
  for (let at = 0; at < 16; at++) if ((edge & (1 << at)) !== 0) value |= 2 << (at * 2);
  return value;
}

function edges(value: number): number {
  let edge = 0;
  for (let at = 0; at < 16; at++) if ((value & (2 << (at * 2))) !== 0) edge |= 1 << at;
  return edge;
}
