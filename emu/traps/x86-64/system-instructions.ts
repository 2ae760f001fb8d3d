/**
 * System instructions: what each helper number of the frontend does. Intel SDM vol. 2, the instruction of that name.
 * PC is the next instruction; faults save this one's. Instructions that touch memory become microcode.
 */
import { CR4_LA57, isCanonical, type X86TranslationUnit } from "../../../mmu/index.ts";
import { FS, RAX, RCX, RDX, STATE_FS_BASE, STATE_GS_BASE } from "../../frontends/x86-64/state.ts";
import { SYSTEM_HELPERS } from "../../frontends/x86-64/system-helpers.ts";
import type { X2Apic } from "../../interrupts/index.ts";
import { type Controls, CR4_TSD } from "./controls.ts";
import { type Cpuid, EAX, EBX, ECX, EDX } from "./cpuid.ts";
import { canonicalShift } from "./delivery.ts";
import type { Microcode } from "./microcode.ts";
import type { ModelSpecificRegisters } from "./msr.ts";
import { writeRegister } from "./segments.ts";
import { enterSystemCall, returnFromSystemCall } from "./system-call.ts";
import type { TimeStamp } from "./time-stamp.ts";
import { VECTOR_DB, VECTOR_GP, VECTOR_UD } from "./vectors.ts";
import {
  CPL,
  CR0,
  CR2,
  CR4,
  CR8,
  DR0,
  DR6,
  DR7,
  GDTR,
  GPR_RAX,
  GPR_RCX,
  GPR_RDX,
  IDTR,
  LIMIT,
  PKRU,
  TSC_AUX,
} from "./words.ts";

const H = SYSTEM_HELPERS;
const DR6_FIXED = 0xffff_0ff0 | 0;
const DR6_WRITABLE = 0xe00f;
const DR7_FIXED = 0x400;
/** LE, GE and so on: bits 10, 11, 12, 14, 15 are fixed. */
const DR7_WRITABLE = 0xffff_23ff | 0;
const DR7_GENERAL_DETECT = 0x2000;
const DR6_BD = 0x2000;
/** CR0 bits that LMSW writes: PE (set only), MP, EM, TS. */
const LMSW_BITS = 0xe;

/** What system instructions need of their core. */
export interface InstructionCore {
  readonly clock: number;
  /** A fault of the present instruction, whose address is given. */
  fault(vector: number, error: number, pcLo: number, pcHi: number): void;
  /** The record holds an operation: it goes on as microcode. */
  startMicrocode(): void;
  /** Flags, CR0 or CPL changed: what is derived from them follows. */
  contextChanged(): void;
  /** HLT. */
  sleep(): void;
  /** A stub of the kernel text. */
  enterKernel(pcLo: number, pcHi: number): void;
  pause(): void;
  charge(cycles: number): void;
}

export interface InstructionParts {
  readonly words: Int32Array;
  readonly core: InstructionCore;
  readonly mmu: X86TranslationUnit;
  readonly apic: X2Apic;
  readonly controls: Controls;
  readonly msr: ModelSpecificRegisters;
  readonly time: TimeStamp;
  readonly cpuid: Cpuid;
  readonly microcode: Microcode;
  /** Charged by system calls, and by serialising instructions. */
  readonly systemCallCycles: number;
  readonly systemRegisterCycles: number;
}

export class SystemInstructions {
  readonly #parts: InstructionParts;
  readonly #words: Int32Array;
  readonly #core: InstructionCore;

  constructor(parts: InstructionParts) {
    this.#parts = parts;
    this.#words = parts.words;
    this.#core = parts.core;
  }

