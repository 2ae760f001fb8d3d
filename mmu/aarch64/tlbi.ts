/**
 * TLBI instructions of the EL1&0 regime as data: which entries an operand names. Arm ARM C5.5 "A64 System instructions
 * for TLB maintenance", D8 "TLB maintenance instructions", "TLB range maintenance instructions" (FEAT_TLBIRANGE),
 * "Translation Table Level hint" (FEAT_TTL). Arithmetic is the manual's:
 *
 *     by address  63-48 ASID  47-44 TTL (47-46 granule, 45-44 level)           43-0 VA[55:12]
 *     by range    63-48 ASID  47-46 TG  45-44 SCALE  43-39 NUM  38-37 TTL      36-0 BaseADDR
 *
 * A range has (NUM + 1) * 2^(5 * SCALE + 1) granules from BaseADDR, which is in granules.
 */
import { contiguousShift, type GranuleShift, granuleOfTG1, lookupShift } from "./descriptors.ts";

/** Mnemonics without the suffixes of shareability (IS, OS) and completion (nXS). */
export const TLBI_NAMES = [
  "VMALLE1",
  "VAE1",
  "ASIDE1",
  "VAAE1",
  "VALE1",
  "VAALE1",
  "RVAE1",
  "RVAAE1",
  "RVALE1",
  "RVAALE1",
] as const;
export type TlbiName = (typeof TLBI_NAMES)[number];

/** The cores whose entries go: this one; all of the Inner or of the Outer Shareable domain, here every core. */
export type TlbiShareability = "local" | "inner" | "outer";

/** What one TLBI names. Plain data: a machine may keep it and apply it to each core at its own moment. */
export interface TlbiOperation {
  readonly name: TlbiName;
  readonly shareability: TlbiShareability;
  readonly scope: "all" | "asid" | "address";
  /** 16 bits, before the width that TCR_EL1.AS gives; ANY_ASID: entries of every ASID. */
  readonly asid: number;
  /** First address, sign-extended. */
  readonly lo: number;
  readonly hi: number;
  /** Length of the range in pages of 4 KiB; 1 for an operation by address. */
  readonly pages: number;
  /** "last": entries of the last level only, walk caches keep theirs. */
  readonly levels: "any" | "last";
  /** Granule and level of the translation that software says it changed; without a hint 0 and -1. */
  readonly granule: 0 | GranuleShift;
  readonly hintedLevel: number;
}

export const ANY_ASID = -1;

/** What a name says. */
interface NameTraits extends Pick<TlbiOperation, "scope" | "levels"> {
  readonly asids: "own" | "any";
  readonly isRange: boolean;
}

const TRAITS = Object.fromEntries(TLBI_NAMES.map((name) => [name, traitsOf(name)])) as Record<
  TlbiName,
  NameTraits
>;

/**
 * The operation of an instruction and its operand register (int32 halves); null: the operand's TG is reserved, and the
 * instruction does nothing.
 */
export function decodeTlbi(
  name: TlbiName,
  shareability: TlbiShareability,
  lo: number,
  hi: number,
): TlbiOperation | null {
  const { scope, asids, isRange } = TRAITS[name];
  const asid = asids === "any" ? ANY_ASID : hi >>> 16;
  if (scope !== "address") return operation(name, shareability, asid, 0, 0, 0, 0, -1);
  if (isRange) return decodeRange(name, shareability, asid, lo, hi);
  const tg = (hi >>> 14) & 3;
  const level = (hi >>> 12) & 3;
  // TTL<3:2> = 00: no hint. Levels that a granule's leaves do not have are reserved: no hint either.
  const granule = tg === 0 ? 0 : granuleOfTTL(tg);
  const isHint = granule !== 0 && level !== 0 && !(level === 1 && granule === 14);
  const vaHi = ((hi << 20) >> 8) | (lo >>> 20);
  return operation(name, shareability, asid, lo << 12, vaHi, 1, isHint ? granule : 0, isHint ? level : -1);
}

function decodeRange(
  name: TlbiName,
  shareability: TlbiShareability,
  asid: number,
  lo: number,
  hi: number,
): TlbiOperation | null {
  const tg = (hi >>> 14) & 3;
  if (tg === 0) return null;
  const granule = granuleOfTTL(tg);
  const scale = (hi >>> 12) & 3;
  const num = (hi >>> 7) & 31;
  const ttl = (hi >>> 5) & 3;
  // BaseADDR is signed here: TTBR1's half has its upper bits set.
  const baseHi = (hi << 27) >> 27;
  return operation(
    name,
    shareability,
    asid,
    lo << granule,
    (baseHi << granule) | (lo >>> (32 - granule)),
    (num + 1) * 2 ** (5 * scale + 1) * 2 ** (granule - 12),
    granule,
    ttl === 0 || (ttl === 1 && granule === 14) ? -1 : ttl,
  );
}

// measured: one literal instead of spreads of common parts, 60 % of a loop of TLBI and DSB; Node 20.20.
function operation(
  name: TlbiName,
  shareability: TlbiShareability,
  asid: number,
  lo: number,
  hi: number,
  pages: number,
  granule: 0 | GranuleShift,
  hintedLevel: number,
): TlbiOperation {
  const { scope, levels } = TRAITS[name];
  return { name, shareability, scope, asid, lo, hi, pages, levels, granule, hintedLevel };
}

function traitsOf(name: TlbiName): NameTraits {
  if (name === "VMALLE1") return { scope: "all", levels: "any", asids: "any", isRange: false };
  if (name === "ASIDE1") return { scope: "asid", levels: "any", asids: "own", isRange: false };
  return {
    scope: "address",
    levels: name.endsWith("LE1") ? "last" : "any",
    asids: name.includes("VAA") ? "any" : "own",
    isRange: name.startsWith("R"),
  };
}

/** The sizes, as shifts, of the leaves of a level: a page or block, and a contiguous group of them. */
export function leafShifts(granule: GranuleShift, level: number): readonly [number, number] {
  const shift = lookupShift(granule, level);
  return [shift, shift + contiguousShift(granule, level)];
}

/** 1: 4 KiB, 2: 16 KiB, 3: 64 KiB. TG1 has 4 KiB and 16 KiB the other way round. */
function granuleOfTTL(tg: number): GranuleShift {
  return granuleOfTG1(tg === 3 ? 3 : 3 - tg);
}
