/**
 * A second reading of the manual, for comparison: stage 1 of the EL1&0 regime as one bigint function over memory, with no
 * TLB, no cache and no suspension. Arm ARM D8. It shares no code with mmu/aarch64 but the addresses it is given.
 */
import type { PhysicalMemory } from "../../../mmu/index.ts";

export interface ReferenceMode {
  granule: 12 | 14 | 16;
  inputBits: number;
  /** PARange of the core, and TCR_EL1.IPS. */
  physicalBits: number;
  outputBits: number;
  roots: readonly [bigint, bigint];
  ha: boolean;
  hd: boolean;
  hpd: boolean;
  pan: boolean;
  epan: boolean;
  wxn: boolean;
}

export interface ReferenceAccess {
  address: bigint;
  kind: "read" | "write" | "fetch";
  el: 0 | 1;
  /** PSTATE.PAN has a say. */
  panApplies: boolean;
}

export type ReferenceResult =
  | { readonly outcome: "fault"; readonly fsc: number; readonly wnr: boolean }
  | { readonly outcome: "translated"; readonly physical: bigint };

const bit = (entry: bigint, n: number): boolean => ((entry >> BigInt(n)) & 1n) === 1n;
const field = (entry: bigint, high: number, low: number): bigint =>
  (entry >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);

/** Translates, and changes the descriptor in memory as the access would. */
export function referenceWalk(
  ram: PhysicalMemory,
  mode: ReferenceMode,
  access: ReferenceAccess,
): ReferenceResult {
  const { granule, inputBits } = mode;
  const { address, kind } = access;
  const fault = (code: number, level: number): ReferenceResult => ({
    outcome: "fault",
    fsc: code | level,
    wnr: kind === "write",
  });
  const TRANSLATION = 4;
  const upper = bit(address, 55);
  const extension = field(address, 63, inputBits);
  if (extension !== (upper ? (1n << BigInt(64 - inputBits)) - 1n : 0n)) return fault(TRANSLATION, 0);
  const perTable = granule - 3;
  let level = 3;
  while (granule + (4 - level) * perTable < inputBits) level--;
  let table = mode.roots[upper ? 1 : 0];
  if (table >> BigInt(mode.outputBits)) return fault(0, 0);
  let tableReadOnly = false;
  let tableNoEl0 = false;
  let tableUxn = false;
  let tablePxn = false;
  for (; ; level++) {
    const low = granule + (3 - level) * perTable;
    const high = Math.min(low + perTable, inputBits) - 1;
    const slot = table + 8n * field(address, high, low);
    if (slot >= BigInt(ram.sizeBytes)) return fault(0x14, level);
    const index = Number(slot) / 8;
    const entry = BigInt.asUintN(64, ram.i64[index]);
    if (!bit(entry, 0)) return fault(TRANSLATION, level);
    const isTable = bit(entry, 1) && level < 3;
    if (!isTable && !bit(entry, 1)) {
      const has = granule === 12 ? [1, 2] : granule === 16 && mode.physicalBits === 52 ? [1, 2] : [2];
      if (!has.includes(level)) return fault(TRANSLATION, level);
    }
    const base = isTable ? granule : low;
    let target = field(entry, 47, base) << BigInt(base);
    if (granule === 16 && mode.physicalBits === 52) target |= field(entry, 15, 12) << 48n;
    if (target >> BigInt(mode.outputBits)) return fault(0, level);
    if (isTable) {
      if (!mode.hpd) {
        tableReadOnly ||= bit(entry, 62);
        tableNoEl0 ||= bit(entry, 61);
        tableUxn ||= bit(entry, 60);
        tablePxn ||= bit(entry, 59);
      }
      table = target;
      continue;
    }
    if (!bit(entry, 10) && !mode.ha) return fault(8, level);
    const dirtiable = mode.ha && mode.hd && bit(entry, 51);
    let [pr, pw, ur, uw] = {
      0: [true, true, false, false],
      1: [true, true, true, true],
      2: [true, false, false, false],
      3: [true, false, true, false],
    }[Number(field(entry, 7, 6)) & (dirtiable ? 1 : 3)] as [boolean, boolean, boolean, boolean];
    if (tableReadOnly) pw = uw = false;
    if (tableNoEl0) ur = uw = false;
    const ux = !(bit(entry, 54) || tableUxn);
    const px = !(bit(entry, 53) || tablePxn || uw);
    if (mode.pan && access.panApplies && kind !== "fetch" && (ur || uw || (mode.epan && ux))) pr = pw = false;
    const [r, w, x] = access.el === 0 ? [ur, uw, ux] : [pr, pw, px];
    const allowed = kind === "read" ? r : kind === "write" ? w : x && !(mode.wxn && w);
    if (!allowed) return fault(0xc, level);
    let updated = entry | (1n << 10n);
    if (dirtiable && kind === "write") updated &= ~(1n << 7n);
    ram.i64[index] = BigInt.asIntN(64, updated);
    return { outcome: "translated", physical: target | field(address, low - 1, 0) };
  }
}
