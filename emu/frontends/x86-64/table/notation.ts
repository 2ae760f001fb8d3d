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

export type RowSource = readonly [opcode: string, instruction: string];

/** `lifted` executes; `gap` and `invalid` decode to their length and raise #UD. */
export type RowKind = "lifted" | "gap" | "invalid";

export type RegisterFile = "gpr" | "segment" | "control" | "debug" | "mm" | "xmm" | "ymm" | "st";

export type OperandPlace =
  | "reg"
  | "rm"
  | "vvvv"
  | "opcode"
  | "is4"
  | "fixed"
  | "immediate"
  | "relative"
  | "moffs";

export interface OperandSpec {
  /** As the instruction column prints it. */
  readonly text: string;
  readonly place: OperandPlace;
  /** Register file if the operand is or may be a register. */
  readonly file: RegisterFile | null;
  readonly registerBits: number;
  /** It may be memory; always so if `file` is null. */
  readonly memory: boolean;
  /** Width of the memory operand in bits; 0 if the manual gives none (LEA, FXSAVE, descriptor tables). */
  readonly memoryBits: number;
  /** Register number or constant of a fixed operand (AL, CL, FS, 1), else 0. */
  readonly value: number;
}

/** Conditions under which a row applies, one bit mask per dimension of the encoding. */
export interface RowConditions {
  /** Bit (W << 1 | 66 present). */
  readonly size: number;
  /** Bit 0: neither, 1: F2, 2: F3 (of several the last). */
  readonly rep: number;
  /** Bit 0: memory, 1: register. */
  readonly mod: number;
  readonly reg: number;
  readonly rm: number;
  /** REX.B. */
  readonly b: number;
  /** VEX.L. */
  readonly l: number;
}

export interface Row extends RowConditions {
  /** Position in the whole table; stable only within one build. */
  readonly id: number;
  readonly group: string;
  readonly kind: RowKind;
  readonly opcodeText: string;
  readonly instructionText: string;
  readonly mnemonic: string;
  readonly operands: readonly OperandSpec[];
  readonly vex: boolean;
  /** 0: one-byte map, 1: 0F, 2: 0F 38, 3: 0F 3A. */
  readonly map: number;
  readonly opcode: number;
  /** The low three opcode bits are a register. */
  readonly plusRegister: boolean;
  readonly hasModRM: boolean;
  /** The mod field is ignored and taken as 3 (MOV to and from CR and DR). */
  readonly modIgnored: boolean;
  /** Operand size in bits, 8 to 64; 0 where it has no meaning. */
  readonly operandBits: number;
  /** Sizes in bytes of the immediates; a size of 8 is a full 64-bit immediate. */
  readonly immediateBytes: readonly number[];
  /** An 8-bit immediate is sign-extended. */
  readonly immediateSigned: boolean;
  /** 66, F2 or F3 as part of the opcode, else 0. */
  readonly mandatoryPrefix: number;
  /** Some instruction of this row may carry LOCK: its destination is memory. */
  readonly lockable: boolean;
  /** Meaning of F2 and F3: none, REP, or REPE/REPNE. */
  readonly repeat: "none" | "rep" | "repe";
}

const ALL = 0xff;
const SIZE_ALL = 0b1111;
const SIZE_16 = 0b0010;
const SIZE_32 = 0b0001;
const SIZE_W0 = 0b0011;
const SIZE_W1 = 0b1100;
const SIZE_NOT_16 = 0b1101;
const SIZE_NO_66 = 0b0101;
const SIZE_66 = 0b1010;

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

const FIXED: Readonly<Record<string, readonly [RegisterFile | null, number, number]>> = {
  AL: ["gpr", 8, 0],
  AX: ["gpr", 16, 0],
  EAX: ["gpr", 32, 0],
  RAX: ["gpr", 64, 0],
  CL: ["gpr", 8, 1],
  DX: ["gpr", 16, 2],
  ES: ["segment", 16, 0],
  CS: ["segment", 16, 1],
  SS: ["segment", 16, 2],
  DS: ["segment", 16, 3],
  FS: ["segment", 16, 4],
  GS: ["segment", 16, 5],
  "ST(0)": ["st", 80, 0],
  "<XMM0>": ["xmm", 128, 0],
  "1": [null, 0, 1],
};

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
    size: SIZE_ALL,
    rep: 7,
    mod: 3,
    reg: ALL,
    rm: ALL,
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

