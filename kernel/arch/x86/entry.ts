/**
 * Trap entry and exit of x86-64 (arch/x86/entry/entry_64.S, common.c). Entry completes the frame that the CPU pushed to
 * a pt_regs and puts the handler on the current context; exit restores the registers from it and starts IRETQ, or
 * SYSRET where Linux takes it. While a handler runs, RSP points at its pt_regs, so a nested trap is pushed below.
 *
 * Simplification: no SWAPGS. Kernel code in TypeScript addresses nothing through GS, so GS base stays the user's and
 * the instruction's cycles are part of the entry cost. KPTI is off.
 */
import type { Cpu, Platform, X86Cpu } from "../../../emu/hardware.ts";
import { Context, type Work } from "../../context.ts";
import { COST_SYSCALL_ENTRY, COST_SYSCALL_EXIT, COST_TRAP_ENTRY, COST_TRAP_EXIT } from "../../costs.ts";
import type { Kernel } from "../../kernel.ts";
import type { Task } from "../../sched/task.ts";
import { type KPtr, kptrOf } from "../../struct.ts";
import type { ArchEntry } from "../port.ts";
import { armDeadline } from "./apic.ts";
import {
  type BootAreas,
  enterBootCore,
  enterSecondary,
  startBootCore,
  startSecondary,
  takeBootAreas,
} from "./boot.ts";
import { setRsp0, USER_CS, USER_DS } from "./descriptors.ts";
import { doubleFault, exception, nonMaskableInterrupt } from "./exceptions.ts";
import { interrupt, sendIpi } from "./interrupts.ts";
import {
  REGS_AX,
  REGS_BYTES,
  REGS_CS,
  REGS_CX,
  REGS_FLAGS,
  REGS_IP,
  REGS_ORIG_AX,
  REGS_R11,
  REGS_SP,
  REGS_SS,
  restoreGeneral,
  saveGeneral,
  userMode,
} from "./pt-regs.ts";
import { RFLAGS_RF, RFLAGS_TF } from "./registers.ts";
import { describeRegisters, symbolName } from "./report.ts";
import {
  STUB_AP_START,
  STUB_BOOT,
  STUB_FIRST_SITE,
  STUB_IDLE,
  STUB_IRET,
  STUB_RESUME,
  STUB_SYSCALL,
  stubAt,
  stubLo,
  TEXT_HI,
} from "./stubs.ts";
import { loadThreadRegisters, saveThreadRegisters } from "./thread-registers.ts";
import {
  CALL_FUNCTION_SINGLE_VECTOR,
  CALL_FUNCTION_VECTOR,
  hasErrorCode,
  RESCHEDULE_VECTOR,
  VECTOR_DF,
  VECTOR_NMI,
  VECTOR_PF,
} from "./vectors.ts";

/** The page-fault handler: frame and CR2. Interrupts are off on entry. */
export type PageFaultHandler = (k: Context, frame: KPtr, lo: number, hi: number) => Work;

const RAX = 0;
const RCX = 2;
const RSP = 8;
const R11 = 22;
const ENOSYS_RESULT = -38;
/** A nested frame must leave this much of the stack. */
const STACK_RESERVE_BYTES = 1024;
const RESUME_LO: number = stubLo(STUB_RESUME);
const IRET_LO: number = stubLo(STUB_IRET);

/** Vectors by arch/x86/include/asm/irq_vectors.h. */
const INTERRUPT_NAMES: Readonly<Record<number, string>> = {
  236: "timer interrupt",
  251: "call-function IPI",
  252: "call-function IPI",
  253: "reschedule IPI",
};

export class X86Entry implements ArchEntry {
  readonly frameBytes: number = REGS_BYTES;
  readonly #cpus: readonly X86Cpu[];
  readonly #pageFault: PageFaultHandler;
  /** High half of the end of user space: 0x7fff_f000 below it for 4 levels, 2^56 for 5. */
  readonly #userEndHi: number;
  /** Contexts of the cores' NMI and #DF stacks, and what they interrupted. */
  readonly #nmi: (Context | null)[] = [];
  readonly #interrupted: (Context | null)[] = [];
  readonly #wasInKernel: Uint8Array;
  #areas!: BootAreas;

