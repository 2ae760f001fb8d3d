/**
 * AArch64 cores that note what the kernel's memory management asks of them, and a seeded order in which kernel functions
 * take turns at every scheduling point.
 */
import type { Aarch64Cpu, Platform } from "../../../../../emu/hardware.ts";
import { Context, type Work } from "../../../../../kernel/context.ts";
import type { Kernel } from "../../../../../kernel/kernel.ts";
import { BootMemory } from "../../../../../kernel/mm/boot-memory.ts";
import { MM_BYTES } from "../../../../../kernel/mm/mm-struct.ts";
import { type KPtr, kptrOf } from "../../../../../kernel/struct.ts";
import { PhysicalMemory } from "../../../../../mmu/index.ts";

export interface FakeFeatures {
  readonly tlbRange?: boolean;
  readonly levelHint?: boolean;
  readonly asidBits?: 8 | 16;
  readonly hardwareUpdates?: 0 | 1 | 2;
  /** How often a core asks whether its barrier is done before it is. */
  readonly barrierTurns?: number;
}

/** What one core was asked, as "TLBI vale1is 0x…", "DSB ish", "MSR TTBR0_EL1 …", "ISB". */
export type Listener = (cpu: number, what: string, lo: number, hi: number) => void;

export class FakeCores {
  readonly ram: PhysicalMemory = new PhysicalMemory(4 * 1024 * 1024, 4096);
  readonly memory: BootMemory = new BootMemory(this.ram, 0x10_0000);
  readonly log: string[] = [];
  readonly contexts: Context[] = [];
  readonly kernel: Kernel;
  readonly initMm: KPtr;
  readonly registers: Map<string, readonly [lo: number, hi: number]>[] = [];
  listener: Listener = () => {};
  readonly #features: FakeFeatures;
  #random = 1;

  constructor(count: number, features: FakeFeatures = {}) {
    this.#features = features;
    const cpus = Array.from({ length: count }, (_, id) => this.#core(id));
    const platform = { ram: this.ram, cpus, ledger: null, trace: () => {} } as unknown as Platform;
    this.kernel = { ram: this.ram, platform, observer: null } as unknown as Kernel;
    for (const cpu of cpus) this.contexts.push(new Context(this.kernel, cpu, null));
    this.initMm = this.newMm();
  }

  newMm(): KPtr {
    return kptrOf(this.memory.take(MM_BYTES, 64));
  }

  /** Runs the functions, one per core, in an order that the seed decides; each yields at every point. */
  run(works: readonly Work[], seed = 1): void {
    this.#random = Math.imul(seed, 0x9e37_79b1) | 1;
    const left = [...works];
    for (let step = 0; left.length > 0; step++) {
      if (step > 1_000_000) throw new Error("fake cores: it never ends");
      const index = this.#next(left.length);
      if (left[index]!.next().done === true) left.splice(index, 1);
    }
  }

  #next(limit: number): number {
    this.#random ^= this.#random << 13;
    this.#random ^= this.#random >>> 17;
    this.#random ^= this.#random << 5;
    return (this.#random >>> 0) % limit;
  }

  #note(cpu: number, what: string, lo: number, hi: number, text: string): void {
    this.log.push(text);
    this.listener(cpu, what, lo, hi);
  }

  #core(id: number): Aarch64Cpu {
    const registers = new Map<string, readonly [number, number]>();
    this.registers.push(registers);
    const features = this.#features;
    let turns = 0;
    const identification = new Map<string, readonly [number, number]>([
      ["ID_AA64MMFR0_EL1", [(features.asidBits === 8 ? 0 : 0x20) | 5, 0]],
      ["ID_AA64MMFR1_EL1", [features.hardwareUpdates ?? 2, 0]],
      ["ID_AA64MMFR2_EL1", [0, features.levelHint === true ? 1 << 16 : 0]],
      ["ID_AA64ISAR0_EL1", [0, features.tlbRange === true ? 2 << 24 : 0]],
    ]);
    const read = (name: string): readonly [number, number] =>
      identification.get(name) ?? registers.get(name) ?? [0, 0];
    const core: Partial<Aarch64Cpu> = {
      id,
      ram: this.ram,
      point: () => true,
      charge: () => {},
      interruptsEnabled: () => false,
      setInterruptsEnabled: () => {},
      waitForWord: () => {},
      mrsLo: (name) => read(name)[0],
      mrsHi: (name) => read(name)[1],
      msr: (name, lo, hi) => {
        registers.set(name, [lo, hi]);
        this.#note(id, `MSR ${name}`, lo, hi, `MSR ${name} ${hex(lo, hi)}`);
      },
      tlbi: (name, lo, hi) => this.#note(id, `TLBI ${name}`, lo, hi, `TLBI ${name} ${hex(lo, hi)}`),
      dsb: (option) => {
        this.#note(id, `DSB ${option}`, 0, 0, `DSB ${option}`);
        turns = features.barrierTurns ?? 0;
        return turns === 0;
      },
      waitForBarrier: () => this.log.push("wait"),
      barrierDone: () => --turns <= 0,
      isb: () => this.#note(id, "ISB", 0, 0, "ISB"),
    };
    return core as Aarch64Cpu;
  }
}

/** Halves as one number. */
export function hex(lo: number, hi: number): string {
  return `0x${((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)).toString(16)}`;
}
