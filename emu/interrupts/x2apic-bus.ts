/**
 * The interconnect between local APICs: finds the targets of an interprocessor interrupt and hands each a message that
 * arrives a constant latency after the sender's clock. Intel SDM vol. 3A 10.6.2 (determining IPI destination) and
 * 10.12.9, 10.12.10 (x2APIC ICR and logical mode). Simplification: every message takes the same time whatever the
 * distance and the load, and none is lost or retried.
 */
import type { MessageKind, X2Apic } from "./x2apic.ts";

/** Destination that names every APIC, physical and logical alike. */
export const BROADCAST = -1;

export class X2ApicBus {
  /** Cycles from the ICR write to the arrival. */
  readonly latencyCycles: number;
  readonly #apics: X2Apic[] = [];
  readonly #byId = new Map<number, X2Apic>();

  constructor(latencyCycles: number) {
    this.latencyCycles = latencyCycles;
  }

  /** Every APIC, in the order of attachment. */
  get apics(): readonly X2Apic[] {
    return this.#apics;
  }

  attach(apic: X2Apic): void {
    if (this.#byId.has(apic.id)) throw new Error(`x2APIC id ${apic.id} is taken`);
    this.#apics.push(apic);
    this.#byId.set(apic.id, apic);
  }

  /** @param destination an x2APIC id, or BROADCAST; no APIC there: the message is dropped */
  sendPhysical(destination: number, kind: MessageKind, vector: number, sentAt: number): void {
    if (destination === BROADCAST) {
      this.#all(kind, vector, sentAt, null);
      return;
    }
    this.#byId.get(destination >>> 0)?.post(kind, vector, sentAt + this.latencyCycles);
  }

  /** @param destination cluster in bits 31:16, a bit per member of the cluster in bits 15:0; or BROADCAST */
  sendLogical(destination: number, kind: MessageKind, vector: number, sentAt: number): void {
    if (destination === BROADCAST) {
      this.#all(kind, vector, sentAt, null);
      return;
    }
    const firstId = (destination >>> 16) << 4;
    for (let member = 0; member < 16; member++) {
      if ((destination & (1 << member)) === 0) continue;
      this.#byId.get(firstId | member)?.post(kind, vector, sentAt + this.latencyCycles);
    }
  }

  /** The shorthand "all excluding self". */
  sendOthers(sender: X2Apic, kind: MessageKind, vector: number, sentAt: number): void {
    this.#all(kind, vector, sentAt, sender);
  }

  /** The shorthand "all including self". */
  sendAll(kind: MessageKind, vector: number, sentAt: number): void {
    this.#all(kind, vector, sentAt, null);
  }

  #all(kind: MessageKind, vector: number, sentAt: number, except: X2Apic | null): void {
    for (const apic of this.#apics) {
      if (apic !== except) apic.post(kind, vector, sentAt + this.latencyCycles);
    }
  }
}
