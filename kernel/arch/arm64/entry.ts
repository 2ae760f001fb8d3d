/**
 * Exception entry and exit of arm64 (arch/arm64/kernel/entry.S, entry-common.c of Linux 6.6). The CPU leaves everything in
 * registers; entry makes a pt_regs of it below SP_EL1 and puts the handler on the current context; exit restores the
 * registers from it and starts ERET. While a handler runs, SP_EL1 points at its pt_regs, so a nested exception is saved below.
 *
 * SP_EL0 keeps the user's stack pointer meanwhile; what Linux keeps there (`current`) TypeScript has no use for.
 * Simplifications: no separate interrupt stacks, no overflow stack; PSTATE.D and A stay as exception entry leaves them, masked,
 * as nothing here raises debug exceptions of the kernel or SErrors.
 */
import type { Aarch64Cpu, Cpu, Platform } from "../../../emu/hardware.ts";
import type { Context, Work } from "../../context.ts";
import { COST_SYSCALL_ENTRY, COST_SYSCALL_EXIT, COST_TRAP_ENTRY, COST_TRAP_EXIT } from "../../costs.ts";
import type { Kernel } from "../../kernel.ts";
import type { Task } from "../../sched/task.ts";
import { type KPtr, kptrOf } from "../../struct.ts";
import type { ArchEntry } from "../port.ts";
import {
  type BootAreas,
  enterBootCore,
  enterSecondary,
  type SetUpTranslation,
  startBootCore,
  startSecondary,
  takeBootAreas,
} from "./boot.ts";
import {
  ESR_EC_DABT_CUR,
  ESR_EC_DABT_LOW,
  ESR_EC_IABT_CUR,
  ESR_EC_IABT_LOW,
  ESR_EC_SVC64,
  esrClass,
} from "./esr.ts";
import { fastInterrupt, kernelException, systemError, unhandled, userException } from "./exceptions.ts";
import { IPI_CALL_FUNC, IPI_RESCHEDULE } from "./gic.ts";
import { interrupt, sendIpi } from "./interrupts.ts";
import {
  NO_SYSCALL,
  REGS_BYTES,
  REGS_ORIG_X0,
  REGS_PC,
  REGS_PSTATE,
  REGS_SP,
  REGS_STACKFRAME,
  REGS_SYSCALLNO,
  restoreGeneral,
  saveGeneral,
  userMode,
} from "./pt-regs.ts";
import { describeRegisters, symbolName } from "./report.ts";
import {
  STUB_BOOT,
  STUB_FIRST_SITE,
  STUB_IDLE,
  STUB_RESUME,
  STUB_SECONDARY,
  stubLo,
  stubName,
  TEXT_HI,
  vectorOfStub,
} from "./stubs.ts";
import { loadThreadRegisters, saveThreadRegisters } from "./thread-registers.ts";
import { armDeadline } from "./timer.ts";

/** do_mem_abort(): frame, FAR_EL1 (halves) and ESR_EL1 of a data or instruction abort. DAIF is masked on entry. */
export type AbortHandler = (k: Context, frame: KPtr, lo: number, hi: number, esr: number) => Work;

const X0 = 0;
const X8 = 16;
const X29 = 58;
/** A nested frame must leave this much of the stack. */
const STACK_RESERVE_BYTES = 1024;
/** High half of the end of user space, 2^48. */
const USER_END_HI = 0x1_0000;
const RESUME_LO: number = stubLo(STUB_RESUME);
/** Vectors, in groups of four: synchronous, IRQ, FIQ, SError. */
const VECTORS_EL1H = 4;
const VECTORS_EL0_64 = 8;
const VECTORS_EL0_32 = 12;
const KIND_SYNCHRONOUS = 0;
const KIND_IRQ = 1;
const KIND_FIQ = 2;

/** SGIs by enum ipi_msg_type (arch/arm64/kernel/smp.c), and the timer's PPI. */
const INTERRUPT_NAMES: Readonly<Record<number, string>> = {
  0: "reschedule IPI",
  1: "call-function IPI",
  27: "timer interrupt",
};

export class Arm64Entry implements ArchEntry {
  readonly frameBytes: number = REGS_BYTES;
  readonly #cpus: readonly Aarch64Cpu[];
  readonly #cyclesPerSecond: number;
  readonly #abort: AbortHandler;
  readonly #setUpTranslation: SetUpTranslation;
  #areas!: BootAreas;