  execute(
    helper: number,
    aLo: number,
    aHi: number,
    bLo: number,
    bHi: number,
    pcLo: number,
    pcHi: number,
  ): void {
    const parts = this.#parts;
    const { microcode } = parts;
    const core = this.#core;
    switch (helper) {
      case H.KERNEL_ENTER:
        if (this.#words[CPL] !== 0) core.fault(VECTOR_UD, 0, pcLo, pcHi);
        else core.enterKernel(pcLo, pcHi);
        return;
      case H.SYSCALL:
        enterSystemCall(this.#words);
        core.charge(parts.systemCallCycles);
        core.contextChanged();
        return;
      case H.SYSRET: {
        const vector = returnFromSystemCall(this.#words, aLo);
        if (vector >= 0) core.fault(vector, 0, pcLo, pcHi);
        else {
          core.charge(parts.systemCallCycles);
          core.contextChanged();
        }
        return;
      }
      case H.IRET:
        microcode.trapReturn.startIret((aLo >>> 3) as 2 | 4 | 8, pcLo, pcHi);
        core.startMicrocode();
        return;
      case H.SOFTWARE_INTERRUPT:
        microcode.delivery.software(aLo & 0xff, pcLo, pcHi);
        core.startMicrocode();
        return;
      case H.FLAGS_CHANGED:
        core.contextChanged();
        return;
      case H.PAUSE:
        core.pause();
        return;
      case H.HLT:
        if (this.#words[CPL] !== 0) core.fault(VECTOR_GP, 0, pcLo, pcHi);
        else core.sleep();
        return;
      case H.CPUID:
        this.#cpuid();
        return;
      case H.LLDT:
      case H.LTR:
        if (this.#words[CPL] !== 0) {
          core.fault(VECTOR_GP, 0, pcLo, pcHi);
          return;
        }
        microcode.segments.start(helper, aLo, aHi, bLo, bHi, pcLo, pcHi);
        core.startMicrocode();
        return;
      case H.LAR:
      case H.LSL:
      case H.VERR:
      case H.VERW:
      case H.LOAD_SEGMENT:
      case H.POP_SEGMENT:
      case H.LOAD_FAR_POINTER:
        microcode.segments.start(helper, aLo, aHi, bLo, bHi, pcLo, pcHi);
        core.startMicrocode();
        return;
      case H.FAR_JUMP:
        microcode.farTransfer.start(aLo, bLo, bHi, 0, pcLo, pcHi);
        core.startMicrocode();
        return;
      case H.FAR_CALL:
        microcode.farTransfer.start(aLo, bLo, bHi, ((aLo >>> 16) >>> 3) as 2 | 4 | 8, pcLo, pcHi);
        core.startMicrocode();
        return;
      case H.FAR_RETURN:
        microcode.trapReturn.startFarReturn((aLo >>> 3) as 2 | 4 | 8, bLo & 0xffff, pcLo, pcHi);
        core.startMicrocode();
        return;
      case H.IN:
      case H.OUT:
      case H.STRING_IO:
        microcode.portIo.start(helper, aLo, bLo, pcLo, pcHi);
        core.startMicrocode();
        return;
      default: {
        const vector = this.#simple(helper, aLo, aHi, bLo, bHi);
        if (vector >= 0) core.fault(vector, 0, pcLo, pcHi);
      }
    }
  }

  /** Instructions that end at once. @returns the vector of the fault (error code 0), or -1 */
  #simple(helper: number, aLo: number, aHi: number, bLo: number, bHi: number): number {
    const words = this.#words;
    const { mmu } = this.#parts;
    const cpl = words[CPL];
    switch (helper) {
      case H.RDTSC:
        return this.#readTimeStamp();
      case H.RDTSCP: {
        const vector = this.#readTimeStamp();
        if (vector < 0) this.#write32(RCX, words[TSC_AUX]);
        return vector;
      }
      case H.RDPMC:
        // There are no counters; CPL 3 without CR4.PCE faults anyway.
        return VECTOR_GP;
      case H.RDMSR: {
        const { msr } = this.#parts;
        if (cpl !== 0 || !msr.read(words[GPR_RCX])) return VECTOR_GP;
        this.#write32(RAX, msr.lo);
        this.#write32(RDX, msr.hi);
        return -1;
      }
      case H.WRMSR:
        if (cpl !== 0) return VECTOR_GP;
        this.#core.charge(this.#parts.systemRegisterCycles);
        return this.#parts.msr.write(words[GPR_RCX], words[GPR_RAX], words[GPR_RDX]) ? -1 : VECTOR_GP;
      case H.WRITE_CR:
        if (cpl !== 0) return VECTOR_GP;
        this.#core.charge(this.#parts.systemRegisterCycles);
        return this.#writeControl(bLo, aLo, aHi);
      case H.LMSW:
        if (cpl !== 0) return VECTOR_GP;
        return this.#writeControl(0, (words[CR0] & ~LMSW_BITS) | (aLo & (LMSW_BITS | 1)), 0);
      case H.READ_DR:
        return this.#readDebug(aLo & 0xff, (aLo >>> 8) & 0xff);
      case H.WRITE_DR:
        return this.#writeDebug(bLo, aLo, aHi);
      case H.LGDT:
        return this.#loadTable(GDTR, aLo, bLo, bHi);
      case H.LIDT:
        return this.#loadTable(IDTR, aLo, bLo, bHi);
      case H.INVLPG:
        if (cpl !== 0) return VECTOR_GP;
        mmu.invlpg(aLo, aHi);
        return -1;
      case H.INVPCID:
        if (cpl !== 0) return VECTOR_GP;
        return mmu.invpcid(bLo >>> 12, bLo & 0xfff, aLo, aHi) ? -1 : VECTOR_GP;
      case H.WRPKRU:
        words[PKRU] = aLo;
        mmu.setPkru(aLo);
        return -1;
      case H.WRITE_BASE: {
        const shift = canonicalShift(words[CR4]);
        if ((aHi << shift) >> shift !== aHi) return VECTOR_GP;
        const base = (bLo === FS ? STATE_FS_BASE : STATE_GS_BASE) >> 2;
        words[base] = aLo;
        words[base + 1] = aHi;
        return -1;
      }
      default:
        throw new Error(`SystemInstructions: there is no helper ${helper}`);
    }
  }

  #write32(register: number, value: number): void {
    writeRegister(this.#words, register, 32, value, 0);
  }

  #cpuid(): void {
    const words = this.#words;
    const { cpuid } = this.#parts;
    cpuid.query(words[GPR_RAX], words[GPR_RCX], words[CR4]);
    const result = cpuid.result;
    const order = [EAX, ECX, EDX, EBX];
    for (let register = 0; register < 4; register++) this.#write32(register, result[order[register]!]);
  }

  #readTimeStamp(): number {
    const words = this.#words;
    if (words[CPL] !== 0 && (words[CR4] & CR4_TSD) !== 0) return VECTOR_GP;
    const { time } = this.#parts;
    time.read(this.#core.clock);
    this.#write32(RAX, time.lo);
    this.#write32(RDX, time.hi);
    return -1;
  }

  #writeControl(register: number, lo: number, hi: number): number {
    const words = this.#words;
    const { controls, apic } = this.#parts;
    switch (register) {
      case 0:
        if (!controls.writeCr0(lo, hi)) return VECTOR_GP;
        break;
      case 2:
        words[CR2] = lo;
        words[CR2 + 1] = hi;
        break;
      case 3:
        return controls.writeCr3(lo, hi) ? -1 : VECTOR_GP;
      case 4:
        return controls.writeCr4(lo, hi) ? -1 : VECTOR_GP;
      case 8:
        if (hi !== 0 || (lo & ~15) !== 0) return VECTOR_GP;
        words[CR8] = lo;
        apic.taskPriority = lo;
        break;
      default:
        return VECTOR_UD;
    }
    this.#core.contextChanged();
    return -1;
  }

  /** DR4 and DR5 are DR6 and DR7, as CR4.DE does not exist. DR7.GD is #DB. */
  #readDebug(register: number, destination: number): number {
    const words = this.#words;
    if (words[CPL] !== 0) return VECTOR_GP;
    if (this.#generalDetect()) return VECTOR_DB;
    const at = debugWord(register);
    writeRegister(words, destination, 64, words[at], words[at + 1]);
    return -1;
  }

  #writeDebug(register: number, lo: number, hi: number): number {
    const words = this.#words;
    if (words[CPL] !== 0) return VECTOR_GP;
    if (this.#generalDetect()) return VECTOR_DB;
    const at = debugWord(register);
    if (at >= DR6 && hi !== 0) return VECTOR_GP;
    words[at] =
      at === DR6 ? (lo & DR6_WRITABLE) | DR6_FIXED : at === DR7 ? (lo & DR7_WRITABLE) | DR7_FIXED : lo;
    words[at + 1] = hi;
    return -1;
  }

  #generalDetect(): boolean {
    const words = this.#words;
    if ((words[DR7] & DR7_GENERAL_DETECT) === 0) return false;
    words[DR6] |= DR6_BD;
    words[DR7] &= ~DR7_GENERAL_DETECT;
    return true;
  }

  #loadTable(table: number, limit: number, lo: number, hi: number): number {
    const words = this.#words;
    if (words[CPL] !== 0 || !isCanonical(hi, (words[CR4] & CR4_LA57) !== 0 ? 5 : 4)) return VECTOR_GP;
    words[table] = lo;
    words[table + 1] = hi;
    words[table + LIMIT] = limit & 0xffff;
    return -1;
  }
}

function debugWord(register: number): number {
  if (register < 4) return DR0 + register * 2;
  return (register & 1) === 0 ? DR6 : DR7;
}
