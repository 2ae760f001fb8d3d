/**
 * The instruction decoder, 64-bit mode. Intel SDM Vol. 2 ch. 2: §2.1 legacy prefixes, ModRM and SIB, §2.2 REX,
 * §2.3 VEX; §2.1.1 and Vol. 3 §6.15 (#GP) for the 15-byte limit. EVEX (62) has no rows.
 */
import { BASE_RIP, type Instruction } from "./instruction.ts";
import { findRow, opcodeEntry } from "./lookup.ts";

/** Longest instruction. */
export const MAX_LENGTH_BYTES = 15;

/**
 * - `ok`: decoded; the row may be a gap.
 * - `undefined`: no such instruction, or a prefix that it does not take: #UD. The row is set if the opcode was known.
 * - `truncated`: needs a byte at or after `end`; `lengthBytes` is the number of bytes read.
 * - `too-long`: the 16th byte would be needed: #GP(0).
 */
export type DecodeStatus = "ok" | "undefined" | "truncated" | "too-long";

const PREFIX_REP = [0, 1, 2] as const;

/** Cursor over the bytes; reading past the end is sticky. */
class Cursor {
  bytes: Uint8Array = new Uint8Array(0);
  position = 0;
  end = 0;
  exhausted = false;

  byte(): number {
    if (this.position >= this.end) {
      this.exhausted = true;
      return 0;
    }
    return this.bytes[this.position++]!;
  }
  int8(): number {
    return (this.byte() << 24) >> 24;
  }
  int16(): number {
    const lo = this.byte();
    return lo | (this.byte() << 8);
  }
  int32(): number {
    const lo = this.int16();
    return lo | (this.int16() << 16);
  }
}

const cursor = new Cursor();

/**
 * Decodes the instruction at bytes[start]. Bytes from `end` on are not there (next page not fetched yet).
 * @param out filled as far as decoding came
 */
export function decode(bytes: Uint8Array, start: number, end: number, out: Instruction): DecodeStatus {
  cursor.bytes = bytes;
  cursor.position = start;
  cursor.end = Math.min(end, start + MAX_LENGTH_BYTES);
  cursor.exhausted = false;
  reset(out);
  const known = decodeFields(out);
  out.lengthBytes = cursor.position - start;
  if (cursor.exhausted) {
    out.row = null;
    return cursor.end - start >= MAX_LENGTH_BYTES ? "too-long" : "truncated";
  }
  return known ? "ok" : "undefined";
}

function reset(out: Instruction): void {
  out.row = null;
  out.lock = false;
  out.repeat = 0;
  out.operandSizePrefix = false;
  out.addressBits = 64;
  out.segment = -1;
  out.rex = 0;
  out.prefixes.length = 0;
  out.mod = 3;
  out.reg = 0;
  out.rm = 0;
  out.vvvv = 0;
  out.vectorLength = 0;
  out.base = -1;
  out.index = -1;
  out.scale = 0;
  out.displacement = 0;
  out.displacementHi = 0;
  out.sib = false;
  out.immediate = 0;
  out.immediateHi = 0;
  out.immediate2 = 0;
}

/** Returns false for #UD. */
function decodeFields(out: Instruction): boolean {
  let opcode = readPrefixes(out);
  let map = 0;
  if (opcode === 0x0f) {
    map = 1;
    opcode = cursor.byte();
    if (opcode === 0x38 || opcode === 0x3a) {
      map = opcode === 0x38 ? 2 : 3;
      opcode = cursor.byte();
    }
  } else if (opcode === 0xc4 || opcode === 0xc5) {
    return decodeVex(out, opcode);
  }
  out.opcode = opcode;
  if (cursor.exhausted) return true;
  const w = (out.rex >> 3) & 1;
  const size = (w << 1) | (out.operandSizePrefix ? 1 : 0);
  return decodeOpcode(out, map, size, PREFIX_REP[out.repeat === 0xf2 ? 1 : out.repeat === 0xf3 ? 2 : 0]);
}

/** Reads legacy prefixes and REX; returns the first opcode byte. REX counts only directly before the opcode. */
function readPrefixes(out: Instruction): number {
  for (;;) {
    const byte = cursor.byte();
    switch (byte) {
      case 0x66:
        out.operandSizePrefix = true;
        break;
      case 0x67:
        out.addressBits = 32;
        break;
      case 0x2e:
      case 0x36:
      case 0x3e:
      case 0x26:
        break;
      case 0x64:
      case 0x65:
        out.segment = byte === 0x64 ? 4 : 5;
        break;
      case 0xf0:
        out.lock = true;
        break;
      case 0xf2:
      case 0xf3:
        out.repeat = byte;
        break;
      default:
        if ((byte & 0xf0) !== 0x40) return byte;
        out.rex = byte;
        out.prefixes.push(byte);
        continue;
    }
    out.rex = 0;
    out.prefixes.push(byte);
    if (cursor.exhausted) return 0;
  }
}

