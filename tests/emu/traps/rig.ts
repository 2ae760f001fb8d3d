/**
 * A small x86-64 world for trap tests: real memory, real translation, cores without an engine. Tables are laid out by
 * hand from the SDM's figures (vol. 3A 3-8 descriptors, 6-8 gates, 7-11 TSS), not by any code of the project.
 *
 *     0x1000 PML4  0x2000 PDPT  0x3000 PD  0x4000 PT of 0 … 2 MiB (identity, all pages user and writable)
 *     0x6000 GDT   0x7000 IDT   0x8000 TSS 0x20000 kernel stack top  0x24000 IST1 top  0x28000 IST2 top
 *     0x30000 user stack top    0x80000 + 16 n handler of vector n
 */
import type { Core, CoreHost } from "../../../emu/cores/index.ts";
import type { KernelPort, StopReason } from "../../../emu/hardware.ts";
import { X2ApicBus } from "../../../emu/interrupts/index.ts";
import { X86_DEFAULT_PROFILE, X86Core } from "../../../emu/traps/x86-64/index.ts";
import { DONE, PhysicalMemory } from "../../../mmu/index.ts";

export const KERNEL_CS = 0x08;
export const KERNEL_SS = 0x10;
export const USER_SS = 0x23;
export const USER_CS = 0x2b;
export const TSS_SELECTOR = 0x30;
export const CONFORMING_CS = 0x48;
export const DATA_READ_ONLY = 0x50;
export const CODE_32 = 0x58;
export const CODE_ABSENT = 0x60;
export const DATA_ABSENT = 0x68;
export const USER_CS_FRESH = 0x73;
export const USER_SS_FRESH = 0x7b;
export const SYSTEM_HOLE = 0x80;
export const CODE_BOTH = 0x88;
export const LDT_SELECTOR = 0x90;
export const GDT_LIMIT = 0x9f;

export const GDT = 0x6000;
export const IDT = 0x7000;
export const TSS = 0x8000;
export const PAGE_TABLE = 0x4000;
export const RSP0 = 0x2_0000;
export const IST1 = 0x2_4000;
export const IST2 = 0x2_8000;
export const USER_RSP = 0x3_0000;

export const CR0_ON = 0x8005_0033;
export const CR4_ON = 0xa0;
export const EFER_ON = 0x901;

export const INTERRUPT_GATE = 0xe;
export const TRAP_GATE = 0xf;

const RAM_BYTES = 4 << 20;

export function handler(vector: number): bigint {
  return BigInt(0x8_0000 + vector * 16);
}

export interface Gate {
  readonly target?: bigint;
  readonly selector?: number;
  readonly type?: number;
  readonly dpl?: number;
  readonly ist?: number;
  readonly present?: boolean;
}

/** The host of the cores: notes what happens. */
export class RigHost implements CoreHost {
  readonly engine: CoreHost["engine"] = { execute: () => "slice", abandon: () => {} };
  readonly stubs: number[] = [];
  readonly kernel: KernelPort = { enter: (_cpu, stub) => this.stubs.push(stub), run: () => {} };
  readonly events: string[] = [];
  stopReason: StopReason | null = null;

  get stopped(): boolean {
    return this.stopReason !== null;
  }

  pointReached(): boolean {
    return false;
  }

  stop(reason: StopReason): void {
    this.stopReason ??= reason;
  }

  trace(core: Core, event: string, a: number, b: number): void {
    this.events.push(`${core.id} ${event} ${(a >>> 0).toString(16)} ${(b >>> 0).toString(16)}`);
  }
}

export class Rig {
  readonly ram: PhysicalMemory;
  readonly bus: X2ApicBus;
  readonly cores: X86Core[];
  readonly host: RigHost = new RigHost();

  constructor(count = 1) {
    const bytes = X86Core.stateWords(X86_DEFAULT_PROFILE) * 4;
    this.ram = new PhysicalMemory(RAM_BYTES, bytes * count);
    this.bus = new X2ApicBus(X86_DEFAULT_PROFILE.ipiLatencyCycles);
    this.cores = Array.from(
      { length: count },
      (_, id) =>
        new X86Core(id, this.ram, id * bytes, {
          profile: X86_DEFAULT_PROFILE,
          cores: count,
          bus: this.bus,
          policy: "typical",
          seed: 1,
          observer: null,
          ledger: null,
          isKernelText: (frame) => frame === 0x1ff,
        }),
    );
    for (const core of this.cores) core.host = this.host;
    this.#tables();
  }

  get core(): X86Core {
    return this.cores[0]!;
  }

  write64(pa: number, value: bigint): void {
    this.ram.view.setBigUint64(pa, BigInt.asUintN(64, value), true);
  }

  read64(pa: number): bigint {
    return this.ram.view.getBigUint64(pa, true);
  }

  gate(vector: number, gate: Gate = {}): void {
    const target = gate.target ?? handler(vector);
    const type = gate.type ?? INTERRUPT_GATE;
    const rights = type | ((gate.dpl ?? 0) << 5) | (gate.present === false ? 0 : 0x80);
    const low =
      (target & 0xffffn) |
      (BigInt(gate.selector ?? KERNEL_CS) << 16n) |
      (BigInt(gate.ist ?? 0) << 32n) |
      (BigInt(rights) << 40n) |
      (((target >> 16n) & 0xffffn) << 48n);
    this.write64(IDT + vector * 16, low);
    this.write64(IDT + vector * 16 + 8, (target >> 32n) & 0xffff_ffffn);
  }

  descriptor(selector: number, rights: number, flags: number, limit = 0xf_ffff): void {
    const high = ((limit & 0xf_0000) | (rights << 8) | (flags << 20)) >>> 0;
    this.write64(GDT + (selector & 0xfff8), (BigInt(high) << 32n) | BigInt(limit & 0xffff));
  }