  constructor(platform: Platform, options: { abort: AbortHandler; setUpTranslation: SetUpTranslation }) {
    this.#cpus = platform.cpus as readonly Aarch64Cpu[];
    this.#cyclesPerSecond = platform.cyclesPerSecond;
    this.#abort = options.abort;
    this.#setUpTranslation = options.setUpTranslation;
  }

  /** @hot */
  enter(kernel: Kernel, core: Cpu, stub: number): void {
    const cpu = this.#cpus[core.id]!;
    if (stub < STUB_RESUME) this.#vector(kernel, cpu, vectorOfStub(stub));
    else if (stub === STUB_RESUME || stub >= STUB_FIRST_SITE) {
      cpu.setKernelPc(stubLo(stub), TEXT_HI);
      kernel.current[cpu.id]!.resumedAt = stub;
    } else this.#start(kernel, cpu, stub);
  }

  /** kernel_exit. @hot */
  returnFromTrap(kernel: Kernel, core: Cpu, frame: number): void {
    const cpu = this.#cpus[core.id]!;
    const ram = kernel.ram;
    restoreGeneral(ram, frame, cpu.gpr);
    cpu.writeElr(ram.read32(frame + REGS_PC), ram.read32(frame + REGS_PC + 4));
    cpu.writeSpsr(ram.read32(frame + REGS_PSTATE));
    cpu.writeSp(1, (frame + REGS_BYTES) | 0, ram.directMapHi);
    if (userMode(ram, frame)) {
      cpu.writeSp(0, ram.read32(frame + REGS_SP), ram.read32(frame + REGS_SP + 4));
      cpu.charge(kernel.current[cpu.id]!.task!.returnsBySyscall ? COST_SYSCALL_EXIT : COST_TRAP_EXIT);
    } else cpu.charge(COST_TRAP_EXIT);
    cpu.returnFromTrap();
  }

  /** @hot */
  isUserFrame(kernel: Kernel, frame: number): boolean {
    return userMode(kernel.ram, frame);
  }

  /**
   * __switch_to(). Its DSB ISH, which completes the outgoing thread's maintenance wherever it goes on, has no invalidation
   * to wait for: kernel code completes its own before it sleeps, and user code cannot start any. Stores to page tables it
   * does complete.
   */
  switchRegisters(k: Context, prev: Task, next: Task): void {
    const cpu = this.#cpus[k.cpu.id]!;
    cpu.dsb("ishst");
    prev.savedSp = cpu.spLo(1) >>> 0;
    cpu.writeSp(1, next.savedSp | 0, k.ram.directMapHi);
    if (!prev.idle) saveThreadRegisters(cpu, prev.userRegisters);
    if (!next.idle) loadThreadRegisters(cpu, next.userRegisters);
  }

