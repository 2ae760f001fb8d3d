/**
 * One decoded instruction: the row that applies and the fields of its encoding, extended by REX or VEX.
 * The decoder fills an object that the caller owns.
 */
import type { OperandSpec, Row } from "../table/index.ts";

/** Base register number that stands for RIP. */
export const BASE_RIP = 16;

export class Instruction {
  /** The row; null if no row applies (`undefined` or `too-long`). */
  row: Row | null = null;
  /** Length in bytes, prefixes included. */
  lengthBytes = 0;
  /** LOCK prefix. */
  lock = false;
  /** Last of F2 and F3, or 0. */
  repeat: 0 | 0xf2 | 0xf3 = 0;
  /** 66 was present. */
  operandSizePrefix = false;
  /** 64 or 32 (prefix 67). */
  addressBits: 64 | 32 = 64;
  /** FS 4, GS 5, or -1; overrides of other segments have no effect in 64-bit mode. */
  segment = -1;
  /** The REX byte, 40-4F, or 0. */
  rex = 0;
  /** 66, 67, segment and F2/F3 bytes as they appeared (disassembler only). */
  prefixes: number[] = [];
  opcode = 0;
  /** ModRM.mod; 3 where the field is ignored. */
  mod = 0;
  /** ModRM.reg with REX.R. */
  reg = 0;
  /** ModRM.rm with REX.B if mod is 3; opcode register if the row has one. */
  rm = 0;
  vvvv = 0;
  /** VEX.L. */
  vectorLength = 0;
  /** Register numbers, or -1; base may be BASE_RIP. */
  base = -1;
  index = -1;
  /** log2 of the scale. */
  scale = 0;
  /** int32; for moffs the low half. */
  displacement = 0;
  /** High half: of moffs, else the sign. */
  displacementHi = 0;
  /** A SIB byte was present. */
  sib = false;
  /** First immediate or relative target offset, extended to 64 bits: low and high int32. */
  immediate = 0;
  immediateHi = 0;
  /** Second immediate (ENTER, EXTRQ, INSERTQ), zero-extended. */
  immediate2 = 0;

  /** REX was present: 8-bit registers 4-7 are SPL, BPL, SIL, DIL. */
  get hasRex(): boolean {
    return this.rex !== 0;
  }

  /** The rm operand is a register. */
  get rmIsRegister(): boolean {
    return this.mod === 3;
  }

  /** Register number of an operand that is a register. */
  registerOf(operand: OperandSpec): number {
    switch (operand.place) {
      case "reg":
        return this.reg;
      case "rm":
      case "opcode":
        return this.rm;
      case "vvvv":
        return this.vvvv;
      case "is4":
        return (this.immediate >> 4) & 15;
      default:
        return operand.value;
    }
  }

  /** True if the operand is memory in this encoding. */
  isMemory(operand: OperandSpec): boolean {
    return operand.place === "moffs" || (operand.memory && this.mod !== 3);
  }
}
