/** The operand tokens of the rows' syntax column, each as GNU objdump prints it without aliases. */
import { DecodeBitMasks } from "../bit-masks.ts";
import { systemRegisterName } from "../system-registers.ts";
import type { AnyFields } from "../table/index.ts";

export const CONDITION_NAMES = [
  "eq",
  "ne",
  "cs",
  "cc",
  "mi",
  "pl",
  "vs",
  "vc",
  "hi",
  "ls",
  "ge",
  "lt",
  "gt",
  "le",
  "al",
  "nv",
] as const;
const SHIFTS = ["lsl", "lsr", "asr", "ror"] as const;
const EXTENDS = ["uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx"] as const;
const BARRIERS: readonly (string | null)[] = [
  null,
  "oshld",
  "oshst",
  "osh",
  null,
  "nshld",
  "nshst",
  "nsh",
  null,
  "ishld",
  "ishst",
  "ish",
  null,
  "ld",
  "st",
  "sy",
];
const PREFETCH_TYPES = ["pld", "pli", "pst"] as const;

/** Text of a token. @param address of the instruction */
type Token = (f: AnyFields, address: bigint) => string;

const hex = (value: number): string => `0x${value.toString(16)}`;
const signed = (value: number, bits: number): number => (value << (32 - bits)) >> (32 - bits);
const label = (address: bigint, offset: bigint): string =>
  `0x${BigInt.asUintN(64, address + offset).toString(16)}`;
/** A byte offset in an address; 0 is not written. */
const offset = (value: number): string => (value === 0 ? "" : `, #${value}`);

/** Fields of branch offsets are told apart by the row: 26, 19 or 14 bits. */
function branchOffset(f: AnyFields): number {
  return (
    signed(f["i"]!, f["k"] !== undefined ? 14 : f["c"] !== undefined || f["t"] !== undefined ? 19 : 26) * 4
  );
}

/** UXTX (UXTW of a 32-bit form) is written as LSL where SP is an operand. */
function extendedRegister(f: AnyFields, usesStack: boolean): string {
  const wide = f["s"] === 1 && (f["o"]! & 3) === 3;
  const amount = f["i"]!;
  const register = registerName(f["m"]!, wide ? "X" : "W", "ZR");
  const plain = f["o"] === (f["s"] === 1 ? 3 : 2) && usesStack;
  if (plain) return amount === 0 ? register : `${register}, lsl #${amount}`;
  return `${register}, ${EXTENDS[f["o"]!]}${amount === 0 ? "" : ` #${amount}`}`;
}

/** Register offset of a load or store. @param log2Bytes size of the access */
function registerOffset(f: AnyFields, log2Bytes: number): string {
  const register = registerName(f["m"]!, f["p"] === 1 ? "X" : "W", "ZR");
  const name = EXTENDS[(f["o"]! << 2) | 2 | f["p"]!]!;
  const amount = f["k"] === 1 ? ` #${log2Bytes}` : "";
  if (name !== "uxtx") return `${register}, ${name}${amount}`;
  return f["k"] === 1 ? `${register}, lsl${amount}` : register;
}

function prefetch(f: AnyFields): string {
  const type = PREFETCH_TYPES[f["t"]! >> 3];
  const target = (f["t"]! >> 1) & 3;
  if (type === undefined || target === 3) return `#0x${f["t"]!.toString(16).padStart(2, "0")}`;
  return `${type}l${target + 1}${f["t"]! & 1 ? "strm" : "keep"}`;
}

/** Immediate of AND, ORR, EOR, ANDS. */
function bitmask(f: AnyFields): string {
  const { lo, hi } = DecodeBitMasks(f["N"]!, f["i"]!, f["r"]!).wmask;
  const value = (BigInt(f["s"] === 1 ? hi >>> 0 : 0) << 32n) | BigInt(lo >>> 0);
  return `0x${value.toString(16)}`;
}

