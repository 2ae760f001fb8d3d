/**
 * The hardware as the kernel sees it: the one file of emu/ that kernel/ imports (types), besides the entry formats
 * of mmu/. `Cpu` is what every architecture has; the rest of this file is per architecture and is used by
 * kernel/arch/<arch> alone.
 *
 * Kernel code runs on a core between an *enter* trap and a return from trap. A scheduling point is written
 * `if (cpu.point(cost)) yield;`: it charges the clock and says whether the core must give way (another core is
 * chosen, or an interrupt is to be accepted here). Between two points no other agent runs.
 *
 * The kernel-text pages hold 16-byte stubs, numbered from 0. Executing a stub at kernel privilege calls
 * KernelPort.enter with its number. While TypeScript runs, PC holds the address of the stub at which an interrupt
 * accepted here must come back.
 */

import type { TlbiName } from "../mmu/aarch64/index.ts";
import type {
  AccessKind,
  MaySets,
  PhysicalMemory,
  TranslationFault,
  TranslationStatus,
} from "../mmu/index.ts";
import type { SystemRegister } from "./frontends/aarch64/index.ts";

/** Length of one kernel-text stub in bytes. */
export const STUB_BYTES = 16;

/** What the emulator calls in the kernel. */
export interface KernelPort {
  /** The core executed the enter trap of a stub; the kernel must arrange for run() to have something to do. */
  enter(cpu: Cpu, stub: number): void;
  /**
   * Continues the kernel on a core that is inside TypeScript, until a point says yield, the core waits or halts, or a
   * return from trap has been started.
   */
  run(cpu: Cpu): void;
}

export interface Cpu {
  readonly id: number;
  readonly ram: PhysicalMemory;
  /** Virtual time of this core, in cycles. */
  readonly clock: number;

  /**
   * Steps of kernel code so far: grows at every slice and at every point that asks the scheduler, so in exploring runs
   * two accesses of equal `steps` have no point between them.
   */
  readonly steps: number;

  /** A scheduling point: charges `cost` cycles; true: yield now. @hot */
  point(cost: number): boolean;
  /**
   * So many points in a row, if the core need not give way at any of them; false: nothing is charged, and the caller
   * makes them one by one. Equal to point() in every effect. @hot
   */
  pointsInRow(cost: number, count: number): boolean;
  /**
   * No point within the next `cycles` cycles would say yield, so who is told so may charge() what its points cost. It
   * may mask interrupts in between and unmask them again, but neither let others in nor end its slice. @hot
   */
  isQuiet(cycles: number): boolean;
  /** Charges cycles without being a scheduling point (work on private data, bulk copies). */
  charge(cycles: number): void;

  /** PC at which an interrupt accepted in kernel code returns: a stub's address. */
  setKernelPc(lo: number, hi: number): void;

  /** Interrupts are unmasked at the core (RFLAGS.IF, DAIF.I, MSR[EE] and its soft mask). */
  interruptsEnabled(): boolean;
  /** The change of mask is a scheduling point of its caller; unmasking lets a pending interrupt in at the next one. */
  setInterruptsEnabled(enabled: boolean): void;

  /**
   * The core spins until the 32-bit word at physical address `pa` differs from its present value, or an unmasked
   * interrupt is pending. The caller yields right afterwards and re-checks its condition when it runs again.
   */
  waitForWord(pa: number): void;
  /** The core halts with interrupts unmasked until one arrives (idle). The caller leaves run() right afterwards. */
  halt(): void;

  /**
   * One access to a virtual address as kernel code makes it (user-copy helpers, probe of user memory): at most
   * `sizeBytes` inside one page. DONE: the physical address is in `accessPa`. FAULT: call raiseAccessFault(), which
   * starts the delivery of the fault with the kernel PC as saved PC; then yield; when the generator runs again the trap
   * has returned to some stub. SUSPENDED: yield and call again.
   */
  access(lo: number, hi: number, kind: AccessKind): TranslationStatus;
  readonly accessPa: number;
  readonly accessFault: TranslationFault;
  raiseAccessFault(): void;

  /** Starts the architecture's return from trap with the frame at the stack pointer; the caller leaves run() at once. */
  returnFromTrap(): void;
  /** Stops the whole machine (power-off, panic). */
  stopMachine(reason: StopReason): void;
}

/** Why a machine stopped. */
export interface StopReason {
  readonly kind: "power-off" | "panic" | "triple-fault" | "limit" | "deadlock" | "bad-program";
  readonly text: string;
  /** Status for the command line: the init program's exit status for power-off. */
  readonly status: number;
}

/** x86-64 as kernel/arch/x86 sees it. Names as in the SDM. */
export interface X86Cpu extends Cpu {
  /** RAX … R15 in encoding order, two int32 words each (low, high). */
  readonly gpr: Int32Array;
  readPcLo(): number;
  readPcHi(): number;
  /** RFLAGS with the status flags materialised. */
  readRflags(): number;
  writeRflags(value: number): void;

