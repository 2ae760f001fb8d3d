/**
 * The SDM's notation for instruction forms (Vol. 2 §3.1.1), read into rows that decoder, disassembler, generator and
 * lifters share. A row is the pair "opcode column", "instruction column", for example
 * `REX.W + 81 /0 id`, `ADD r/m64, imm32`.
 *
 * Opcode column, left to right:
 *
 *     NP NFx 66 F2 F3     mandatory or forbidden prefixes as in the SDM; NF3: not F3 (F2 is ignored)
 *     o16 o32 REX.W REX.W0 d64 f64 oIG oW32
 *                         operand size, where the operands do not tell: d64 and f64 are Appendix A's superscripts,
 *                         oIG ignores the operand size, oW32 is 32 bits with or without REX.W
 *     REX.B0              REX.B must be 0 (NOP against XCHG r8)
 *     VEX.L.pp.map.W      L: 128 256 LZ LIG, W: W0 W1 WIG; NDS and the like are not written
 *     0F 38 C8+rd         opcode bytes; +rb +rw +rd +ro, and +i for x87
 *     /0../7 /r /_        ModRM: digit in reg, register in reg, reg ignored
 *     (11B) (mem)         mod must, must not be 3
 *     a further byte      the whole ModRM byte
 *     ib iw id io cb cd /is4
 *
 * A row without a size mark takes the size of its first sized general operand. A 16-bit form needs 66 without
 * REX.W; where no such form exists 66 is ignored.
 */
import * as conditions from "./conditions.ts";
import { placeOperand } from "./operands.ts";
import type { Row, RowKind, RowSource } from "./row.ts";

/** SDM Vol. 2 "LOCK": these, and only with a memory destination. */
const LOCKABLE = new Set(
  "ADD ADC AND BTC BTR BTS CMPXCHG CMPXCHG8B CMPXCHG16B DEC INC NEG NOT OR SBB SUB XOR XADD XCHG".split(" "),
);
const SIGNED_IMM8 = new Set("ADD ADC AND CMP OR SBB SUB XOR IMUL PUSH".split(" "));
const REP = new Set(
  "MOVSB MOVSW MOVSD MOVSQ STOSB STOSW STOSD STOSQ LODSB LODSW LODSD LODSQ INSB INSW INSD".split(" "),
);
const REP_OUT = new Set("OUTSB OUTSW OUTSD".split(" "));
const REPE = new Set("CMPSB CMPSW CMPSD CMPSQ SCASB SCASW SCASD SCASQ".split(" "));

type MutableRow = { -readonly [K in keyof Row]: Row[K] };

/** Reads one row. @throws Error if the notation is not understood: a mistake in the table. */
export function parseRow(source: RowSource, group: string, kind: RowKind, id: number): Row {
  const [opcodeText, instructionText] = source;
  const space = instructionText.indexOf(" ");
  const mnemonic = space < 0 ? instructionText : instructionText.slice(0, space);
  const operandTexts = space < 0 ? [] : instructionText.slice(space + 1).split(", ");
  const row: MutableRow = {
    id,
    group,
    kind,
    opcodeText,
    instructionText,
    mnemonic,
    operands: [],
    vex: false,
    map: 0,
    opcode: -1,
    plusRegister: false,
    hasModRM: false,
    modIgnored: operandTexts.some((text) => text.startsWith("CR0-") || text.startsWith("DR0-")),
    operandBits: 0,
    immediateBytes: [],
    immediateSigned: SIGNED_IMM8.has(mnemonic),
    mandatoryPrefix: 0,
    lockable: LOCKABLE.has(mnemonic) && /^(r\/)?m/.test(operandTexts[0] ?? "") && kind === "lifted",
    repeat: "none",
    size: conditions.SIZE_ALL,
    rep: 7,
    mod: 3,
    reg: conditions.ALL,
    rm: conditions.ALL,
    b: 3,
    l: 3,
  };
  if (group === "string" || group === "io") {
    if (REP.has(mnemonic) || REP_OUT.has(mnemonic)) row.repeat = "rep";
    else if (REPE.has(mnemonic)) row.repeat = "repe";
  }
  const sized = parseOpcodeColumn(row, opcodeText);
  row.operands = operandTexts.map((text, position) => placeOperand(row, operandTexts, text, position));
  restrictMod(row);
  if (!sized) inferSize(row);
  if (row.operandBits === 0) row.operandBits = naturalBits(row);
  return row;
}

/** Operand-size marks: encodings of the size that they allow, and the size in bits. */
const SIZE_MARKS: Readonly<Record<string, readonly [mask: number, bits: number]>> = {
  o16: [conditions.SIZE_16, 16],
  o32: [conditions.SIZE_32, 32],
  oW32: [conditions.SIZE_NOT_16, 32],
  "REX.W": [conditions.SIZE_W1, 64],
  "REX.W0": [conditions.SIZE_W0, 32],
  d64: [conditions.SIZE_NOT_16, 64],
  f64: [conditions.SIZE_ALL, 64],
  oIG: [conditions.SIZE_ALL, 16],
};
const IMMEDIATES: Readonly<Record<string, number>> = { ib: 1, cb: 1, "/is4": 1, iw: 2, id: 4, cd: 4, io: 8 };
/** Bits of RowConditions.rep. */
const NO_REP = 1;
const REP_F2 = 2;
const REP_F3 = 4;