/**
 * VEX.   C5: R̅ vvvv̅ L pp        C4: R̅ X̅ B̅ mmmmm, W vvvv̅ L pp
 * #UD if 66, F2, F3, F0 or REX precede it (Vol. 2 §2.3.2, §2.3.3).
 */
function decodeVex(out: Instruction, first: number): boolean {
  let map = 1;
  let rxb = 0;
  let second = cursor.byte();
  if (first === 0xc4) {
    rxb = (~second >> 5) & 7;
    map = second & 31;
    second = cursor.byte();
    rxb |= (second >> 4) & 8;
  } else {
    rxb = (~second >> 5) & 4;
  }
  if (out.lock || out.repeat !== 0 || out.operandSizePrefix || out.rex !== 0) return false;
  out.vvvv = (~second >> 3) & 15;
  out.vectorLength = (second >> 2) & 1;
  out.rex = 0x40 | rxb;
  const pp = second & 3;
  out.opcode = cursor.byte();
  if (cursor.exhausted) return true;
  if (map < 1 || map > 3) return false;
  const size = ((rxb >> 3) << 1) | (pp === 1 ? 1 : 0);
  if (!decodeOpcode(out, map + 4, size, pp === 3 ? 1 : pp === 2 ? 2 : 0)) return false;
  if (out.row === null) return true;
  const usesV = out.row.operands.some((operand) => operand.place === "vvvv");
  return usesV || out.vvvv === 0;
}

function decodeOpcode(out: Instruction, map: number, size: number, rep: number): boolean {
  const entry = opcodeEntry(map, out.opcode);
  if (entry === null) return false;
  const b = out.rex & 1;
  let modRM = 0;
  if (entry.hasModRM) {
    modRM = cursor.byte();
    if (cursor.exhausted) return true;
  }
  const row = findRow(entry, size, rep, modRM, b, out.vectorLength);
  if (row === null) return false;
  out.row = row;
  if (entry.hasModRM) {
    out.mod = row.modIgnored ? 3 : modRM >> 6;
    out.reg = ((modRM >> 3) & 7) | ((out.rex & 4) << 1);
    out.rm = (modRM & 7) | (b << 3);
    if (out.mod !== 3) readMemoryOperand(out, modRM & 7);
  } else if (row.plusRegister) {
    out.rm = (out.opcode & 7) | (b << 3);
  } else if (row.operands.some((operand) => operand.place === "moffs")) {
    out.displacement = cursor.int32();
    if (out.addressBits === 64) out.displacementHi = cursor.int32();
  }
  readImmediates(out, row.immediateBytes, row.immediateSigned || row.operands[0]?.place === "relative");
  if (row.kind === "lifted" && !operandsExist(out)) return false;
  return !out.lock || (row.lockable && out.mod !== 3);
}

/** SDM Vol. 2 tables 2-2 and 2-3, §2.2.1.2 and §2.2.1.6 (RIP-relative). */
function readMemoryOperand(out: Instruction, rm: number): void {
  let base = rm;
  if (rm === 4) {
    const sib = cursor.byte();
    out.sib = true;
    base = sib & 7;
    out.scale = sib >> 6;
    const index = ((sib >> 3) & 7) | ((out.rex & 2) << 2);
    out.index = index === 4 ? -1 : index;
  }
  if (base === 5 && out.mod === 0) {
    out.base = rm === 5 ? BASE_RIP : -1;
    out.displacement = cursor.int32();
  } else {
    out.base = base | ((out.rex & 1) << 3);
    if (out.mod === 1) out.displacement = cursor.int8();
    else if (out.mod === 2) out.displacement = cursor.int32();
  }
  out.displacementHi = out.displacement >> 31;
}

function readImmediates(out: Instruction, sizes: readonly number[], signed8: boolean): void {
  if (sizes.length === 0) return;
  switch (sizes[0]) {
    case 1:
      out.immediate = signed8 ? cursor.int8() : cursor.byte();
      break;
    case 2:
      out.immediate = cursor.int16();
      break;
    default:
      out.immediate = cursor.int32();
  }
  out.immediateHi = sizes[0] === 8 ? cursor.int32() : out.immediate >> 31;
  if (sizes.length > 1) out.immediate2 = cursor.byte();
}

/** Segment registers 6 and 7, CS as a destination, control registers other than 0, 2, 3, 4, 8, DR8-15: #UD. */
function operandsExist(out: Instruction): boolean {
  const operands = out.row!.operands;
  for (let i = 0; i < operands.length; i++) {
    const operand = operands[i]!;
    if (operand.place !== "reg") continue;
    if (operand.file === "segment") {
      const segment = out.reg & 7;
      return segment < 6 && (i > 0 || segment !== 1);
    }
    if (operand.file === "control") return out.reg <= 4 ? out.reg !== 1 : out.reg === 8;
    if (operand.file === "debug") return out.reg < 8;
  }
  return true;
}