  constructor(platform: Platform, options: { pagingLevels: 4 | 5; pageFault: PageFaultHandler }) {
    this.#cpus = platform.cpus as readonly X86Cpu[];
    this.#pageFault = options.pageFault;
    this.#userEndHi = options.pagingLevels === 4 ? 0x7fff : 0xff_ffff;
    this.#wasInKernel = new Uint8Array(platform.cpus.length);
    for (let cpu = 0; cpu < platform.cpus.length; cpu++) {
      this.#nmi.push(null);
      this.#interrupted.push(null);
    }
  }

  /** @hot */
  enter(kernel: Kernel, core: Cpu, stub: number): void {
    const cpu = this.#cpus[core.id]!;
    if (stub < STUB_SYSCALL) this.#vector(kernel, cpu, stub);
    else if (stub === STUB_SYSCALL) this.#syscall(kernel, cpu);
    else if (stub === STUB_RESUME || stub >= STUB_FIRST_SITE) {
      cpu.setKernelPc(stubLo(stub), TEXT_HI);
      kernel.current[cpu.id]!.resumedAt = stub;
    } else this.#start(kernel, cpu, stub);
  }

  /** @hot */
  returnFromTrap(kernel: Kernel, core: Cpu, frame: number): void {
    const cpu = this.#cpus[core.id]!;
    const ram = kernel.ram;
    const k = kernel.current[cpu.id]!;
    const task = k.task;
    const gpr = cpu.gpr;
    restoreGeneral(ram, frame, gpr);
    if (task === null) this.#leaveOwnStack(kernel, cpu);
    else if (task.returnsBySyscall && userMode(ram, frame) && this.#sysretFits(kernel, frame)) {
      gpr[RSP] = ram.read32(frame + REGS_SP);
      gpr[RSP + 1] = ram.read32(frame + REGS_SP + 4);
      cpu.charge(COST_SYSCALL_EXIT);
      cpu.sysret();
      return;
    }
    gpr[RSP] = frame + REGS_IP;
    cpu.setKernelPc(IRET_LO, TEXT_HI);
    cpu.charge(COST_TRAP_EXIT);
    cpu.returnFromTrap();
  }

  /** @hot */
  isUserFrame(kernel: Kernel, frame: number): boolean {
    return userMode(kernel.ram, frame);
  }

