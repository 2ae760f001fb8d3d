/** The few A64 encodings that litmus programs are made of: Arm ARM DDI 0487, chapter C6. */

/** CRm of DMB and DSB by option. */
const BARRIER_OPTIONS: Readonly<Record<string, number>> = {
  SY: 15,
  ST: 14,
  LD: 13,
  ISH: 11,
  ISHST: 10,
  ISHLD: 9,
  NSH: 7,
  NSHST: 6,
  NSHLD: 5,
  OSH: 3,
  OSHST: 2,
  OSHLD: 1,
};
/** op2 of TLBI at EL1, CRn 8; CRm is 7, and 3 of the inner shareable forms. */
const TLBI_OPERATIONS: Readonly<Record<string, number>> = {
  VMALLE1: 0,
  VAE1: 1,
  ASIDE1: 2,
  VAAE1: 3,
  VALE1: 5,
  VAALE1: 7,
};

export const ERET = 0xd69f_03e0;
export const ISB = 0xd503_3fdf;
export const NOP = 0xd503_201f;

/** System registers that programs use, as bits 20 to 5 of MRS and MSR. */
export const ESR_EL1 = 0xc290;
export const ELR_EL1 = 0xc201;
export const TTBR0_EL1 = 0xc100;

export function isBarrierOption(option: string): boolean {
  return option in BARRIER_OPTIONS;
}

export class Assembler {
  readonly words: number[] = [];
  /** Address of the first instruction. */
  readonly origin: bigint;

  constructor(origin: bigint) {
    this.origin = origin;
  }

  /** Address of the next instruction. */
  get here(): bigint {
    return this.origin + BigInt(this.words.length * 4);
  }

  /** Bytes so far. */
  get length(): number {
    return this.words.length * 4;
  }

  raw(...words: number[]): void {
    for (const word of words) this.words.push(word >>> 0);
  }

  /** MOVZ, and MOVK for every other quarter that is not 0. */
  moveImmediate(d: number, value: bigint): void {
    const quarters = [0, 1, 2, 3].map((at) =>
      Number((BigInt.asUintN(64, value) >> BigInt(at * 16)) & 0xffffn),
    );
    this.raw(0xd280_0000 | (quarters[0]! << 5) | d);
    for (let at = 1; at < 4; at++) {
      if (quarters[at] !== 0) this.raw(0xf280_0000 | (at << 21) | (quarters[at]! << 5) | d);
    }
  }

  /** ORR Xd, XZR, Xm. */
  move(d: number, m: number): void {
    this.raw(0xaa00_03e0 | (m << 16) | d);
  }

  /** SUB Xd, Xn, Xm. */
  subtract(d: number, n: number, m: number): void {
    this.raw(0xcb00_0000 | (m << 16) | (n << 5) | d);
  }

  /** LDR Xt, [Xn]. */
  load(t: number, n: number): void {
    this.raw(0xf940_0000 | (n << 5) | t);
  }

  /** STR Xt, [Xn]. */
  store(t: number, n: number): void {
    this.raw(0xf900_0000 | (n << 5) | t);
  }

  /** SWP, LDADD, LDCLR Xs, Xt, [Xn]. */
  atomic(name: "SWP" | "LDADD" | "LDCLR", s: number, t: number, n: number): void {
    const opcode = { SWP: 0x8000, LDADD: 0x0000, LDCLR: 0x1000 }[name];
    this.raw(0xf820_0000 | opcode | (s << 16) | (n << 5) | t);
  }

  /** B. */
  branch(target: bigint): void {
    this.raw(0x1400_0000 | (this.#offset(target) & 0x3ff_ffff));
  }

  /** CBZ Xt. */
  branchIfZero(t: number, target: bigint): void {
    this.raw(0xb400_0000 | ((this.#offset(target) & 0x7_ffff) << 5) | t);
  }

  /** DMB or DSB with an option. */
  barrier(mnemonic: string): void {
    const [name, option = "SY"] = mnemonic.split(" ");
    this.raw((name === "DSB" ? 0xd503_309f : 0xd503_30bf) | (BARRIER_OPTIONS[option]! << 8));
  }

  /** TLBI: a name without its suffix. */
  invalidate(name: string, reach: "core" | "all-cores", t: number): void {
    const crm = reach === "core" ? 7 : 3;
    this.raw(0xd508_8000 | (crm << 8) | (TLBI_OPERATIONS[name]! << 5) | t);
  }

  readSystem(t: number, register: number): void {
    this.raw(0xd520_0000 | (register << 5) | t);
  }

  writeSystem(register: number, t: number): void {
    this.raw(0xd500_0000 | (register << 5) | t);
  }

  #offset(target: bigint): number {
    return Number(target - this.here) / 4;
  }
}