  readonly cr2Lo: number;
  readonly cr2Hi: number;
  readonly cr3Lo: number;
  readonly cr3Hi: number;
  /** CR0, CR4 and EFER; asserts what would be #GP. */
  writeControls(cr0: number, cr4: number, efer: number): void;
  /** MOV to CR3 with PCID and no-flush bit. */
  writeCr3(lo: number, hi: number): void;
  invlpg(lo: number, hi: number): void;
  invpcid(type: 0 | 1 | 2 | 3, pcid: number, lo: number, hi: number): void;
  /** STAC and CLAC. */
  setAc(value: 0 | 1): void;

  loadGdt(baseLo: number, baseHi: number, limit: number): void;
  loadIdt(baseLo: number, baseHi: number, limit: number): void;
  loadTaskRegister(selector: number): void;
  loadCodeSegment(selector: number): void;

  /** Model-specific registers, x2APIC (0x800–0x8ff) included. */
  wrmsr(msr: number, lo: number, hi: number): void;
  rdmsrLo(msr: number): number;
  rdmsrHi(msr: number): number;
  readPkru(): number;
  writePkru(value: number): void;

  /** Starts SYSRET: RIP from RCX, RFLAGS from R11, CPL 3. */
  sysret(): void;
}

/** A TLBI as assemblers spell it: local, or of the Inner Shareable domain. */
export type TlbiInstruction = Lowercase<TlbiName> | `${Lowercase<TlbiName>}is`;

/** AArch64 as kernel/arch/arm64 sees it. Names as in the Arm ARM. The kernel runs at EL1 with SP_EL1 selected. */
export interface Aarch64Cpu extends Cpu {
  /** X0 … X30, two int32 words each (low, high). */
  readonly gpr: Int32Array;
  readPcLo(): number;
  readPcHi(): number;
  /** SP_EL0 or SP_EL1, whichever is selected at the moment. */
  spLo(level: 0 | 1): number;
  spHi(level: 0 | 1): number;
  writeSp(level: 0 | 1, lo: number, hi: number): void;

  /** What the last exception left, and what ERET takes. */
  readonly elrLo: number;
  readonly elrHi: number;
  readonly spsr: number;
  readonly esr: number;
  readonly farLo: number;
  readonly farHi: number;
  writeElr(lo: number, hi: number): void;
  writeSpsr(value: number): void;

  /** MRS and MSR at EL1 (ICC_*, CNT*, TTBRn_EL1, TCR_EL1, VBAR_EL1 …); throws for what would be UNDEFINED. */
  mrsLo(register: SystemRegister): number;
  mrsHi(register: SystemRegister): number;
  msr(register: SystemRegister, lo: number, hi: number): void;
  /** MSR PAN, #imm. */
  setPan(value: 0 | 1): void;

  /**
   * TLBI by name ("vae1is", "aside1is", "vmalle1", …) with its operand Xt. The own core's entries go at once;
   * of the inner-shareable forms every other core drops them at its own moment.
   */
  tlbi(name: TlbiInstruction, lo: number, hi: number): void;
  /**
   * DSB with an option; true: it is complete. False: invalidations or stores before it are still under way; the caller
   * calls waitForBarrier(), yields, and asks barrierDone() when it runs again.
   */
  dsb(option: "ish" | "ishst" | "nsh" | "nshst"): boolean;
  barrierDone(): boolean;
  waitForBarrier(): void;
  /** ISB: context synchronization. */
  isb(): void;

  /**
   * A 32-bit access at an offset from this core's GICv3 RD_base (GICR_ISENABLER0 is 0x10100): its frames are not in guest
   * RAM. Priorities are in the Non-secure view.
   */
  readRedistributor(offset: number): number;
  writeRedistributor(offset: number, value: number): void;

  /** HVC or SMC with PSCI's function in W0 and arguments in X1 … X3; the result is in X0. */
  psci(call: number, argLo: readonly number[], argHi: readonly number[]): number;
}

/** What the composition root tells the kernel about the machine it runs on. */
export interface Platform {
  readonly ram: PhysicalMemory;
  readonly cpus: readonly Cpu[];
  /** Cycles per second of virtual time; the time-stamp counter runs at it. */
  readonly cyclesPerSecond: number;
  /** Frames that hold kernel text: the enter traps exist there alone. */
  setKernelText(firstFrame: number, frames: number): void;
  /** What firmware tells about the machine (x86-64: pagingLevels, contextSlots). */
  readonly firmware: Readonly<Record<string, number>>;
  /** Coherence ledger, if the run keeps one. */
  readonly ledger: LedgerPort | null;
  /** Bytes that the guest writes to its console (fd 1, 2 and printk). */
  console(stream: "stdout" | "stderr" | "kernel", bytes: Uint8Array): void;
  /** Notes an event in the trace and in the trace hash. */
  trace(cpu: number, name: string, a: number, b: number): void;
}

/** What the kernel tells the coherence ledger (mmu/). */
export interface LedgerPort {
  /** Every allocation of a frame, as page or table. */
  frameAllocated(frame: number): void;
  frameFreed(frame: number): void;
  tableFreed(frame: number): void;
  enterLazy(core: number): void;
  leaveLazy(core: number): void;
  /** What cores could hold, if the run keeps it; the kernel asks nothing of it, whoever judges the run does. */
  readonly maySets?: MaySets | null;
}