  switchRegisters(k: Context, prev: Task, next: Task): void {
    const cpu = this.#cpus[k.cpu.id]!;
    prev.savedSp = cpu.gpr[RSP]! >>> 0;
    cpu.gpr[RSP] = next.savedSp | 0;
    cpu.gpr[RSP + 1] = k.ram.directMapHi;
    setRsp0(k.ram, this.#areas.cores[cpu.id]!, next.stackTop);
    if (!prev.idle) saveThreadRegisters(cpu, prev.userRegisters);
    if (!next.idle) loadThreadRegisters(cpu, next.userRegisters);
  }

  idle(kernel: Kernel, core: Cpu): void {
    const cpu = this.#cpus[core.id]!;
    cpu.gpr[RSP] = kernel.current[cpu.id]!.task!.stackTop | 0;
    cpu.gpr[RSP + 1] = kernel.ram.directMapHi;
    cpu.setKernelPc(stubLo(STUB_IDLE), TEXT_HI);
    cpu.setInterruptsEnabled(true);
    cpu.halt();
  }

  /** @hot */
  setAccessSite(cpu: Cpu, site: number): void {
    cpu.setKernelPc(stubLo(STUB_FIRST_SITE + site * 2), TEXT_HI);
  }

  /** @hot */
  clearAccessSite(cpu: Cpu): void {
    cpu.setKernelPc(RESUME_LO, TEXT_HI);
  }

  /** @hot */
  cameBackAtFixup(k: Context): boolean {
    return k.resumedAt >= STUB_FIRST_SITE && (k.resumedAt & 1) !== 0;
  }

  /** @hot */
  userAccessBegin(cpu: Cpu): void {
    this.#cpus[cpu.id]!.setAc(1);
  }

  /** @hot */
  userAccessEnd(cpu: Cpu): void {
    this.#cpus[cpu.id]!.setAc(0);
  }

  /** @hot */
  isUserRange(lo: number, hi: number, lengthBytes: number): boolean {
    const endLo = (lo >>> 0) + lengthBytes;
    const endHi = (hi >>> 0) + Math.floor(endLo / 0x1_0000_0000);
    if (endHi < this.#userEndHi) return true;
    return endHi === this.#userEndHi && endLo % 0x1_0000_0000 <= 0xffff_f000;
  }

  /** Every bit of an address counts: no LAM. @hot */
  untaggedHi(hi: number): number {
    return hi;
  }

  sendReschedule(k: Context, target: number): void {
    sendIpi(k, target, RESCHEDULE_VECTOR);
  }

  sendCallFunction(k: Context, target: number, vector: "single" | "many"): void {
    sendIpi(k, target, vector === "single" ? CALL_FUNCTION_SINGLE_VECTOR : CALL_FUNCTION_VECTOR);
  }

  armTimer(cpu: Cpu, atCycles: number): void {
    armDeadline(this.#cpus[cpu.id]!, atCycles);
  }

  takeBootMemory(kernel: Kernel, boot: { take(lengthBytes: number, alignBytes: number): number }): void {
    this.#areas = takeBootAreas(kernel, boot);
  }

  startBootCore(kernel: Kernel): void {
    startBootCore(kernel, this.#areas);
  }

  *startSecondary(k: Context, target: number): Work {
    yield* startSecondary(k, target);
  }

  describeFrame(kernel: Kernel, frame: KPtr): string {
    return describeRegisters(kernel, frame);
  }

  symbolAt(lo: number, hi: number): string | null {
    return symbolName(lo, hi);
  }

  interruptName(number: number): string {
    return INTERRUPT_NAMES[number] ?? `interrupt ${number}`;
  }

  /** An exception or interrupt: asm_exc_*, asm_sysvec_*. @hot */
  #vector(kernel: Kernel, cpu: X86Cpu, vector: number): void {
    const ram = kernel.ram;
    const gpr = cpu.gpr;
    const pushed = gpr[RSP]! >>> 0;
    const withError = hasErrorCode(vector);
    const errorLo = withError ? ram.read32(pushed) : -1;
    const errorHi = withError ? ram.read32(pushed + 4) : -1;
    let frame = withError ? pushed - REGS_ORIG_AX : pushed - REGS_IP;
    let k = kernel.current[cpu.id]!;
    if (vector === VECTOR_NMI || vector === VECTOR_DF) k = this.#enterOwnStack(kernel, cpu);
    else if (this.#faultedInIret(kernel, k, frame)) frame = k.task!.userFrame;
    saveGeneral(ram, frame, gpr);
    ram.write64(frame + REGS_ORIG_AX, errorLo, errorHi);
    gpr[RSP] = frame;
    const task = k.task;
    if (task !== null) {
      if (k.traps.length === 0) task.returnsBySyscall = false;
      else if (frame - task.at < STACK_RESERVE_BYTES) kernel.panic(k, "kernel stack overflow");
    }
    cpu.setAc(0);
    cpu.setKernelPc(RESUME_LO, TEXT_HI);
    cpu.charge(COST_TRAP_ENTRY);
    kernel.rcu.enterKernel(cpu.id);
    k.push(this.#handler(k, kptrOf(frame), vector, cpu), frame);
  }

  #handler(k: Context, frame: KPtr, vector: number, cpu: X86Cpu): Work {
    if (vector === VECTOR_PF) return this.#pageFault(k, frame, cpu.cr2Lo, cpu.cr2Hi);
    if (vector >= 32) return interrupt(k, vector);
    if (vector === VECTOR_NMI) return nonMaskableInterrupt(k);
    if (vector === VECTOR_DF) return doubleFault(k, frame);
    return exception(k, frame, vector);
  }

  /** entry_SYSCALL_64: the CPU has switched nothing but RIP, CS, SS and flags. @hot */
  #syscall(kernel: Kernel, cpu: X86Cpu): void {
    const ram = kernel.ram;
    const gpr = cpu.gpr;
    const k = kernel.current[cpu.id]!;
    const task = k.task!;
    const frame = task.userFrame;
    saveGeneral(ram, frame, gpr);
    ram.write64(frame + REGS_SS, USER_DS, 0);
    ram.write64(frame + REGS_SP, gpr[RSP]!, gpr[RSP + 1]!);
    ram.write64(frame + REGS_FLAGS, gpr[R11]!, gpr[R11 + 1]!);
    ram.write64(frame + REGS_CS, USER_CS, 0);
    ram.write64(frame + REGS_IP, gpr[RCX]!, gpr[RCX + 1]!);
    ram.write64(frame + REGS_ORIG_AX, gpr[RAX]!, gpr[RAX + 1]!);
    ram.write64(frame + REGS_AX, ENOSYS_RESULT, -1);
    gpr[RSP] = frame;
    gpr[RSP + 1] = ram.directMapHi;
    task.returnsBySyscall = true;
    cpu.setKernelPc(RESUME_LO, TEXT_HI);
    cpu.charge(COST_SYSCALL_ENTRY);
    kernel.rcu.enterKernel(cpu.id);
    k.push(kernel.process.syscall(k, frame), frame);
  }

  /** The conditions of do_syscall_64() for SYSRET: what it would load is what the frame holds. @hot */
  #sysretFits(kernel: Kernel, frame: number): boolean {
    const ram = kernel.ram;
    const ip = ram.read32(frame + REGS_IP);
    const ipHi = ram.read32(frame + REGS_IP + 4);
    const flags = ram.read32(frame + REGS_FLAGS);
    return (
      ram.read32(frame + REGS_CX) === ip &&
      ram.read32(frame + REGS_CX + 4) === ipHi &&
      ram.read32(frame + REGS_R11) === flags &&
      ram.read32(frame + REGS_CS) === USER_CS &&
      ram.read32(frame + REGS_SS) === USER_DS &&
      this.isUserRange(ip, ipHi, 1) &&
      (flags & (RFLAGS_RF | RFLAGS_TF)) === 0
    );
  }

  /**
   * fixup_bad_iret(): IRETQ refused the user's frame. The trap is treated as if user mode had caused it: its frame is
   * the user's, whose upper part is still there.
   */
  #faultedInIret(kernel: Kernel, k: Context, frame: number): boolean {
    const ram = kernel.ram;
    if ((ram.read32(frame + REGS_CS) & 3) !== 0) return false;
    if (stubAt(ram.read32(frame + REGS_IP), ram.read32(frame + REGS_IP + 4)) !== STUB_IRET) return false;
    return k.traps.length === 0 && k.task !== null && !k.task.idle;
  }

  /** A trap on a stack of the core's own: its context becomes current until it returns. */
  #enterOwnStack(kernel: Kernel, cpu: X86Cpu): Context {
    const id = cpu.id;
    const own = (this.#nmi[id] ??= new Context(kernel, cpu, null));
    this.#interrupted[id] = kernel.current[id]!;
    this.#wasInKernel[id] = kernel.rcu.inKernel[id]!;
    kernel.current[id] = own;
    return own;
  }

  #leaveOwnStack(kernel: Kernel, cpu: X86Cpu): void {
    kernel.current[cpu.id] = this.#interrupted[cpu.id]!;
    this.#interrupted[cpu.id] = null;
    if (this.#wasInKernel[cpu.id] === 0) kernel.rcu.leaveKernel(cpu.id);
  }

  #start(kernel: Kernel, cpu: X86Cpu, stub: number): void {
    if (stub === STUB_AP_START) enterSecondary(kernel, this.#areas, cpu);
    else if (stub === STUB_BOOT) enterBootCore(kernel);
    else if (stub !== STUB_IDLE) throw new Error(`enter trap of stub ${stub}, which no code leads to`);
    cpu.setKernelPc(RESUME_LO, TEXT_HI);
    kernel.rcu.enterKernel(cpu.id);
  }
}
