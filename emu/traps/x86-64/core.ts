/** An x86-64 core, whole: what the kernel calls is here, the rest in processor.ts. */
import { DONE } from "../../../mmu/index.ts";
import { RFLAGS_AC } from "../../frontends/x86-64/state.ts";
import { SYSTEM_HELPERS } from "../../frontends/x86-64/system-helpers.ts";
import type { X86Cpu } from "../../hardware.ts";
import { MICRO_NONE } from "./delivery.ts";
import { readRflags, writeRflags } from "./flags.ts";
import { X86Processor } from "./processor.ts";
import { returnFromSystemCall } from "./system-call.ts";
import { CR2, CR3, GDTR, IDTR, LIMIT, M_KIND, M_VECTOR, PC, PKRU, SYSTEM_FLAGS } from "./words.ts";

export class X86Core extends X86Processor implements X86Cpu {
  readPcLo(): number {
    return this.state[PC];
  }

  readPcHi(): number {
    return this.state[PC + 1];
  }

  readRflags(): number {
    return readRflags(this.state);
  }

  writeRflags(value: number): void {
    writeRflags(this.state, value);
    this.contextChanged();
  }

  get cr2Lo(): number {
    return this.state[CR2];
  }

  get cr2Hi(): number {
    return this.state[CR2 + 1];
  }

  get cr3Lo(): number {
    return this.state[CR3];
  }

  get cr3Hi(): number {
    return this.state[CR3 + 1];
  }

  writeControls(cr0: number, cr4: number, efer: number): void {
    if (!this.controls.writeAll(cr0, cr4, efer)) throw new Error("writeControls: #GP(0)");
    this.contextChanged();
  }

  writeCr3(lo: number, hi: number): void {
    if (!this.controls.writeCr3(lo, hi)) throw new Error("writeCr3: #GP(0)");
  }

  invlpg(lo: number, hi: number): void {
    this.mmu.invlpg(lo, hi);
  }

  invpcid(type: 0 | 1 | 2 | 3, pcid: number, lo: number, hi: number): void {
    if (!this.mmu.invpcid(type, pcid, lo, hi)) throw new Error("invpcid: #GP(0)");
  }

  setAc(value: 0 | 1): void {
    if (value !== 0) this.state[SYSTEM_FLAGS] |= RFLAGS_AC;
    else this.state[SYSTEM_FLAGS] &= ~RFLAGS_AC;
    this.updateAc();
  }

  loadGdt(baseLo: number, baseHi: number, limit: number): void {
    this.#loadTable(GDTR, baseLo, baseHi, limit);
  }

  loadIdt(baseLo: number, baseHi: number, limit: number): void {
    this.#loadTable(IDTR, baseLo, baseHi, limit);
  }

  loadTaskRegister(selector: number): void {
    this.microcode.segments.start(SYSTEM_HELPERS.LTR, selector, 0, 0, 0, this.state[PC], this.state[PC + 1]);
    this.#runAtOnce("LTR");
  }

  /** A far jump to the selector that stays where it is. */
  loadCodeSegment(selector: number): void {
    const words = this.state;
    this.microcode.farTransfer.start(selector, words[PC], words[PC + 1], 0, words[PC], words[PC + 1]);
    this.#runAtOnce("loadCodeSegment");
  }

  wrmsr(msr: number, lo: number, hi: number): void {
    this.clock += this.profile.systemRegisterCycles;
    if (!this.msr.write(msr | 0, lo, hi)) throw new Error(`wrmsr ${msr.toString(16)}: #GP(0)`);
  }

  rdmsrLo(msr: number): number {
    if (!this.msr.read(msr | 0)) throw new Error(`rdmsr ${msr.toString(16)}: #GP(0)`);
    return this.msr.lo;
  }

  rdmsrHi(msr: number): number {
    if (!this.msr.read(msr | 0)) throw new Error(`rdmsr ${msr.toString(16)}: #GP(0)`);
    return this.msr.hi;
  }

  readPkru(): number {
    return this.state[PKRU];
  }

  writePkru(value: number): void {
    this.state[PKRU] = value;
    this.mmu.setPkru(value);
  }

  sysret(): void {
    const words = this.state;
    const vector = returnFromSystemCall(words, 64);
    if (vector >= 0) {
      this.fault(vector, 0, words[PC], words[PC + 1]);
      return;
    }
    this.phase = "execute";
    this.clock += this.profile.systemCallCycles;
    this.contextChanged();
  }

  /** An operation that TypeScript asked for, whole: the scheduler's events are not counted. */
  #runAtOnce(name: string): void {
    const { budget } = this;
    const { exploring } = budget;
    const { phase } = this;
    const words = this.state;
    const kind = words[M_KIND];
    budget.exploring = false;
    const status = this.continueMicrocode(kind);
    budget.exploring = exploring;
    if (status !== DONE || words[M_KIND] !== MICRO_NONE) throw new Error(`${name}: fault ${words[M_VECTOR]}`);
    this.phase = phase;
    this.takeStalls();
  }

  #loadTable(table: number, lo: number, hi: number, limit: number): void {
    const words = this.state;
    words[table] = lo;
    words[table + 1] = hi;
    words[table + LIMIT] = limit;
  }
}
