/**
 * A core without instructions, for tests of the kernel's own machinery: it delivers traps as the SDM says (stack switch
 * through the TSS, frame, error code), keeps registers, and runs "user mode" as a JavaScript function. Translation of
 * user addresses is a table of pages. Delivery and return are one step each.
 */
import type { StopReason, X86Cpu } from "../../../emu/hardware.ts";
import type { AccessKind, PhysicalMemory, TranslationFault, TranslationStatus } from "../../../mmu/index.ts";
import type { FakeMachine } from "./fake-machine.ts";

export type Phase = "parked" | "user" | "kernel" | "waiting" | "halted";

const IF = 1 << 9;
const AC = 1 << 18;
const ICR = 0x830;
const EOI = 0x80b;
const DEADLINE = 0x6e0;
const ERROR_CODES = 0x6022_7d00;

export class FakeCpu implements X86Cpu {
  readonly id: number;
  readonly ram: PhysicalMemory;
  readonly machine: FakeMachine;
  readonly gpr: Int32Array = new Int32Array(32);
  phase: Phase = "parked";
  clock = 0;
  steps = 0;
  pc: [number, number] = [0, 0];
  cs = 0x10;
  ss = 0x18;
  rflags = 2;
  cr2Lo = 0;
  cr2Hi = 0;
  cr3Lo = 0;
  cr3Hi = 0;
  pkru = 0;
  accessPa = 0;
  readonly accessFault: TranslationFault = {
    cause: "not-present",
    lo: 0,
    hi: 0,
    kind: 0,
    privilege: 1,
    level: 1,
  };
  readonly msrs: Map<number, [number, number]> = new Map();
  readonly pending: Set<number> = new Set();
  readonly inService: number[] = [];
  idt = 0;
  gdt = 0;
  tss = 0;
  deadline: number = Infinity;
  waitAt = 0;
  waitValue = 0;
  /** Set by raiseAccessFault, returnFromTrap and sysret: run() must be left. */
  left = false;
  setAcCalls: number[] = [];

  constructor(id: number, machine: FakeMachine) {
    this.id = id;
    this.machine = machine;
    this.ram = machine.ram;
  }

  /** One by one, so that a test sees each point. */
  isQuiet(): boolean {
    return false;
  }

  pointsInRow(): boolean {
    return false;
  }

  point(cost: number): boolean {
    this.clock += cost;
    return this.interruptReady() || this.machine.prefersAnother(this);
  }
  charge(cycles: number): void {
    this.clock += cycles;
  }
  setKernelPc(lo: number, hi: number): void {
    this.pc = [lo | 0, hi | 0];
  }
  interruptsEnabled(): boolean {
    return (this.rflags & IF) !== 0;
  }
  setInterruptsEnabled(enabled: boolean): void {
    this.rflags = enabled ? this.rflags | IF : this.rflags & ~IF;
  }
  waitForWord(pa: number): void {
    this.phase = "waiting";
    this.waitAt = pa;
    this.waitValue = this.ram.read32(pa);
  }
  halt(): void {
    this.phase = "halted";
    this.left = true;
  }
  access(lo: number, hi: number, kind: AccessKind): TranslationStatus {
    const page = this.machine.userPages.get((lo >>> 12) + (hi >>> 0) * 0x10_0000);
    if (page !== undefined && (kind !== 1 || page.writable) && (this.rflags & AC) !== 0) {
      this.accessPa = page.pa + (lo & 4095);
      return 0;
    }
    Object.assign(this.accessFault, { lo, hi, kind });
    return 1;
  }
  raiseAccessFault(): void {
    this.left = true;
    this.cr2Lo = this.accessFault.lo;
    this.cr2Hi = this.accessFault.hi;
    this.deliver(14, this.accessFault.kind === 1 ? 2 : 0);
  }
  returnFromTrap(): void {
    this.left = true;
    const at = this.gpr[8]! >>> 0;
    if (at % 8 !== 0) throw new Error(`IRETQ with RSP ${at}`);
    this.pc = [this.ram.read32(at), this.ram.read32(at + 4)];
    this.cs = this.ram.read32(at + 8) & 0xffff;
    this.rflags = this.ram.read32(at + 16);
    this.gpr[8] = this.ram.read32(at + 24);
    this.gpr[9] = this.ram.read32(at + 28);
    this.ss = this.ram.read32(at + 32) & 0xffff;
    this.phase = (this.cs & 3) !== 0 ? "user" : "kernel";
    if (this.phase === "kernel") this.machine.executeStub(this);
  }
  sysret(): void {
    this.left = true;
    this.pc = [this.gpr[2]!, this.gpr[3]!];
    this.rflags = this.gpr[22]!;
    this.cs = 0x33;
    this.ss = 0x2b;
    this.phase = "user";
  }
  stopMachine(reason: StopReason): void {
    this.machine.stopped ??= reason;
  }
  readPcLo(): number {
    return this.pc[0];
  }
  readPcHi(): number {
    return this.pc[1];
  }
  readRflags(): number {
    return this.rflags;
  }
  writeRflags(value: number): void {
    this.rflags = value;
  }
  writeControls(_cr0: number, _cr4: number, _efer: number): void {}
  writeCr3(lo: number, hi: number): void {
    this.cr3Lo = lo;
    this.cr3Hi = hi;
  }
  invlpg(): void {}
  invpcid(): void {}
  setAc(value: 0 | 1): void {
    this.setAcCalls.push(value);
    this.rflags = value === 1 ? this.rflags | AC : this.rflags & ~AC;
  }
  loadGdt(lo: number): void {
    this.gdt = lo >>> 0;
  }
  loadIdt(lo: number): void {
    this.idt = lo >>> 0;
  }
  loadTaskRegister(selector: number): void {
    const lo = this.ram.read32(this.gdt + selector);
    const hi = this.ram.read32(this.gdt + selector + 4);
    this.tss = ((lo >>> 16) | ((hi & 0xff) << 16) | (hi & 0xff00_0000)) >>> 0;
  }
  loadCodeSegment(selector: number): void {
    this.cs = selector;
  }
  wrmsr(msr: number, lo: number, hi: number): void {
    this.msrs.set(msr, [lo, hi]);
    if (msr === ICR) this.#sendInterrupt(lo, hi);
    else if (msr === EOI) this.inService.pop();
    else if (msr === DEADLINE) {
      const at = (lo >>> 0) + (hi >>> 0) * 0x1_0000_0000;
      this.deadline = at === 0 ? Infinity : at;
    }
  }
  rdmsrLo(msr: number): number {
    return this.msrs.get(msr)?.[0] ?? 0;
  }
  rdmsrHi(msr: number): number {
    return this.msrs.get(msr)?.[1] ?? 0;
  }
  readPkru(): number {
    return this.pkru;
  }
  writePkru(value: number): void {
    this.pkru = value;
  }

