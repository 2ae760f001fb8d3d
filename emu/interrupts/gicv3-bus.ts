/**
 * The interconnect between the Redistributors of a machine: routes software-generated interrupts by affinity, IHI 0069
 * 12.2 "ICC_SGI1R_EL1". Every SGI takes the same time, whatever the distance and the load.
 */
import type { Gicv3 } from "./gicv3.ts";

/**
 * Affinity of a core as MPIDR_EL1 has it, Aff2.Aff1.Aff0 in bits 23:0: clusters of 16, so that a target list reaches each
 * core of a cluster.
 */
export function affinityOf(core: number): number {
  return (core & 15) | ((core >> 4) << 8);
}

export class Gicv3Bus {
  /** Cycles from the write of ICC_SGI1R_EL1 to the arrival. */
  readonly latencyCycles: number;
  readonly #controllers: Gicv3[] = [];
  /** By affinity. */
  readonly #byAffinity = new Map<number, Gicv3>();

  constructor(latencyCycles: number) {
    this.latencyCycles = latencyCycles;
  }

  /** In the order of attachment. */
  get controllers(): readonly Gicv3[] {
    return this.#controllers;
  }

  attach(controller: Gicv3): void {
    const affinity = affinityOf(controller.id);
    if (this.#byAffinity.has(affinity)) throw new Error(`GICv3: affinity ${affinity} is taken`);
    this.#controllers.push(controller);
    this.#byAffinity.set(affinity, controller);
  }

  /** @param cluster Aff2.Aff1 in bits 15:0 @param list a bit per Aff0 from 0 to 15 */
  sendList(cluster: number, list: number, intid: number, sentAt: number): void {
    for (let aff0 = 0; aff0 < 16; aff0++) {
      if ((list & (1 << aff0)) === 0) continue;
      this.#byAffinity.get((cluster << 8) | aff0)?.post(intid, sentAt + this.latencyCycles);
    }
  }

  /** IRM = 1: every core but the sender. */
  sendOthers(sender: Gicv3, intid: number, sentAt: number): void {
    for (const controller of this.#controllers) {
      if (controller !== sender) controller.post(intid, sentAt + this.latencyCycles);
    }
  }
}
