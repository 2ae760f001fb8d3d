/** The few x86-64 encodings that litmus programs are made of: Intel SDM vol. 2, chapters 2 to 5. */

/** Numbers of the general registers in encodings. */
export const REGISTERS: {
  readonly [name: string]: number;
  readonly RAX: number;
  readonly RCX: number;
  readonly RDX: number;
  readonly RBX: number;
  readonly R11: number;
  readonly R12: number;
  readonly R15: number;
} = {
  RAX: 0,
  RCX: 1,
  RDX: 2,
  RBX: 3,
  RSP: 4,
  RBP: 5,
  RSI: 6,
  RDI: 7,
  R8: 8,
  R9: 9,
  R10: 10,
  R11: 11,
  R12: 12,
  R13: 13,
  R14: 14,
  R15: 15,
};

const REX_W = 0x48;
const REX_R = 4;
const REX_B = 1;

export class Assembler {
  readonly bytes: number[] = [];
  /** Address of the first byte. */
  readonly origin: bigint;

  constructor(origin: bigint) {
    this.origin = origin;
  }

  /** Address of the next byte. */
  get here(): bigint {
    return this.origin + BigInt(this.bytes.length);
  }

  raw(...bytes: number[]): void {
    this.bytes.push(...bytes);
  }

  /** MOV r64, imm64: REX.W + B8+rd io. */
  moveImmediate(register: number, value: bigint): void {
    this.raw(REX_W | (register >> 3 ? REX_B : 0), 0xb8 + (register & 7));
    this.#little(value, 8);
  }

  /** MOV r64, r64: REX.W + 89 /r. */
  move(to: number, from: number): void {
    this.raw(REX_W | (from >> 3 ? REX_R : 0) | (to >> 3 ? REX_B : 0), 0x89);
    this.raw(0xc0 | ((from & 7) << 3) | (to & 7));
  }

  /**
   * An instruction of one or two opcode bytes with a 64-bit register (or opcode extension) and memory at [base], the base
   * being none of RSP, RBP, R12 and R13, which need more bytes.
   */
  memory(opcode: readonly number[], register: number, base: number, prefixes: readonly number[] = []): void {
    this.raw(...prefixes, REX_W | (register >> 3 ? REX_R : 0) | (base >> 3 ? REX_B : 0), ...opcode);
    this.raw(((register & 7) << 3) | (base & 7));
  }

  /** CMP r64, imm32: REX.W + 81 /7 id. */
  compare(register: number, value: number): void {
    this.raw(REX_W | (register >> 3 ? REX_B : 0), 0x81, 0xf8 | (register & 7));
    this.#little(BigInt(value), 4);
  }

  /** JMP rel32: E9 cd. */
  jump(target: bigint): void {
    const next = this.here + 5n;
    this.raw(0xe9);
    this.#little(target - next, 4);
  }

  /** JMP r64: FF /4. */
  jumpTo(register: number): void {
    this.raw(0x40 | (register >> 3 ? REX_B : 0), 0xff, 0xe0 | (register & 7));
  }

  #little(value: bigint, count: number): void {
    const bits = BigInt.asUintN(64, value);
    for (let i = 0; i < count; i++) this.raw(Number((bits >> BigInt(i * 8)) & 0xffn));
  }
}
