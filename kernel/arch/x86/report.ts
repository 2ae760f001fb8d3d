/** Trap frames as text, in the manner of __show_regs() (arch/x86/kernel/process_64.c). */
import type { Kernel } from "../../kernel.ts";
import type { KPtr } from "../../struct.ts";
import {
  REGS_AX,
  REGS_BP,
  REGS_BX,
  REGS_CS,
  REGS_CX,
  REGS_DI,
  REGS_DX,
  REGS_FLAGS,
  REGS_IP,
  REGS_ORIG_AX,
  REGS_R8,
  REGS_R9,
  REGS_R10,
  REGS_R11,
  REGS_R12,
  REGS_R13,
  REGS_R14,
  REGS_R15,
  REGS_SI,
  REGS_SP,
  REGS_SS,
  regsHex,
} from "./pt-regs.ts";
import { stubAt, stubName } from "./stubs.ts";

/** Registers of a frame, several per line. */
export function describeRegisters(kernel: Kernel, frame: KPtr): string {
  const { ram } = kernel;
  const value = (offset: number): string => regsHex(ram, frame, offset);
  const selector = (offset: number): string =>
    (ram.read32(frame + offset) & 0xffff).toString(16).padStart(4, "0");
  const symbol = symbolName(ram.read32(frame + REGS_IP), ram.read32(frame + REGS_IP + 4));
  const where = symbol === null ? `0x${value(REGS_IP)}` : `${symbol} (0x${value(REGS_IP)})`;
  return [
    `RIP: ${selector(REGS_CS)}:${where}`,
    `RSP: ${selector(REGS_SS)}:${value(REGS_SP)} EFLAGS: ${value(REGS_FLAGS).slice(8)} ORIG_RAX: ${value(REGS_ORIG_AX)}`,
    `RAX: ${value(REGS_AX)} RBX: ${value(REGS_BX)} RCX: ${value(REGS_CX)}`,
    `RDX: ${value(REGS_DX)} RSI: ${value(REGS_SI)} RDI: ${value(REGS_DI)}`,
    `RBP: ${value(REGS_BP)} R08: ${value(REGS_R8)} R09: ${value(REGS_R9)}`,
    `R10: ${value(REGS_R10)} R11: ${value(REGS_R11)} R12: ${value(REGS_R12)}`,
    `R13: ${value(REGS_R13)} R14: ${value(REGS_R14)} R15: ${value(REGS_R15)}`,
  ].join("\n");
}

/** Name of a kernel-text address, or null. */
export function symbolName(lo: number, hi: number): string | null {
  const stub = stubAt(lo, hi);
  return stub < 0 ? null : stubName(stub);
}
