/**
 * A small AArch64 world for exception tests: a machine without kernel, tables laid out by hand from the manual's figures
 * (Arm ARM D8.3, descriptor formats), not by any code of the project; instructions as GNU as assembles them.
 *
 *     0x0001_0000  code of EL0        0x0002_0000  code of EL1 (identity, read-only at EL1)
 *     0x0003_0000  data of EL0        0x0004_0000  data of EL1
 *     0x0006_0000  kernel text: vectors, VBAR_EL1; stub n of vector n/8
 *     0x0008_0000  tables: level 0, then levels 1, 2, 3 of the first 2 MiB of TTBR0; TTBR1 uses the same
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Core } from "../../../../emu/cores/index.ts";
import { Machine, type MachineOptions } from "../../../../emu/machine.ts";
import { MACHINE_MODELS } from "../../../../emu/machines/index.ts";
import type { Aarch64Core } from "../../../../emu/traps/aarch64/index.ts";

export const USER_CODE = 0x1_0000;
export const KERNEL_CODE = 0x2_0000;
export const USER_DATA = 0x3_0000;
export const KERNEL_DATA = 0x4_0000;
export const VECTORS = 0x6_0000;
const TABLE_0 = 0x8_0000;
const TABLE_1 = 0x8_1000;
const TABLE_2 = 0x8_2000;
export const TABLE_3 = 0x8_3000;
export const USER_STACK = 0x3_1000;
export const KERNEL_STACK = 0x4_1000;
const RAM_BYTES = 2 << 20;

/** Descriptor bits, D8.3.2: page, AF, Inner Shareable, AttrIndx 0. */
const PAGE = 0x703n;
const AP_EL0 = 1n << 6n;
const AP_RO = 1n << 7n;
const NG = 1n << 11n;
const PXN = 1n << 53n;
const UXN = 1n << 54n;
/** EL0 and EL1 read and write; EL0 executes. */
export const USER_PAGE: bigint = PAGE | AP_EL0 | NG | PXN;
export const USER_READ_ONLY: bigint = USER_PAGE | AP_RO;
export const KERNEL_PAGE: bigint = PAGE | UXN;
export const KERNEL_READ_ONLY: bigint = PAGE | AP_RO | UXN;
/** KERNEL_PAGE of Device-nGnRnE memory: AttrIndx 1. */
export const DEVICE_PAGE: bigint = KERNEL_PAGE | (1n << 2n);

/** T0SZ = T1SZ = 16, 4 KiB granules, Inner Shareable write-back walks, 48 bits of physical address, 16 of ASID. */
const TCR = 0x15_b510_3510n;
/** Normal write-back; Device-nGnRnE; Normal Non-cacheable. */
const MAIR = 0x44_00ffn;
/** M, C, I, SA, SA0, nTWI, nTWE, SPAN, UCI, UCT, DZE. */
export const SCTLR_ON = 0x34d5_d81dn;
export const SCTLR_NO_EL0 = 0x30d0_181dn;

export const EL0 = 0x0;
export const EL1T = 0x4;
export const EL1H = 0x5;
export const DAIF = 0x3c0;
export const PSTATE_I = 0x80;
export const PSTATE_PAN = 0x40_0000;

export interface Entry {
  readonly core: number;
  /** Offset from VBAR_EL1. */
  readonly vector: number;
  readonly esr: number;
  readonly elr: bigint;
  readonly far: bigint;
  readonly spsr: number;
  /** PSTATE after the entry, by what MRS would say: DAIF, PAN, SPSel, CurrentEL. */
  readonly daif: number;
  readonly pan: number;
  readonly spsel: number;
  readonly currentEl: number;
}

/** What the test does at an entry; then the core executes ERET, unless it says "stop". */
export type Handler = (core: Aarch64Core, entry: Entry) => "return" | "stop" | "leave";

export interface RigOptions {
  readonly cpus?: number;
  readonly model?: string;
  readonly scheduler?: MachineOptions["scheduler"];
  readonly memory?: NonNullable<MachineOptions["memory"]>;
  readonly handler?: Handler;
}

/** Words of instructions, in assembly.txt. */
export function a64(...lines: readonly string[]): number[] {
  return lines.map((line) => {
    const word = WORDS.get(line);
    if (word === undefined) throw new Error(`assembly.txt has no "${line}"`);
    return word;
  });
}

export class Rig {
  readonly machine: Machine;
  readonly entries: Entry[] = [];
  handler: Handler;

  constructor(options: RigOptions = {}) {
    this.handler = options.handler ?? (() => "stop");
    this.machine = new Machine({
      model: MACHINE_MODELS.find((model) => model.name === (options.model ?? "aarch64-small"))!,
      cpus: options.cpus ?? 1,
      memoryBytes: RAM_BYTES,
      scheduler: options.scheduler ?? "timed",
      tlb: "typical",
      seed: 1,
      ledger: "off",
      verifyIr: true,
      console: () => {},
      ...(options.memory === undefined ? {} : { memory: options.memory }),
    });
    this.machine.kernel = {
      enter: (cpu, stub) => this.#entered(cpu as Aarch64Core, stub),
      run: (cpu) => this.#handle(cpu as Aarch64Core),
    };
    this.machine.setKernelText(VECTORS / 4096, 1);
    this.#tables();
    for (const core of this.cores) this.boot(core);
  }

  get cores(): readonly Aarch64Core[] {
    return this.machine.cores as readonly Core[] as readonly Aarch64Core[];
  }

