/** Cases that a user process can execute: encodings of each row with registers that lead accesses into the window. */
import {
  fieldsOf,
  type RandomSource,
  ROWS,
  type Row,
  randomInstruction,
} from "../../../../../emu/frontends/aarch64/index.ts";
import { ENTRY, inputsOf, type RecordedCase, SP, WINDOW } from "../results.ts";

const EXCLUDED_GROUPS: readonly string[] = ["reserved"];
/** The system rows that the frontend executes without the core's help. */
const SYSTEM = /^(B\.cond|HINT|DMB|SB|CFINV|XAFLAG|AXFLAG|BR|BLR|RET|B|BL|CBZ|CBNZ|TBZ|TBNZ)$/;
const NZCV_FIELDS = 0x000b_4200;
const REGISTER_FIELDS = 0x000f_ffe0;
/** Bytes from the window's start to where accesses begin at least. */
const MARGIN = 64;

/** Rows with recorded results; NZCV stands for MRS and MSR. */
export const USER_ROWS: readonly Row[] = ROWS.filter((row) => {
  if (row.kind !== "lifted" || EXCLUDED_GROUPS.includes(row.group)) return false;
  return row.group !== "branches-system" || SYSTEM.test(row.name) || isRegisterMove(row);
});

function isRegisterMove(row: Row): boolean {
  return row.name === "MRS" || row.name === "MSR (register)";
}

/** A case of a row, or null if the random encoding's registers make it useless. */
export function userCase(row: Row, seed: number, random: RandomSource): Omit<RecordedCase, "outcome"> | null {
  let word = randomInstruction(row, random);
  if (isRegisterMove(row)) word = (word & ~REGISTER_FIELDS) | NZCV_FIELDS;
  const f = fieldsOf(row, word);
  if (row.name === "HINT" && f["i"]! >= 1 && f["i"]! <= 5) return null;
  if (/^(BR|BLR|RET)$/.test(row.name)) {
    if (f["n"] === SP) return null;
    return { word, seed, overrides: new Map([[f["n"]!, ENTRY + BigInt((random() & 0xfff) * 4 - 0x2000)]]) };
  }
  if (row.group === "branches-system") return near(row, word, seed, random);
  if (row.group !== "loads-stores") return { word, seed, overrides: new Map() };
  if (row.name.includes("(literal)")) return literal(word, seed, random);
  return access(row, word, seed, random);
}

/** Branches stay inside the code area: 26-, 19- and 14-bit offsets all get 12 significant bits. */
function near(row: Row, word: number, seed: number, random: RandomSource): Omit<RecordedCase, "outcome"> {
  const field = row.fields.find(({ letter }) => letter === "i");
  if (field === undefined || field.bits.length < 14) return { word, seed, overrides: new Map() };
  const offset = (random() & 0xfff) - 0x800;
  const cleared = word & ~((field.mask << field.shift) | 0);
  return { word: cleared | ((offset & field.mask) << field.shift), seed, overrides: new Map() };
}

function literal(word: number, seed: number, random: RandomSource): Omit<RecordedCase, "outcome"> {
  const words = Number(WINDOW - ENTRY) / 4 + (random() & 31);
  return { word: (word & ~0x00ff_ffe0) | (words << 5), seed, overrides: new Map() };
}

function access(
  row: Row,
  word: number,
  seed: number,
  random: RandomSource,
): Omit<RecordedCase, "outcome"> | null {
  const f = fieldsOf(row, word);
  const n = f["n"]!;
  const ordered = /X[RP]|STL|LDA|LDL|CAS|SWP|LD(ADD|CLR|EOR|SET|SM|UM)/.test(row.name);
  const unaligned = ordered || n === SP ? 0 : random() & 15;
  const place = WINDOW + BigInt(MARGIN + (random() & 7) * 16 + unaligned);
  const overrides = new Map<number, bigint>();
  // SP is aligned to 16 bytes, so some addresses that must be aligned cannot be reached.
  if (ordered && n === SP && displacement(row, f) & 15) return null;
  if (f["m"] === undefined) {
    overrides.set(n, place - BigInt(displacement(row, f)));
  } else {
    const index = BigInt((random() & 15) - 8);
    if (f["m"] === n || (f["m"] === SP && n === SP)) return null;
    if (f["m"] !== SP)
      overrides.set(f["m"]!, f["o"] === 1 || f["p"] === 1 ? BigInt.asUintN(64, index) : index & 7n);
    overrides.set(n, place);
  }
  if (n === SP) overrides.set(SP, overrides.get(SP)! & ~15n);
  const inputs = inputsOf(seed, overrides);
  // Compare-and-swap finds what it expects every other time.
  if (row.name.startsWith("CAS") && row.name !== "CASP" && f["e"] !== n && f["e"] !== SP && random() & 1) {
    const at = Number(inputs.registers[n]! - WINDOW);
    const value = new DataView(inputs.memory.buffer).getBigUint64(at, true);
    overrides.set(f["e"]!, value);
  }
  if (row.name === "CASP" && f["e"] !== n && f["e"]! + 1 !== n && random() & 1) {
    const at = Number(inputs.registers[n]! - WINDOW);
    const memory = new DataView(inputs.memory.buffer);
    const element = (index: number): bigint =>
      f["s"] === 1
        ? memory.getBigUint64(at + index * 8, true)
        : BigInt(memory.getUint32(at + index * 4, true));
    overrides.set(f["e"]!, element(0));
    if (f["e"]! + 1 !== SP) overrides.set(f["e"]! + 1, element(1));
  }
  return { word, seed, overrides };
}

/** What the access adds to its base before it. */
function displacement(row: Row, f: Readonly<Record<string, number>>): number {
  const i = f["i"];
  if (i === undefined || row.name.includes("(post)")) return 0;
  const bits = row.fields.find(({ letter }) => letter === "i")!.bits.length;
  if (bits === 12) return i * unitOf(row, f);
  const value = (i << (32 - bits)) >> (32 - bits);
  return bits === 7 ? value * (row.name.startsWith("LDPSW") ? 4 : f["s"] === 1 ? 8 : 4) : value;
}

/** Bytes of a single-register access. */
function unitOf(row: Row, f: Readonly<Record<string, number>>): number {
  if (row.name.startsWith("PRFM")) return 8;
  const stem = row.name.split(" ")[0]!;
  if (stem.endsWith("B")) return 1;
  if (stem.endsWith("H")) return 2;
  return stem.endsWith("W") || f["s"] === 0 ? 4 : 8;
}
