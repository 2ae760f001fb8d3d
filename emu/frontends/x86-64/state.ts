/**
 * Layout of an x86-64 core's slots in the core state: byte offsets, little-endian. The neutral head (PC, condition
 * record) is emu/ir's. RFLAGS is split: CF, PF, AF, ZF, SF and OF live in the condition record, all other bits in
 * STATE_SYSTEM_FLAGS, where the six are 0.
 *
 *      64  RAX RCX RDX RBX RSP RBP RSI RDI R8-R15, 8 bytes each, in encoding order
 *     192  system flags, CPL, interrupt shadow, TSC_AUX (i32 each)
 *     208  FS, GS and kernel GS base (i64 each)
 *     232  selectors ES CS SS DS FS GS, LDTR, TR (i32 each)
 *     264  CR0 CR2 CR3 CR4 CR8 (i64 each)
 *     304  EFER STAR LSTAR CSTAR FMASK PAT XCR0 (i64 each)
 *     360  GDTR IDTR LDTR TR: base (i64), limit (i32), attributes (i32) each
 *     424  DR0-DR3, DR6, DR7 (i64 each)
 *     472  PKRU, reserved (i32 each)
 *     512  reserved for MXCSR, x87 and vector registers: a standard-format XSAVE area (SDM Vol. 1 §13.4)
 */
import { STATE_FRONTEND_BASE } from "../../ir/index.ts";

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;

/** Segment register numbers. */
export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
export const FS = 4;
export const GS = 5;

export const STATE_REGISTERS: number = STATE_FRONTEND_BASE;
export const STATE_SYSTEM_FLAGS: number = STATE_REGISTERS + 128;
/** Current privilege level, 0-3. */
export const STATE_CPL: number = STATE_SYSTEM_FLAGS + 4;
/** 1 until the instruction after STI, MOV SS or POP SS has ended: interrupts are held off (Vol. 3 §6.8.3). */
export const STATE_INTERRUPT_SHADOW: number = STATE_SYSTEM_FLAGS + 8;
export const STATE_TSC_AUX: number = STATE_SYSTEM_FLAGS + 12;
export const STATE_FS_BASE: number = STATE_SYSTEM_FLAGS + 16;
export const STATE_GS_BASE: number = STATE_FS_BASE + 8;
export const STATE_KERNEL_GS_BASE: number = STATE_FS_BASE + 16;
export const STATE_SELECTORS: number = STATE_FS_BASE + 24;
export const STATE_LDTR_SELECTOR: number = STATE_SELECTORS + 24;
export const STATE_TR_SELECTOR: number = STATE_SELECTORS + 28;
export const STATE_CR0: number = STATE_SELECTORS + 32;
export const STATE_CR2: number = STATE_CR0 + 8;
export const STATE_CR3: number = STATE_CR0 + 16;
export const STATE_CR4: number = STATE_CR0 + 24;
export const STATE_CR8: number = STATE_CR0 + 32;
export const STATE_EFER: number = STATE_CR0 + 40;
export const STATE_STAR: number = STATE_EFER + 8;
export const STATE_LSTAR: number = STATE_EFER + 16;
export const STATE_CSTAR: number = STATE_EFER + 24;
export const STATE_FMASK: number = STATE_EFER + 32;
export const STATE_PAT: number = STATE_EFER + 40;
export const STATE_XCR0: number = STATE_EFER + 48;
/** Each of the four: base i64 at 0, limit i32 at 8, attributes i32 at 12. */
export const STATE_GDTR: number = STATE_EFER + 56;
export const STATE_IDTR: number = STATE_GDTR + 16;
export const STATE_LDTR: number = STATE_GDTR + 32;
export const STATE_TR: number = STATE_GDTR + 48;
/** Offset of the limit in a table register's slots. */
export const TABLE_LIMIT = 8;
export const TABLE_ATTRIBUTES = 12;
export const STATE_DR0: number = STATE_GDTR + 64;
export const STATE_DR6: number = STATE_DR0 + 32;
export const STATE_DR7: number = STATE_DR0 + 40;
export const STATE_PKRU: number = STATE_DR0 + 48;
/** XSAVE area: legacy region 512, header 64, extended region up to and with PKRU state (2696 bytes in all). */
export const STATE_EXTENDED = 512;
export const STATE_EXTENDED_END: number = STATE_EXTENDED + 2752;

/** @param number 0-15 */
export function registerOffset(number: number): number {
  return STATE_REGISTERS + number * 8;
}

/** @param segment 0-5 */
export function selectorOffset(segment: number): number {
  return STATE_SELECTORS + segment * 4;
}

/** Slot of CR0, CR2, CR3, CR4 or CR8. */
export function controlRegisterOffset(number: number): number {
  switch (number) {
    case 0:
      return STATE_CR0;
    case 2:
      return STATE_CR2;
    case 3:
      return STATE_CR3;
    case 4:
      return STATE_CR4;
    case 8:
      return STATE_CR8;
    default:
      throw new Error(`controlRegisterOffset: there is no CR${number}`);
  }
}

/** RFLAGS outside the condition record. Vol. 1 §3.4.3. */
export const RFLAGS_FIXED = 0x2;
export const RFLAGS_TF = 0x100;
export const RFLAGS_IF = 0x200;
export const RFLAGS_DF = 0x400;
export const RFLAGS_IOPL = 0x3000;
export const RFLAGS_NT = 0x4000;
export const RFLAGS_RF = 0x1_0000;
export const RFLAGS_VM = 0x2_0000;
export const RFLAGS_AC = 0x4_0000;
export const RFLAGS_VIF = 0x8_0000;
export const RFLAGS_VIP = 0x10_0000;
export const RFLAGS_ID = 0x20_0000;

/** Control-register bits that instructions look at. Vol. 3 §2.5. */
export const CR0_MP = 0x2;
export const CR0_TS = 0x8;
export const CR4_UMIP = 0x800;
export const CR4_LA57 = 0x1000;
export const CR4_FSGSBASE = 0x1_0000;
export const CR4_PKE = 0x40_0000;
export const EFER_SCE = 0x1;