  get core(): Aarch64Core {
    return this.cores[0]!;
  }

  write64(pa: number, value: bigint): void {
    this.machine.ram.write64(pa, lo(value), hi(value));
  }

  read64(pa: number): bigint {
    return this.machine.ram.view.getBigUint64(pa, true);
  }

  /** Maps the page of an address below 2 MiB to itself, or to another page. */
  map(va: number, flags: bigint, pa: number = va): void {
    this.write64(TABLE_3 + (va >>> 12) * 8, BigInt(pa & -4096) | flags);
  }

  unmap(va: number): void {
    this.write64(TABLE_3 + (va >>> 12) * 8, 0n);
  }

  put(pa: number, words: readonly number[]): void {
    words.forEach((word, index) => {
      this.machine.ram.write32(pa + index * 4, word | 0);
    });
  }

  /** Translation on, vectors set. */
  boot(core: Aarch64Core): void {
    setRegister(core, "VBAR_EL1", BigInt(VECTORS));
    setRegister(core, "MAIR_EL1", MAIR);
    setRegister(core, "TCR_EL1", TCR);
    setRegister(core, "TTBR0_EL1", BigInt(TABLE_0));
    setRegister(core, "TTBR1_EL1", BigInt(TABLE_0));
    setRegister(core, "SCTLR_EL1", SCTLR_ON);
    core.writeSp(0, USER_STACK, 0);
    core.writeSp(1, KERNEL_STACK, 0);
  }

  /** Lets a core go on at an address in a state of SPSR_EL1's form; its code is what is given. */
  start(core: Aarch64Core, spsr: number, code: readonly number[], at: number = defaultCode(spsr)): void {
    this.put(at, code);
    core.writeElr(at, 0);
    core.writeSpsr(spsr);
    core.phase = "kernel";
    core.returnFromTrap();
  }

  /** Runs until a handler says stop, or so many instructions. @returns why it stopped */
  run(maxInstructions = 1000): string {
    return this.machine.run({ maxInstructions }).text;
  }

  #entered(core: Aarch64Core, stub: number): void {
    const entry: Entry = {
      core: core.id,
      vector: stub * 16,
      esr: core.esr >>> 0,
      elr: wide(core.elrLo, core.elrHi),
      far: wide(core.farLo, core.farHi),
      spsr: core.spsr >>> 0,
      daif: core.mrsLo("DAIF"),
      pan: core.mrsLo("PAN"),
      spsel: core.mrsLo("SPSel"),
      currentEl: core.mrsLo("CurrentEL") >>> 2,
    };
    this.entries.push(entry);
  }

  #handle(core: Aarch64Core): void {
    const entry = this.entries.findLast((each) => each.core === core.id)!;
    const answer = this.handler(core, entry);
    if (answer === "return") core.returnFromTrap();
    else if (answer === "stop") this.machine.stop({ kind: "power-off", text: "stopped", status: 0 });
  }

  #tables(): void {
    const table = 3n;
    this.write64(TABLE_0, BigInt(TABLE_1) | table);
    this.write64(TABLE_1, BigInt(TABLE_2) | table);
    this.write64(TABLE_2, BigInt(TABLE_3) | table);
    for (let page = 0; page < RAM_BYTES / 4096; page++) this.map(page * 4096, KERNEL_PAGE);
    for (let page = 0; page < 2; page++) {
      this.map(USER_CODE + page * 4096, USER_PAGE);
      this.map(USER_DATA + page * 4096, USER_PAGE);
      this.map(KERNEL_CODE + page * 4096, KERNEL_READ_ONLY);
    }
    this.map(VECTORS, KERNEL_READ_ONLY);
  }
}

export function x(core: Aarch64Core, number: number): bigint {
  return wide(core.gpr[number * 2]!, core.gpr[number * 2 + 1]!);
}

export function setX(core: Aarch64Core, number: number, value: bigint | number): void {
  core.gpr[number * 2] = lo(BigInt(value));
  core.gpr[number * 2 + 1] = hi(BigInt(value));
}

export function pc(core: Aarch64Core): bigint {
  return wide(core.readPcLo(), core.readPcHi());
}

export function sp(core: Aarch64Core, level: 0 | 1): bigint {
  return wide(core.spLo(level), core.spHi(level));
}

type Register = Parameters<Aarch64Core["mrsLo"]>[0];

export function register(core: Aarch64Core, name: Register): bigint {
  return wide(core.mrsLo(name), core.mrsHi(name));
}

export function setRegister(core: Aarch64Core, name: Register, value: bigint): void {
  core.msr(name, lo(value), hi(value));
}

/** ESR_EL1's fields. */
export function syndrome(esr: number): { ec: number; il: number; iss: number } {
  return { ec: esr >>> 26, il: (esr >>> 25) & 1, iss: esr & 0x1ff_ffff };
}

function defaultCode(spsr: number): number {
  return (spsr & 0xf) === EL0 ? USER_CODE : KERNEL_CODE;
}

function wide(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

function lo(value: bigint): number {
  return Number(BigInt.asIntN(32, value));
}

function hi(value: bigint): number {
  return Number(BigInt.asIntN(32, value >> 32n));
}

const WORDS: ReadonlyMap<string, number> = new Map(
  readFileSync(join(import.meta.dirname, "assembly.txt"), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [word, text] = line.split("\t") as [string, string];
      return [text, Number.parseInt(word, 16)];
    }),
);
