/** An AArch64 core, whole: what the kernel calls is here, the rest in processor.ts. */
import { type AccessKind, DONE, SUSPENDED, type TranslationStatus, USER } from "../../../mmu/index.ts";
import type { SystemRegister } from "../../frontends/aarch64/index.ts";
import type { Aarch64Cpu, TlbiInstruction } from "../../hardware.ts";
import { Aarch64Processor } from "./processor.ts";
import { stackSlot } from "./pstate.ts";
import { tlbiByName } from "./system-instructions.ts";
import { SPSR_WRITABLE } from "./system-registers.ts";
import { ELR, ESR, FAR, PC, SPSR } from "./words.ts";

export class Aarch64Core extends Aarch64Processor implements Aarch64Cpu {
  /** LDTR or STTR, as the kernel's user copies have them: the rights of EL0, and PSTATE.PAN has no say. */
  override access(lo: number, hi: number, kind: AccessKind): TranslationStatus {
    const status = this.mmu.translate(lo, hi, kind, USER);
    this.takeStalls();
    if (status === DONE) this.accessPa = this.mmu.pa;
    this.accessSuspended = status === SUSPENDED;
    return status;
  }

  readPcLo(): number {
    return this.state[PC];
  }

  readPcHi(): number {
    return this.state[PC + 1];
  }

  spLo(level: 0 | 1): number {
    return this.state[stackSlot(this.state, level)];
  }

  spHi(level: 0 | 1): number {
    return this.state[stackSlot(this.state, level) + 1];
  }

  writeSp(level: 0 | 1, lo: number, hi: number): void {
    const at = stackSlot(this.state, level);
    this.state[at] = lo;
    this.state[at + 1] = hi;
  }

  get elrLo(): number {
    return this.state[ELR];
  }

  get elrHi(): number {
    return this.state[ELR + 1];
  }

  get spsr(): number {
    return this.state[SPSR];
  }

  get esr(): number {
    return this.state[ESR];
  }

  get farLo(): number {
    return this.state[FAR];
  }

  get farHi(): number {
    return this.state[FAR + 1];
  }

  writeElr(lo: number, hi: number): void {
    this.state[ELR] = lo;
    this.state[ELR + 1] = hi;
  }

  writeSpsr(value: number): void {
    this.state[SPSR] = value & SPSR_WRITABLE;
  }

  mrsLo(register: SystemRegister): number {
    if (!this.registers.readByName(register)) throw new Error(`mrs ${register}: UNDEFINED`);
    return this.registers.lo;
  }

  mrsHi(register: SystemRegister): number {
    if (!this.registers.readByName(register)) throw new Error(`mrs ${register}: UNDEFINED`);
    return this.registers.hi;
  }

  msr(register: SystemRegister, lo: number, hi: number): void {
    this.clock += this.profile.systemRegisterCycles;
    if (!this.registers.writeByName(register, lo, hi)) throw new Error(`msr ${register}: UNDEFINED`);
    this.stateChanged();
  }

  tlbi(name: TlbiInstruction, lo: number, hi: number): void {
    const operation = tlbiByName(name, lo, hi);
    if (operation !== null) this.invalidate(operation, lo, hi);
  }

  /** Invalidations are completed by a barrier of loads and stores alone, and of other cores by an inner shareable one. */
  dsb(option: "ish" | "ishst" | "nsh" | "nshst"): boolean {
    if (option === "ish") return this.barrierDone();
    this.mmu.barrierCompleted(option);
    return true;
  }

  readRedistributor(offset: number): number {
    return this.interrupts.readRedistributor(offset);
  }

  writeRedistributor(offset: number, value: number): void {
    this.interrupts.writeRedistributor(offset, value);
  }
}
