/**
 * A second reading of the manual, for comparison: paging as one bigint function over memory, with no TLB, no cache and
 * no suspension. Intel SDM vol. 3A 4.5 to 4.8. It shares no code with mmu/x86-64 but the addresses it is given.
 */
import type { PhysicalMemory } from "../../../mmu/index.ts";

export interface ReferenceMode {
  levels: 4 | 5;
  root: number;
  maxPhysBits: number;
  wp: boolean;
  nxe: boolean;
  smep: boolean;
  smap: boolean;
  ac: boolean;
  pke: boolean;
  pkru: number;
}

export interface ReferenceAccess {
  address: bigint;
  kind: "read" | "write" | "fetch";
  /** CPL 3 or below. */
  cpl: 0 | 3;
  /** A supervisor access whatever the CPL. */
  implicit: boolean;
}

export type ReferenceResult =
  | { readonly outcome: "general-protection" }
  | { readonly outcome: "page-fault"; readonly errorCode: number }
  | { readonly outcome: "translated"; readonly physical: bigint };

/** Bits of entries: name them here again, on purpose. */
const bit = (entry: bigint, n: number): boolean => ((entry >> BigInt(n)) & 1n) === 1n;
const field = (entry: bigint, high: number, low: number): bigint =>
  (entry >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);

/** Translates, and sets A and D in memory as the access would. */
export function referenceWalk(
  ram: PhysicalMemory,
  mode: ReferenceMode,
  access: ReferenceAccess,
): ReferenceResult {
  const { address } = access;
  const top = mode.levels === 5 ? 56 : 47;
  const signBits = address >> BigInt(top);
  if (signBits !== 0n && signBits !== (1n << BigInt(64 - top)) - 1n) return { outcome: "general-protection" };

  const userAccess = access.cpl === 3 && !access.implicit;
  const fault = (bits: number): ReferenceResult => {
    let errorCode = bits;
    if (access.kind === "write") errorCode |= 2;
    if (userAccess) errorCode |= 4;
    if (access.kind === "fetch" && (mode.smep || mode.nxe)) errorCode |= 16;
    return { outcome: "page-fault", errorCode };
  };

  let table = BigInt(mode.root) << 12n;
  let everyWritable = true;
  let everyUser = true;
  let anyNoExecute = false;
  for (let level: number = mode.levels; ; level--) {
    const low = 12 + 9 * (level - 1);
    const slot = Number(table + 8n * field(address, low + 8, low)) / 8;
    const entry = BigInt.asUintN(64, ram.i64[slot]);
    if (!bit(entry, 0)) return fault(0);
    if (field(entry, 51, mode.maxPhysBits) !== 0n) return fault(1 | 8);
    if (bit(entry, 63) && !mode.nxe) return fault(1 | 8);
    const large = level > 1 && bit(entry, 7);
    if (large && level >= 4) return fault(1 | 8);
    if (large && level === 3 && field(entry, 29, 13) !== 0n) return fault(1 | 8);
    if (large && level === 2 && field(entry, 20, 13) !== 0n) return fault(1 | 8);
    everyWritable &&= bit(entry, 1);
    everyUser &&= bit(entry, 2);
    anyNoExecute ||= bit(entry, 63);
    if (level > 1 && !large) {
      ram.i64[slot] = BigInt.asIntN(64, entry | 0x20n);
      table = field(entry, 51, 12) << 12n;
      continue;
    }

    const key = Number(field(entry, 62, 59));
    const accessDisabled = ((mode.pkru >>> (2 * key)) & 1) === 1;
    const writeDisabled = ((mode.pkru >>> (2 * key + 1)) & 1) === 1;
    const keyApplies = mode.pke && everyUser && access.kind !== "fetch";
    const keyViolation =
      keyApplies && (accessDisabled || (writeDisabled && access.kind === "write" && (userAccess || mode.wp)));
    let allowed: boolean;
    if (userAccess) {
      if (!everyUser) allowed = false;
      else if (access.kind === "read") allowed = true;
      else if (access.kind === "write") allowed = everyWritable;
      else allowed = !mode.nxe || !anyNoExecute;
    } else if (access.kind === "fetch") {
      allowed = (!mode.nxe || !anyNoExecute) && !(everyUser && mode.smep);
    } else {
      const smapAllows = !everyUser || !mode.smap || (mode.ac && !access.implicit);
      allowed = smapAllows && (access.kind === "read" || !mode.wp || everyWritable);
    }
    if (!allowed || keyViolation) return fault(1 | (keyViolation ? 32 : 0));
    ram.i64[slot] = BigInt.asIntN(64, entry | (access.kind === "write" ? 0x60n : 0x20n));
    const size = 1n << BigInt(low);
    const base = (field(entry, 51, 12) << 12n) & ~(size - 1n);
    return { outcome: "translated", physical: base | (address & (size - 1n)) };
  }
}