  interruptReady(): boolean {
    if (this.clock >= this.deadline) {
      this.deadline = Infinity;
      this.pending.add(0xec);
    }
    return this.interruptsEnabled() && this.pending.size > 0 && this.inService.length === 0;
  }

  acceptInterrupt(): void {
    const vector = Math.max(...this.pending);
    this.pending.delete(vector);
    this.inService.push(vector);
    this.deliver(vector, null);
  }

  /** Pushes the frame that the SDM describes and executes the vector's stub. */
  deliver(vector: number, error: number | null): void {
    const gate = this.idt + vector * 16;
    const offset = (this.ram.read32(gate) & 0xffff) | (this.ram.read32(gate + 4) & 0xffff_0000);
    const ist = this.ram.read32(gate + 4) & 7;
    const fromUser = (this.cs & 3) !== 0;
    const old = [this.gpr[8]!, this.gpr[9]!];
    let sp = this.gpr[8]! >>> 0;
    if (ist !== 0) sp = this.ram.read32(this.tss + 0x24 + (ist - 1) * 8) >>> 0;
    else if (fromUser) sp = this.ram.read32(this.tss + 4) >>> 0;
    sp &= ~15;
    const push = (lo: number, hi: number): void => {
      sp -= 8;
      this.ram.write64(sp, lo, hi);
    };
    push(this.ss, 0);
    push(old[0]!, old[1]!);
    push(this.rflags, 0);
    push(this.cs, 0);
    push(this.pc[0], this.pc[1]);
    if (vector < 32 && (ERROR_CODES >>> vector) & 1) push(error ?? 0, 0);
    this.gpr[8] = sp;
    this.gpr[9] = this.ram.directMapHi;
    this.cs = 0x10;
    this.ss = fromUser ? 0 : this.ss;
    this.rflags &= ~IF;
    this.pc = [offset, -1];
    this.phase = "kernel";
    this.machine.executeStub(this);
  }

  /** SYSCALL in user mode. */
  syscall(): void {
    this.gpr[2] = this.pc[0];
    this.gpr[3] = this.pc[1];
    this.gpr[22] = this.rflags;
    this.gpr[23] = 0;
    this.rflags &= ~this.rdmsrLo(0xc000_0084);
    this.cs = 0x10;
    this.ss = 0x18;
    this.pc = [this.rdmsrLo(0xc000_0082), this.rdmsrHi(0xc000_0082)];
    this.phase = "kernel";
    this.machine.executeStub(this);
  }

  #sendInterrupt(lo: number, target: number): void {
    const cpu = this.machine.cpus[target]!;
    const mode = (lo >>> 8) & 7;
    if (mode === 0) cpu.pending.add(lo & 0xff);
    else if (mode === 4) cpu.deliver(2, null);
    else if (mode === 6 && cpu.phase === "parked") {
      const page = (lo & 0xff) * 4096;
      cpu.cr3Lo = this.ram.read32(page + 8);
      cpu.pc = [this.ram.read32(page + 0x10), this.ram.read32(page + 0x14)];
      cpu.gpr[8] = this.ram.read32(page + 0x18);
      cpu.gpr[9] = this.ram.read32(page + 0x1c);
      cpu.phase = "kernel";
      cpu.clock = this.clock;
      this.machine.executeStub(cpu);
    }
  }
}