/** Returns true if the column fixes the operand size. */
function parseOpcodeColumn(row: MutableRow, text: string): boolean {
  let sized = false;
  let bytes = 0;
  let inModRM = false;
  const setSize = (mask: number, bits: number): void => {
    row.size &= mask;
    row.operandBits = bits;
    sized = true;
  };
  const immediate = (size: number): void => {
    row.immediateBytes = [...row.immediateBytes, size];
  };
  for (const token of text.split(" ")) {
    if (token.startsWith("VEX.")) {
      sized = parseVex(row, token);
      continue;
    }
    switch (token) {
      case "+":
        continue;
      case "NP":
        row.size &= SIZE_NO_66;
        row.rep = 1;
        continue;
      case "NFx":
        row.rep = 1;
        continue;
      case "NF3":
        row.rep = 3;
        continue;
      case "o16":
        setSize(SIZE_16, 16);
        continue;
      case "o32":
        setSize(SIZE_32, 32);
        continue;
      case "oW32":
        setSize(SIZE_NOT_16, 32);
        continue;
      case "REX.W":
        setSize(SIZE_W1, 64);
        continue;
      case "REX.W0":
        setSize(SIZE_W0, 32);
        continue;
      case "d64":
        setSize(SIZE_NOT_16, 64);
        continue;
      case "f64":
        setSize(SIZE_ALL, 64);
        continue;
      case "oIG":
        setSize(SIZE_ALL, 16);
        continue;
      case "REX.B0":
        row.b = 1;
        continue;
      case "ib":
      case "cb":
      case "/is4":
        immediate(1);
        continue;
      case "iw":
        immediate(2);
        continue;
      case "id":
      case "cd":
        immediate(4);
        continue;
      case "io":
        immediate(8);
        continue;
      case "(11B)":
        row.mod = 2;
        continue;
      case "(mem)":
        row.mod = 1;
        continue;
      case "/r":
      case "/_":
        row.hasModRM = true;
        continue;
    }
    const digit = /^\/([0-7])$/.exec(token);
    if (digit) {
      row.hasModRM = true;
      row.reg = 1 << Number(digit[1]);
      continue;
    }
    const byteMatch = /^([0-9A-F]{2})(\+(?:rb|rw|rd|ro|i))?$/.exec(token);
    if (!byteMatch) throw new Error(`x86-64 table: ${text}: what is ${token}?`);
    const value = Number.parseInt(byteMatch[1]!, 16);
    if (bytes === 0 && !row.vex && (value === 0x66 || value === 0xf2 || value === 0xf3)) {
      row.mandatoryPrefix = value;
      row.rep = value === 0x66 ? 1 : value === 0xf2 ? 2 : 4;
      if (value === 0x66) row.size &= SIZE_66;
    } else if (bytes === 0 && !row.vex && value === 0x0f) {
      bytes = 1;
      row.map = 1;
    } else if (row.map === 1 && row.opcode < 0 && !row.vex && (value === 0x38 || value === 0x3a)) {
      row.map = value === 0x38 ? 2 : 3;
    } else if (row.opcode < 0) {
      bytes = 1;
      row.opcode = value;
      row.plusRegister = byteMatch[2] !== undefined;
    } else if (!inModRM && value >= 0xc0) {
      inModRM = true;
      row.hasModRM = true;
      row.mod = 2;
      row.reg = 1 << ((value >> 3) & 7);
      row.rm = byteMatch[2] === undefined ? 1 << (value & 7) : ALL;
    } else {
      throw new Error(`x86-64 table: ${text}: unexpected ${token}`);
    }
  }
  if (row.opcode < 0) throw new Error(`x86-64 table: ${text}: no opcode`);
  return sized;
}