  /** Removes the identity mapping of a page (not the TLB entries). */
  unmap(address: number): void {
    this.write64(PAGE_TABLE + (address >>> 12) * 8, 0n);
  }

  /** Page flags of the identity mapping. */
  protect(address: number, flags: number): void {
    this.write64(PAGE_TABLE + (address >>> 12) * 8, BigInt((address & ~0xfff) | flags));
  }

  /** Puts a core at CPL 3 or 0 with paging and the tables on. */
  start(core: X86Core, privilege: "user" | "kernel"): void {
    if (core.cr3Lo === 0) {
      core.writeCr3(0x1000, 0);
      core.writeControls(CR0_ON | 0, CR4_ON, EFER_ON);
      core.loadGdt(GDT, 0, GDT_LIMIT);
      core.loadIdt(IDT, 0, 0xfff);
      this.ram.u8[GDT + TSS_SELECTOR + 5] = 0x89;
      core.loadTaskRegister(TSS_SELECTOR);
      core.loadCodeSegment(KERNEL_CS);
    }
    const user = privilege === "user";
    const words = wordsOf(core);
    words.cpl(user ? 3 : 0);
    words.selector("CS", user ? USER_CS : KERNEL_CS);
    words.selector("SS", user ? USER_SS : KERNEL_SS);
    setRip(core, user ? 0x40_0000n : 0x10_0000n);
    setRegister(core, RSP, BigInt(user ? USER_RSP : 0x1_8000));
    core.writeRflags(user ? 0x202 : 0x2);
    core.phase = "execute";
  }

  #tables(): void {
    this.write64(0x1000, 0x2007n);
    this.write64(0x2000, 0x3007n);
    this.write64(0x3000, 0x4007n);
    this.write64(0x3008, 0x20_0087n);
    for (let page = 0; page < 512; page++) this.write64(PAGE_TABLE + page * 8, BigInt(page * 4096 + 7));
    this.descriptor(KERNEL_CS, 0x9b, 0xa);
    this.descriptor(KERNEL_SS, 0x93, 0xc);
    this.descriptor(USER_SS, 0xf3, 0xc);
    this.descriptor(USER_CS, 0xfb, 0xa);
    this.descriptor(TSS_SELECTOR, 0x89, 0, 0x67);
    this.ram.view.setUint16(GDT + TSS_SELECTOR + 2, TSS, true);
    this.descriptor(CONFORMING_CS, 0x9f, 0xa);
    this.descriptor(DATA_READ_ONLY, 0x91, 0xc);
    this.descriptor(CODE_32, 0x9b, 0xc);
    this.descriptor(CODE_ABSENT, 0x1b, 0xa);
    this.descriptor(DATA_ABSENT, 0x73, 0xc);
    this.descriptor(USER_CS_FRESH, 0xfa, 0xa);
    this.descriptor(USER_SS_FRESH, 0xf2, 0xc);
    this.descriptor(SYSTEM_HOLE, 0x80, 0);
    this.descriptor(CODE_BOTH, 0x9b, 0xe);
    this.descriptor(LDT_SELECTOR, 0x82, 0, 0x17);
    this.ram.view.setUint16(GDT + LDT_SELECTOR + 2, 0xa000, true);
    for (let vector = 0; vector < 256; vector++) this.gate(vector);
    this.write64(TSS + 4, BigInt(RSP0));
    this.write64(TSS + 36, BigInt(IST1));
    this.write64(TSS + 44, BigInt(IST2));
  }
}

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSP = 4;
export const R11 = 11;

export function register(core: X86Core, number: number): bigint {
  return halves(core.gpr[number * 2]!, core.gpr[number * 2 + 1]!);
}

export function setRegister(core: X86Core, number: number, value: bigint): void {
  core.gpr[number * 2] = Number(BigInt.asIntN(32, value));
  core.gpr[number * 2 + 1] = Number(BigInt.asIntN(32, value >> 32n));
}

export function rip(core: X86Core): bigint {
  return halves(core.readPcLo(), core.readPcHi());
}

export function setRip(core: X86Core, value: bigint): void {
  core.setKernelPc(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
}

export function cr2(core: X86Core): bigint {
  return halves(core.cr2Lo, core.cr2Hi);
}

function halves(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

/** Slots of the frontend that no accessor names: state.ts. */
const CPL_WORD = 196 >> 2;
const SELECTOR_WORDS = 232 >> 2;
const SEGMENTS = ["ES", "CS", "SS", "DS", "FS", "GS"] as const;

export interface CoreWords {
  cpl(value?: number): number;
  selector(segment: (typeof SEGMENTS)[number], value?: number): number;
}

export function wordsOf(core: X86Core): CoreWords {
  return {
    cpl: (value) => (value === undefined ? core.state[CPL_WORD]! : (core.state[CPL_WORD] = value)),
    selector: (segment, value) => {
      const at = SELECTOR_WORDS + SEGMENTS.indexOf(segment);
      return value === undefined ? core.state[at]! : (core.state[at] = value);
    },
  };
}

/** Runs the microcode to its end. */
export function finish(core: X86Core): void {
  while (core.phase === "microcode") if (core.microstep() !== DONE) throw new Error("suspended");
}

/** The frame at RSP, as quadwords. */
export function frame(rig: Rig, core: X86Core, count = 6): bigint[] {
  const at = Number(register(core, RSP));
  return Array.from({ length: count }, (_, i) => rig.read64(at + i * 8));
}

/** Vector whose handler RIP points at. */
export function vectorAt(core: X86Core): number {
  return Number((rip(core) - 0x8_0000n) / 16n);
}
