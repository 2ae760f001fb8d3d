/** Interrupt controllers of some cores without the cores: a clock each, and what they are told. */
import { Gicv3, Gicv3Bus, type IccRegister } from "../../../emu/interrupts/index.ts";

export const LATENCY = 100;
export const CYCLES_PER_TICK = 3;
export const SPURIOUS = 1023;
/** Redistributor registers, IHI 0069 12.11; offsets from RD_base. */
export const GICR = {
  TYPER: 0x8,
  WAKER: 0x14,
  IGROUPR0: 0x1_0080,
  ISENABLER0: 0x1_0100,
  ICENABLER0: 0x1_0180,
  ISPENDR0: 0x1_0200,
  ICPENDR0: 0x1_0280,
  ISACTIVER0: 0x1_0300,
  ICACTIVER0: 0x1_0380,
  IPRIORITYR0: 0x1_0400,
  ICFGR0: 0x1_0c00,
  ICFGR1: 0x1_0c04,
} as const;
/** As Linux has them: of an interrupt, of a pseudo-NMI, and the masks with interrupts on and off. */
export const DEFAULT_PRIORITY = 0xa0;
export const NMI_PRIORITY = 0x20;
export const PMR_ON = 0xe0;
export const PMR_OFF = 0x60;

export interface FakeCore {
  clock: number;
  sent(lo: number, hi: number): void;
  updatePointLimit(): void;
  sends: number;
  updates: number;
}

export class GicRig {
  readonly cores: readonly FakeCore[];
  readonly gics: readonly Gicv3[];
  readonly words: readonly Int32Array[];

  constructor(count = 1) {
    const bus = new Gicv3Bus(LATENCY);
    this.cores = Array.from({ length: count }, () => ({
      clock: 0,
      sends: 0,
      updates: 0,
      sent(): void {
        this.sends++;
      },
      updatePointLimit(): void {
        this.updates++;
      },
    }));
    this.words = this.cores.map(() => new Int32Array(Gicv3.words + 2));
    this.gics = this.cores.map(
      (core, id) =>
        new Gicv3({
          id,
          core,
          bus,
          words: this.words[id]!,
          base: 2,
          cyclesPerTick: CYCLES_PER_TICK,
          counterFrequency: 1_000_000_000,
        }),
    );
  }

  get gic(): Gicv3 {
    return this.gics[0]!;
  }

  get core(): FakeCore {
    return this.cores[0]!;
  }

  /** What gic_cpu_init does: priorities, SGIs on, mask and group open. */
  start(core = 0): void {
    const gic = this.gics[core]!;
    for (let at = 0; at < 32; at += 4)
      gic.writeRedistributor(GICR.IPRIORITYR0 + at, DEFAULT_PRIORITY * 0x1010101);
    gic.writeRedistributor(GICR.ISENABLER0, 0xffff);
    write(gic, "ICC_PMR_EL1", PMR_ON);
    write(gic, "ICC_IGRPEN1_EL1", 1);
  }

  setPriority(intid: number, priority: number, core = 0): void {
    const gic = this.gics[core]!;
    const at = GICR.IPRIORITYR0 + (intid & ~3);
    const shift = (intid & 3) * 8;
    const word = (gic.readRedistributor(at) & ~(0xff << shift)) | (priority << shift);
    gic.writeRedistributor(at, word);
  }

  /** Makes an SGI pending by GICR_ISPENDR0. */
  pend(intid: number, core = 0): void {
    this.gics[core]!.writeRedistributor(GICR.ISPENDR0, 1 << intid);
  }

  /** Moves a core to a time. */
  at(clock: number, core = 0): void {
    this.cores[core]!.clock = clock;
    this.gics[core]!.advance(clock);
  }
}

export function write(gic: Gicv3, register: IccRegister, value: bigint | number): void {
  const wide = BigInt(value);
  const done = gic.write(register, Number(BigInt.asIntN(32, wide)), Number(BigInt.asIntN(32, wide >> 32n)));
  if (!done) throw new Error(`${register}: UNDEFINED`);
}

/** ICC_SGI1R_EL1 of an affinity and a target list. */
export function sgi(intid: number, list: number, aff1 = 0, aff2 = 0): bigint {
  return (BigInt(aff2) << 32n) | (BigInt(intid) << 24n) | (BigInt(aff1) << 16n) | BigInt(list);
}

/** To all but the sender: IRM. */
export function sgiToOthers(intid: number): bigint {
  return (1n << 40n) | (BigInt(intid) << 24n);
}