/** Returns true if the column fixes the operand size. */
function parseOpcodeColumn(row: MutableRow, text: string): boolean {
  let sized = false;
  for (const token of text.split(" ")) {
    const size = SIZE_MARKS[token];
    const immediate = IMMEDIATES[token];
    if (token.startsWith("VEX.")) {
      parseVex(row, token);
      sized = true;
    } else if (size) {
      row.size &= size[0];
      row.operandBits = size[1];
      sized = true;
    } else if (immediate) {
      row.immediateBytes = [...row.immediateBytes, immediate];
    } else if (!parseMark(row, token)) {
      parseByte(row, token, text);
    }
  }
  if (row.opcode < 0) throw new Error(`x86-64 table: ${text}: no opcode`);
  return sized;
}

/** Marks that stand alone. Returns false if the token is none. */
function parseMark(row: MutableRow, token: string): boolean {
  switch (token) {
    case "+":
      return true;
    case "NP":
      row.size &= conditions.SIZE_NO_66;
      row.rep = NO_REP;
      return true;
    case "NFx":
      row.rep = NO_REP;
      return true;
    case "NF3":
      row.rep = NO_REP | REP_F2;
      return true;
    case "REX.B0":
      row.b = 1;
      return true;
    case "(11B)":
      row.mod = 2;
      return true;
    case "(mem)":
      row.mod = 1;
      return true;
    case "/r":
    case "/_":
      row.hasModRM = true;
      return true;
  }
  const digit = /^\/([0-7])$/.exec(token);
  if (!digit) return false;
  row.hasModRM = true;
  row.reg = 1 << Number(digit[1]);
  return true;
}

/** A mandatory prefix, an escape byte, the opcode or a whole ModRM byte, depending on what was there before. */
function parseByte(row: MutableRow, token: string, text: string): void {
  const match = /^([0-9A-F]{2})(\+(?:rb|rw|rd|ro|i))?$/.exec(token);
  if (!match) throw new Error(`x86-64 table: ${text}: what is ${token}?`);
  const value = Number.parseInt(match[1]!, 16);
  const first = row.opcode < 0 && row.map === 0;
  if (first && (value === 0x66 || value === 0xf2 || value === 0xf3)) {
    row.mandatoryPrefix = value;
    row.rep = value === 0x66 ? NO_REP : value === 0xf2 ? REP_F2 : REP_F3;
    if (value === 0x66) row.size &= conditions.SIZE_66;
  } else if (first && value === 0x0f) {
    row.map = 1;
  } else if (row.opcode < 0 && row.map === 1 && !row.vex && (value === 0x38 || value === 0x3a)) {
    row.map = value === 0x38 ? 2 : 3;
  } else if (row.opcode < 0) {
    row.opcode = value;
    row.plusRegister = match[2] !== undefined;
  } else if (value >= 0xc0 && row.rm === conditions.ALL && !row.hasModRM) {
    row.hasModRM = true;
    row.mod = 2;
    row.reg = 1 << ((value >> 3) & 7);
    row.rm = match[2] === undefined ? 1 << (value & 7) : conditions.ALL;
  } else {
    throw new Error(`x86-64 table: ${text}: unexpected ${token}`);
  }
}

/** `VEX.L.pp.map.W`; pp takes the place of 66, F2 and F3. */
function parseVex(row: MutableRow, token: string): void {
  row.vex = true;
  row.rep = NO_REP;
  let prefix = conditions.SIZE_NO_66;
  let width = conditions.SIZE_ALL;
  for (const part of token.split(".").slice(1)) {
    if (part === "128" || part === "LZ" || part === "L0") row.l = 1;
    else if (part === "256" || part === "L1") row.l = 2;
    else if (part === "LIG" || part === "WIG") continue;
    else if (part === "66") prefix = conditions.SIZE_66;
    else if (part === "F2") row.rep = REP_F2;
    else if (part === "F3") row.rep = REP_F3;
    else if (part === "0F") row.map = 1;
    else if (part === "0F38") row.map = 2;
    else if (part === "0F3A") row.map = 3;
    else if (part === "W0") width = conditions.SIZE_W0;
    else if (part === "W1") width = conditions.SIZE_W1;
    else throw new Error(`x86-64 table: ${token}: what is ${part}?`);
  }
  row.size = prefix & width;
  row.operandBits = width === conditions.SIZE_W1 ? 64 : 32;
}

function restrictMod(row: MutableRow): void {
  const rm = row.operands.find((operand) => operand.place === "rm");
  if (!rm || row.modIgnored || row.mod !== 3) return;
  if (rm.file === null) row.mod = 1;
  else if (!rm.memory) row.mod = 2;
}

/** Takes the operand size from the first sized general operand. */
function inferSize(row: MutableRow): void {
  const vector = row.operands.some((operand) => ["mm", "xmm", "ymm"].includes(operand.file ?? ""));
  for (const operand of row.operands) {
    const isGeneral = operand.file === "gpr" || operand.place === "moffs";
    if (!isGeneral || (operand.place === "fixed" && ["CL", "DX"].includes(operand.text))) continue;
    const bits = operand.registerBits || operand.memoryBits;
    if (bits === 64)
      throw new Error(`x86-64 table: ${row.opcodeText}: 64-bit operands need REX.W, d64 or f64`);
    if (bits === 8) {
      row.operandBits = 8;
      return;
    }
    if (bits === 16) row.size &= conditions.SIZE_16;
    else if (vector || row.mandatoryPrefix === 0x66) row.size &= conditions.SIZE_W0;
    else row.size &= conditions.SIZE_32;
    row.operandBits = bits;
    return;
  }
}

function naturalBits(row: MutableRow): number {
  const suffix = /^(?:MOVS|CMPS|SCAS|LODS|STOS|INS|OUTS)(B|W|D|Q)$/.exec(row.mnemonic)?.[1];
  if ((row.group === "string" || row.group === "io") && suffix === "B") return 8;
  const first = row.operands[0];
  return first === undefined ? 0 : first.registerBits || first.memoryBits;
}