/** A mandatory prefix and the size marks may contradict each other in one dimension: then the prefix does not count. */
function parseVex(row: MutableRow, token: string): boolean {
  row.vex = true;
  row.rep = 1;
  let prefix = SIZE_NO_66;
  let width = SIZE_ALL;
  for (const part of token.split(".").slice(1)) {
    if (part === "128" || part === "LZ" || part === "L0") row.l = 1;
    else if (part === "256" || part === "L1") row.l = 2;
    else if (part === "LIG" || part === "WIG") continue;
    else if (part === "66") prefix = SIZE_66;
    else if (part === "F2") row.rep = 2;
    else if (part === "F3") row.rep = 4;
    else if (part === "0F") row.map = 1;
    else if (part === "0F38") row.map = 2;
    else if (part === "0F3A") row.map = 3;
    else if (part === "W0") width = SIZE_W0;
    else if (part === "W1") width = SIZE_W1;
    else throw new Error(`x86-64 table: ${token}: what is ${part}?`);
  }
  row.size = prefix & width;
  row.operandBits = width === SIZE_W1 ? 64 : 32;
  return true;
}

function placeOperand(row: MutableRow, all: readonly string[], text: string, position: number): OperandSpec {
  const fixed = FIXED[text];
  if (fixed) return operand(text, "fixed", fixed[0], fixed[1], fixed[2]);
  if (/^imm\d+$/.test(text)) return operand(text, "immediate", null, 0, position);
  if (text.startsWith("rel")) return operand(text, "relative", null, 0, 0);
  if (text.startsWith("moffs"))
    return { ...operand(text, "moffs", null, 0, 0), memory: true, memoryBits: digits(text) };
  if (text === "Sreg") return operand(text, "reg", "segment", 16, 0);
  if (text.startsWith("CR0-")) return operand(text, "reg", "control", 64, 0);
  if (text.startsWith("DR0-")) return operand(text, "reg", "debug", 64, 0);
  if (text === "ST(i)") return operand(text, "rm", "st", 80, 0);
  const memory = /(?:^|\/)m(?!m)(\d*)(.*)$/.exec(text);
  const file = registerFileOf(text);
  if (memory) {
    const own = text.startsWith("r/m") ? digits(text) : registerBitsOf(text);
    return {
      text,
      place: "rm",
      file,
      registerBits: file === null ? 0 : own,
      memory: true,
      memoryBits: memoryBitsOf(memory[1]!, memory[2]!),
      value: 0,
    };
  }
  if (file === null) throw new Error(`x86-64 table: ${row.instructionText}: what is ${text}?`);
  return operand(text, registerPlace(row, all, text, position), file, registerBitsOf(text), 0);
}

/** Where a plain register operand is encoded (the SDM's "Op/En" column, derived). */
function registerPlace(
  row: MutableRow,
  all: readonly string[],
  text: string,
  position: number,
): OperandPlace {
  if (row.plusRegister) return "opcode";
  if (row.modIgnored) return "rm";
  if (row.vex) {
    if (text.endsWith("a")) return "reg";
    if (text.endsWith("b")) return "vvvv";
    if (row.opcodeText.includes("/is4") && position === all.length - 1) return "is4";
  }
  const hasRm = all.some((other) => /(?:^|\/)m(?!m)/.test(other) || other.startsWith("r/m"));
  const registers = all.filter(
    (other) => registerFileOf(other) !== null && !/\/m|^m\d/.test(other) && !FIXED[other],
  );
  const order = registers.indexOf(text);
  const regFree = row.reg === ALL;
  const places: OperandPlace[] = [];
  if (row.vex && regFree && registers.length === (hasRm ? 2 : 3) && isStoreOrder(row, all)) {
    places.push(...(hasRm ? STORE_ORDER.slice(1) : STORE_ORDER));
  } else if (row.vex && !regFree) places.push("vvvv");
  if (regFree) places.push("reg");
  if (row.vex && regFree && registers.length + (hasRm ? 1 : 0) > 2) places.push("vvvv");
  if (!hasRm) places.push("rm");
  const place = places[order];
  if (!place) throw new Error(`x86-64 table: ${row.instructionText}: no place for ${text}`);
  return place;
}

