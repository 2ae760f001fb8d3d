/**
 * Random instructions for tests and fuzzing, made from the table: a valid encoding of a given row with random
 * operands and harmless prefixes, or bytes with no plan at all.
 */
import { decode, MAX_LENGTH_BYTES } from "../decode/decoder.ts";
import { Instruction } from "../decode/instruction.ts";
import { ROWS, type Row } from "../table/index.ts";

/** Next uniformly distributed 32-bit number, as uint32. */
export type RandomSource = () => number;

export interface GeneratorOptions {
  /** Form of an rm operand that can be both; default either. */
  readonly rm?: "register" | "memory";
  /** Prefixes that change nothing or only the address: FS, GS, 67, redundant REX. Default `some`. */
  readonly prefixes?: "some" | "none";
  /** LOCK on rows and operands that allow it, REP on string rows. Default `some`. */
  readonly lockAndRepeat?: "some" | "none";
}

const ATTEMPTS = 64;
const scratch = new Instruction();

/** A row of the table that executes. */
export function randomRow(random: RandomSource): Row {
  for (;;) {
    const row = ROWS[random() % ROWS.length]!;
    if (row.kind === "lifted") return row;
  }
}

/** One valid encoding of the row. @throws Error if the options leave none */
export function randomInstruction(
  row: Row,
  random: RandomSource,
  options: GeneratorOptions = {},
): Uint8Array {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const bytes = encode(row, random, options);
    if (bytes.length > MAX_LENGTH_BYTES) continue;
    if (
      decode(bytes, 0, bytes.length, scratch) === "ok" &&
      scratch.row === row &&
      scratch.lengthBytes === bytes.length
    ) {
      return bytes;
    }
  }
  throw new Error(
    `randomInstruction: no encoding of ${row.opcodeText} ${row.instructionText} with these options`,
  );
}

/** Bytes without any structure. @param length 1 or more */
export function randomBytes(random: RandomSource, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random() & 0xff);
}

function encode(row: Row, random: RandomSource, options: GeneratorOptions): Uint8Array {
  const mod = chooseMod(row, random, options);
  const lockable = row.lockable && mod !== 3;
  const size = pickBit(row.size, random, options.prefixes !== "none");
  const rep = pickBit(row.rep, random, false);
  const bytes: number[] = [];
  if (options.prefixes !== "none") {
    if (random() % 16 === 0) bytes.push(0x67);
    if (mod !== 3 && random() % 16 === 0) bytes.push(0x64 + (random() & 1));
  }
  if (options.lockAndRepeat !== "none") {
    if (lockable && random() % 4 === 0) bytes.push(0xf0);
    if (row.repeat !== "none" && random() % 2 === 0)
      bytes.push(row.repeat === "rep" || random() & 1 ? 0xf3 : 0xf2);
  }
  const rxb = random() & 7 & (random() & 1 ? 7 : random());
  const plainRex = options.prefixes !== "none" && random() % 8 === 0;
  if (row.vex) {
    pushVex(row, bytes, size, rep, rxb, random);
  } else {
    if (size & 1) bytes.push(0x66);
    if (rep !== 0) bytes.push(rep === 1 ? 0xf2 : 0xf3);
    const rex = ((size & 2) << 2) | rxb;
    if (rex !== 0 || plainRex) bytes.push(0x40 | rex);
    if (row.map > 0) bytes.push(0x0f);
    if (row.map > 1) bytes.push(row.map === 2 ? 0x38 : 0x3a);
  }
  bytes.push(row.opcode + (row.plusRegister ? random() & 7 : 0));
  if (row.hasModRM) pushModRM(row, bytes, mod, random);
  if (row.operands.some((operand) => operand.place === "moffs"))
    pushRandom(bytes, bytes.includes(0x67) ? 4 : 8, random);
  for (const size of row.immediateBytes) pushImmediate(bytes, size, random);
  return Uint8Array.from(bytes);
}

/** Index of a random set bit; of the lowest one unless all are welcome. */
function pickBit(mask: number, random: RandomSource, anyBit: boolean): number {
  if (anyBit && random() % 8 === 0) {
    for (;;) {
      const bit = random() & 7;
      if ((mask >> bit) & 1) return bit;
    }
  }
  return 31 - Math.clz32(mask & -mask);
}

function chooseMod(row: Row, random: RandomSource, options: GeneratorOptions): number {
  if (!row.hasModRM || row.modIgnored || row.mod === 2) return 3;
  if (row.mod === 1) return random() % 3;
  if (options.rm === "register") return 3;
  if (options.rm === "memory") return random() % 3;
  return random() & 1 ? 3 : random() % 3;
}

function pushVex(
  row: Row,
  bytes: number[],
  size: number,
  rep: number,
  rxb: number,
  random: RandomSource,
): void {
  const usesV = row.operands.some((operand) => operand.place === "vvvv");
  const vvvv = usesV ? random() & 15 : 0;
  const pp = size & 1 ? 1 : rep === 2 ? 2 : rep === 1 ? 3 : 0;
  const last = ((~vvvv & 15) << 3) | (pickBit(row.l, random, true) << 2) | pp;
  if (row.map === 1 && (rxb & 3) === 0 && (size & 2) === 0 && random() & 1) {
    bytes.push(0xc5, ((~rxb & 4) << 5) | last);
  } else {
    bytes.push(0xc4, ((~rxb & 7) << 5) | row.map, ((size & 2) << 6) | last);
  }
}

function pushModRM(row: Row, bytes: number[], mod: number, random: RandomSource): void {
  const reg = pickField(row.reg, random);
  const rm = pickField(row.rm, random);
  bytes.push((mod << 6) | (reg << 3) | rm);
  if (mod === 3) return;
  let base = rm;
  if (rm === 4) {
    const sib = random() & 0xff;
    bytes.push(sib);
    base = sib & 7;
  }
  if (mod === 1) bytes.push(random() & 0xff);
  else if (mod === 2 || base === 5) pushImmediate(bytes, 4, random);
}

function pickField(mask: number, random: RandomSource): number {
  for (;;) {
    const value = random() & 7;
    if ((mask >> value) & 1) return value;
  }
}

/** Small, boundary and wholly random values. */
function pushImmediate(bytes: number[], size: number, random: RandomSource): void {
  if (random() & 1) {
    pushRandom(bytes, size, random);
    return;
  }
  const value = (random() & 0xff) - 128;
  for (let i = 0; i < size; i++) bytes.push((i < 4 ? value >> (8 * i) : value >> 31) & 0xff);
}

function pushRandom(bytes: number[], size: number, random: RandomSource): void {
  for (let i = 0; i < size; i++) bytes.push(random() & 0xff);
}