  /** cpu_do_idle(): WFI. */
  idle(kernel: Kernel, core: Cpu): void {
    const cpu = this.#cpus[core.id]!;
    cpu.writeSp(1, kernel.current[cpu.id]!.task!.stackTop | 0, kernel.ram.directMapHi);
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

  /**
   * PAN stays set: user copies are unprivileged loads and stores (LDTR, STTR), which it does not stop. Linux clears it for
   * futex operations alone (uaccess_enable_privileged()), whose exclusives have no such form; they are refused the same
   * pages. @hot
   */
  userAccessBegin(_cpu: Cpu): void {}

  /** @hot */
  userAccessEnd(_cpu: Cpu): void {}

  /**
   * __access_ok(). A pointer with a tag lies outside: user code may not pass one unless it has asked for that, and there is
   * no prctl() here to ask with (Documentation/arch/arm64/tagged-address-abi.rst). @hot
   */
  isUserRange(lo: number, hi: number, lengthBytes: number): boolean {
    const endLo = (lo >>> 0) + lengthBytes;
    const endHi = (hi >>> 0) + Math.floor(endLo / 0x1_0000_0000);
    if (endHi < USER_END_HI) return true;
    return endHi === USER_END_HI && endLo % 0x1_0000_0000 === 0;
  }

  /** TCR_EL1.TBI0: bits 63 to 56 are a tag in the lower half of the address space, which bit 55 tells from the upper. @hot */
  untaggedHi(hi: number): number {
    return hi & ((hi << 8) >> 8);
  }

  sendReschedule(k: Context, target: number): void {
    sendIpi(k, target, IPI_RESCHEDULE);
  }

  sendCallFunction(k: Context, target: number, _vector: "single" | "many"): void {
    sendIpi(k, target, IPI_CALL_FUNC);
  }

  armTimer(cpu: Cpu, atCycles: number): void {
    armDeadline(this.#cpus[cpu.id]!, atCycles, this.#cyclesPerSecond);
  }

  takeBootMemory(kernel: Kernel, boot: { take(lengthBytes: number, alignBytes: number): number }): void {
    this.#areas = takeBootAreas(kernel, boot);
  }

  startBootCore(kernel: Kernel): void {
    startBootCore(kernel, this.#areas, this.#setUpTranslation);
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

  /** kernel_entry. @hot */
  #vector(kernel: Kernel, cpu: Aarch64Cpu, vector: number): void {
    const ram = kernel.ram;
    const gpr = cpu.gpr;
    const k = kernel.current[cpu.id]!;
    const task = k.task!;
    const isUser = vector >= VECTORS_EL0_64;
    const frame = (cpu.spLo(1) >>> 0) - REGS_BYTES;
    saveGeneral(ram, frame, gpr);
    const level = isUser ? 0 : 1;
    ram.write64(frame + REGS_SP, cpu.spLo(level), cpu.spHi(level));
    ram.write64(frame + REGS_PC, cpu.elrLo, cpu.elrHi);
    ram.write64(frame + REGS_PSTATE, cpu.spsr, 0);
    const chain = frame + REGS_STACKFRAME;
    if (isUser) {
      ram.write64(chain, 0, 0);
      ram.write64(chain + 8, 0, 0);
      ram.write32(frame + REGS_SYSCALLNO, NO_SYSCALL);
    } else {
      ram.write64(chain, gpr[X29]!, gpr[X29 + 1]!);
      ram.write64(chain + 8, cpu.elrLo, cpu.elrHi);
      if (frame - task.at < STACK_RESERVE_BYTES) kernel.panic(k, "kernel stack overflow");
    }
    const esr = cpu.esr;
    const isCall = vector === VECTORS_EL0_64 && esrClass(esr) === ESR_EC_SVC64;
    if (isCall) {
      ram.write64(frame + REGS_ORIG_X0, gpr[X0]!, gpr[X0 + 1]!);
      ram.write32(frame + REGS_SYSCALLNO, gpr[X8]!);
    }
    gpr[X29] = chain;
    gpr[X29 + 1] = ram.directMapHi;
    cpu.writeSp(1, frame | 0, ram.directMapHi);
    if (isUser) task.returnsBySyscall = isCall;
    cpu.setKernelPc(RESUME_LO, TEXT_HI);
    cpu.charge(isCall ? COST_SYSCALL_ENTRY : COST_TRAP_ENTRY);
    kernel.rcu.enterKernel(cpu.id);
    k.push(
      isCall ? kernel.process.syscall(k, kptrOf(frame)) : this.#handler(k, kptrOf(frame), vector, cpu),
      frame,
    );
  }

  #handler(k: Context, frame: KPtr, vector: number, cpu: Aarch64Cpu): Work {
    const esr = cpu.esr;
    const kind = vector & 3;
    const group = vector - kind;
    if (group === VECTORS_EL0_64 || group === VECTORS_EL1H) {
      if (kind === KIND_IRQ) return interrupt(k);
      if (kind === KIND_FIQ) return fastInterrupt(k);
      if (kind !== KIND_SYNCHRONOUS) return systemError(k, frame, esr);
      switch (esrClass(esr)) {
        case ESR_EC_DABT_LOW:
        case ESR_EC_IABT_LOW:
        case ESR_EC_DABT_CUR:
        case ESR_EC_IABT_CUR:
          return this.#abort(k, frame, cpu.farLo, cpu.farHi, esr);
      }
      if (group === VECTORS_EL1H) return kernelException(k, frame, esr);
      return userException(k, frame, esr, cpu.farLo, cpu.farHi);
    }
    const bits = group === VECTORS_EL0_32 ? "32" : "64";
    return unhandled(k, frame, `${bits}-bit ${stubName(vector * 8).replace(`_${bits}_`, " ")}`, esr);
  }

  #start(kernel: Kernel, cpu: Aarch64Cpu, stub: number): void {
    if (stub === STUB_SECONDARY) enterSecondary(kernel, cpu, this.#setUpTranslation);
    else if (stub === STUB_BOOT) enterBootCore(kernel);
    else if (stub !== STUB_IDLE) throw new Error(`enter trap of stub ${stub}, which no code leads to`);
    cpu.setKernelPc(RESUME_LO, TEXT_HI);
    kernel.rcu.enterKernel(cpu.id);
  }
}