function operand(
  text: string,
  place: OperandPlace,
  file: RegisterFile | null,
  registerBits: number,
  value: number,
): OperandSpec {
  return { text, place, file, registerBits, memory: false, memoryBits: 0, value };
}

/** Op/En "MVR": the destination is in rm, the last source in reg. */
const STORE_ORDER: readonly OperandPlace[] = ["rm", "vvvv", "reg"];

function isStoreOrder(row: MutableRow, all: readonly string[]): boolean {
  return /^m\d/.test(all[0]!) || (row.mod === 2 && row.opcode === 0x11);
}

function registerFileOf(text: string): RegisterFile | null {
  if (/^xmm/.test(text)) return "xmm";
  if (/^ymm/.test(text)) return "ymm";
  if (/^mm/.test(text)) return "mm";
  if (/^r(\d|\/)/.test(text)) return "gpr";
  return null;
}

function registerBitsOf(text: string): number {
  const file = registerFileOf(text);
  if (file === "xmm") return 128;
  if (file === "ymm") return 256;
  if (file === "mm") return 64;
  return Number(/^r(\d+)/.exec(text)?.[1] ?? 0);
}

function memoryBitsOf(size: string, rest: string): number {
  if (size === "") return 0;
  if (rest === "byte") return Number(size) === 2 ? 16 : 0;
  if (rest.startsWith(":")) return 16 + Number(rest.slice(1));
  return Number(size);
}

function digits(text: string): number {
  return Number(/\d+/.exec(text)?.[0] ?? 0);
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
    if (bits === 16) row.size &= SIZE_16;
    else if (vector || row.mandatoryPrefix === 0x66) row.size &= SIZE_W0;
    else row.size &= SIZE_32;
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

/** True if both rows can apply to one encoding. */
export function overlaps(a: Row, b: Row): boolean {
  if (a.vex !== b.vex || a.map !== b.map) return false;
  const [firstA, lastA] = opcodeRange(a);
  const [firstB, lastB] = opcodeRange(b);
  if (firstA > lastB || firstB > lastA) return false;
  return (
    (a.size & b.size) !== 0 &&
    (a.rep & b.rep) !== 0 &&
    (a.mod & b.mod) !== 0 &&
    (a.reg & b.reg) !== 0 &&
    (a.rm & b.rm) !== 0 &&
    (a.b & b.b) !== 0 &&
    (a.l & b.l) !== 0
  );
}

/** Number of encodings of the conditions that the row accepts: of two overlapping rows the smaller one applies. */
export function breadth(row: Row): number {
  const count = (mask: number): number => mask.toString(2).replaceAll("0", "").length;
  const masks = [row.size, row.rep, row.mod, row.reg, row.rm, row.b, row.l];
  return masks.reduce((product, mask) => product * count(mask), row.plusRegister ? 8 : 1);
}

function opcodeRange(row: Row): readonly [number, number] {
  return [row.opcode, row.opcode + (row.plusRegister ? 7 : 0)];
}

/** 66 is ignored by a 32-bit form that has no 16-bit sibling: widens the row's size condition. */
export function ignoreOperandSizeWithoutSibling(rows: readonly Row[]): readonly Row[] {
  return rows.map((row) => {
    if (row.size !== SIZE_32 || row.vex || /\b(NP|o32|REX\.W0)\b/.test(row.opcodeText)) return row;
    const wide: Row = { ...row, size: SIZE_W0 };
    const sibling = rows.some(
      (other) => other.id !== row.id && other.size === SIZE_16 && overlaps(wide, other),
    );
    return sibling ? row : wide;
  });
}
