/** Messages on their way to one local APIC: a kind, and a vector where the kind has one. */
import { Messages } from "./messages.ts";

/** Kinds of message. */
export const MESSAGE_FIXED = 0;
export const MESSAGE_NMI = 1;
export const MESSAGE_INIT = 2;
export const MESSAGE_SIPI = 3;
export type MessageKind = 0 | 1 | 2 | 3;

/** Two each of 240 vectors, NMI, INIT and start-up. */
const CAPACITY = 486;

/** A code is the kind in bits 9:8 and the vector in bits 7:0. */
export class ApicMessages extends Messages {
  /** Words needed, at an even index. */
  static readonly words: number = Messages.wordsFor(CAPACITY);

  constructor(words: Int32Array, base: number) {
    super(words, base, CAPACITY);
  }

  get firstKind(): MessageKind {
    return (this.codeAt(0) >> 8) as MessageKind;
  }

  get firstVector(): number {
    return this.vectorAt(0);
  }

  vectorAt(index: number): number {
    return this.codeAt(index) & 0xff;
  }

  /** Arrival of the first message of a kind, or Infinity. */
  firstTimeOf(kind: MessageKind): number {
    const at = this.findKind(kind);
    return at < 0 ? Number.POSITIVE_INFINITY : this.timeAt(at);
  }

  insert(kind: MessageKind, vector: number, time: number): void {
    this.insertCode((kind << 8) | vector, time);
  }

  /** Index of the first message of a kind, or -1. */
  findKind(kind: MessageKind): number {
    for (let i = 0; i < this.count; i++) if (this.codeAt(i) >> 8 === kind) return i;
    return -1;
  }

  /** A start-up message replaces others whatever its vector. */
  protected override isSame(code: number, other: number): boolean {
    return code === other || (code >> 8 === MESSAGE_SIPI && other >> 8 === MESSAGE_SIPI);
  }
}