const TOKENS: Readonly<Record<string, Token>> = {
  i: (f) => String(f["i"]),
  ix: (f) => hex(f["i"]!),
  r: (f) => String(f["r"]),
  o: (f) => String(f["o"]),
  n: (f) => String(f["n"]),
  m: (f) => String(f["m"]),
  p: (f) => String(f["p"]),
  k: (f) => String(f["k"]),
  vx: (f) => hex(f["v"]!),
  mx: (f) => hex(f["m"]!),
  c: (f) => CONDITION_NAMES[f["c"]!]!,
  AR: (f) => (f["A"] ? "a" : "") + (f["R"] ? "l" : ""),
  lsl12: (f) => (f["h"] ? ", lsl #12" : ""),
  hw: (f) => (f["h"] ? `, lsl #${f["h"]! * 16}` : ""),
  bitmask,
  shift: (f) => (f["i"] === 0 && f["h"] === 0 ? "" : `, ${SHIFTS[f["h"]!]} #${f["i"]}`),
  extended: (f) => extendedRegister(f, f["n"] === 31 || f["d"] === 31),
  extendedS: (f) => extendedRegister(f, f["n"] === 31),
  adr: (f, address) => label(address, BigInt(signed((f["i"]! << 2) | f["j"]!, 21))),
  adrp: (f, address) => label(address & ~0xfffn, BigInt(signed((f["i"]! << 2) | f["j"]!, 21)) * 4096n),
  label: (f, address) => label(address, BigInt(branchOffset(f))),
  bit: (f) => String(((f["s"] ?? 0) << 5) | f["k"]!),
  barrier: (f) => BARRIERS[f["i"]!] ?? `#${hex(f["i"]!).replace(/^0x(.)$/, "0x0$1")}`,
  clrex: (f) => (f["i"] === 15 ? "" : ` #${hex(f["i"]!)}`),
  isb: (f) => (f["i"] === 15 ? "" : ` #${hex(f["i"]!)}`),
  "Xt?": (f) => (f["t"] === 31 ? "" : `, ${registerName(f["t"]!, "X", "ZR")}`),
  "Xn?30": (f) => (f["n"] === 30 ? "" : ` ${registerName(f["n"]!, "X", "ZR")}`),
  sysreg: (f) => systemRegisterName(f["j"]!, f["o"]!, f["n"]!, f["m"]!, f["p"]!),
  prfop: prefetch,
  "Re+1": (f) => registerName(f["e"]! + 1, f["s"] ? "X" : "W", "ZR"),
  "Rt+1": (f) => registerName(f["t"]! + 1, f["s"] ? "X" : "W", "ZR"),
  i7: (f) => offset(signed(f["i"]!, 7) * (f["s"] ? 8 : 4)),
  "i7!": (f) => String(signed(f["i"]!, 7) * (f["s"] ? 8 : 4)),
  i7w: (f) => offset(signed(f["i"]!, 7) * 4),
  "i7w!": (f) => String(signed(f["i"]!, 7) * 4),
  i9: (f) => offset(signed(f["i"]!, 9)),
  "i9!": (f) => String(signed(f["i"]!, 9)),
  i12: (f) => offset(f["i"]!),
  i12h: (f) => offset(f["i"]! * 2),
  i12w: (f) => offset(f["i"]! * 4),
  i12x: (f) => offset(f["i"]! * 8),
  i12s: (f) => offset(f["i"]! * (f["s"] ? 8 : 4)),
  offset: (f) => registerOffset(f, 0),
  offseth: (f) => registerOffset(f, 1),
  offsetw: (f) => registerOffset(f, 2),
  offsetx: (f) => registerOffset(f, 3),
  offsets: (f) => registerOffset(f, f["s"] ? 3 : 2),
};

/** `Rd`, `Xn|SP`, `Wt`: width letter (R: by sf or w), field letter, meaning of 31. */
const REGISTER_TOKEN = /^([RXW])([dnmatue])(\|SP)?$/;

/** The function that prints a token. @throws Error for a token that does not exist */
export function tokenPrinter(token: string): Token {
  const match = REGISTER_TOKEN.exec(token);
  if (match === null) {
    const printer = TOKENS[token];
    if (printer === undefined) throw new Error(`A64 syntax: there is no token <${token}>`);
    return printer;
  }
  const [, width, letter, stack] = match;
  return (f) => {
    const wide = width === "X" || (width === "R" && (f["w"] === undefined ? f["s"] !== 0 : f["w"] === 0));
    return registerName(f[letter!]!, wide ? "X" : "W", stack === undefined ? "ZR" : "SP");
  };
}

function registerName(number: number, width: "X" | "W", of31: "SP" | "ZR"): string {
  if (number !== 31) return `${width.toLowerCase()}${number}`;
  if (of31 === "SP") return width === "X" ? "sp" : "wsp";
  return width === "X" ? "xzr" : "wzr";
}
