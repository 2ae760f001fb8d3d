/**
 * Segment descriptors and selectors: Intel SDM vol. 3A 3.4.2, 3.4.5, 5.8.3 and, for 64-bit mode, 5.2.1, 7.2.3.
 *
 *     63    56 55 54 53 52 51    48 47 46 45 44 43  40 39      16 15       0
 *     base     G  DB L  AVL limit   P  DPL   S  type   base       limit
 *
 * A descriptor is a pair of words; "rights" are bits 47:40 and 55:52 of it, as bits 7:0 and 15:12.
 */
import { IMPLICIT, type TranslationStatus } from "../../../mmu/index.ts";
import type { SystemAccess } from "./system-access.ts";
import { GDTR, LDTR, LIMIT } from "./words.ts";

/** Bits of a descriptor's high word. */
export const DESCRIPTOR_ACCESSED: number = 1 << 8;
export const DESCRIPTOR_WRITABLE: number = 1 << 9;
export const DESCRIPTOR_READABLE: number = 1 << 9;
export const DESCRIPTOR_CONFORMING: number = 1 << 10;
export const DESCRIPTOR_EXPAND_DOWN: number = 1 << 10;
export const DESCRIPTOR_CODE: number = 1 << 11;
export const DESCRIPTOR_S: number = 1 << 12;
export const DESCRIPTOR_P: number = 1 << 15;
export const DESCRIPTOR_L: number = 1 << 21;
export const DESCRIPTOR_DB: number = 1 << 22;
export const DESCRIPTOR_G: number = 1 << 23;

/** System descriptor types in 64-bit mode, table 3-2. */
export const TYPE_LDT = 2;
export const TYPE_TSS_AVAILABLE = 9;
export const TYPE_TSS_BUSY = 11;
export const TYPE_CALL_GATE = 12;
export const TYPE_INTERRUPT_GATE = 14;
export const TYPE_TRAP_GATE = 15;

/** Selector bits. */
export const SELECTOR_RPL = 3;
export const SELECTOR_TI = 4;

/** What loadDescriptor() returns besides a TranslationStatus: the selector lies outside its table. */
export const OUTSIDE = 3;
export type DescriptorStatus = TranslationStatus | typeof OUTSIDE;

export function descriptorDpl(hi: number): number {
  return (hi >>> 13) & 3;
}

export function descriptorType(hi: number): number {
  return (hi >>> 8) & 15;
}

/** S, and code; a gate or TSS is neither. */
export function isCode(hi: number): boolean {
  return (hi & (DESCRIPTOR_S | DESCRIPTOR_CODE)) === (DESCRIPTOR_S | DESCRIPTOR_CODE);
}

export function isConforming(hi: number): boolean {
  return (hi & DESCRIPTOR_CONFORMING) !== 0;
}

/** A 64-bit code segment: L = 1, D = 0. */
export function isLong(hi: number): boolean {
  return (hi & (DESCRIPTOR_L | DESCRIPTOR_DB)) === DESCRIPTOR_L;
}

export function isWritableData(hi: number): boolean {
  return (
    (hi & (DESCRIPTOR_S | DESCRIPTOR_CODE | DESCRIPTOR_WRITABLE)) === (DESCRIPTOR_S | DESCRIPTOR_WRITABLE)
  );
}

export function isNull(selector: number): boolean {
  return (selector & 0xfffc) === 0;
}

export function descriptorRights(hi: number): number {
  return ((hi >>> 8) & 0xff) | ((hi >>> 8) & 0xf000);
}

/** Bits 31:0 of a base in the descriptor itself. */
export function descriptorBase(lo: number, hi: number): number {
  return (lo >>> 16) | ((hi & 0xff) << 16) | (hi & 0xff00_0000);
}

/** Limit in bytes, 0 … 2^32-1. */
export function descriptorLimit(lo: number, hi: number): number {
  const limit = (lo & 0xffff) | (hi & 0xf_0000);
  return (hi & DESCRIPTOR_G) !== 0 ? limit * 4096 + 4095 : limit;
}

/**
 * Reads 8 bytes of the descriptor that a selector names, from `offset` on, as an implicit supervisor access; the value
 * is in access.lo and access.hi. The whole descriptor of `bytes` must lie within the table's limit. @hot
 */
export function loadDescriptor(
  words: Int32Array,
  access: SystemAccess,
  selector: number,
  bytes: 8 | 16,
  offset: 0 | 8,
): DescriptorStatus {
  const table = (selector & SELECTOR_TI) !== 0 ? LDTR : GDTR;
  const at = selector & 0xfff8;
  // A null LDTR has limit 0 and an impossible last byte.
  if (at + bytes - 1 > words[table + LIMIT] >>> 0 || (table === LDTR && isLdtNull(words))) return OUTSIDE;
  const base = words[table];
  const lo = (base + at + offset) | 0;
  const hi = (words[table + 1] + (lo >>> 0 < base >>> 0 ? 1 : 0)) | 0;
  return access.load64(lo, hi, IMPLICIT);
}

/** Sets bits in byte 5 (rights) of the descriptor that a selector names: accessed 1, busy 2. */
export function markDescriptor(
  words: Int32Array,
  access: SystemAccess,
  selector: number,
  bits: number,
): TranslationStatus {
  const table = (selector & SELECTOR_TI) !== 0 ? LDTR : GDTR;
  const base = words[table];
  const lo = (base + (selector & 0xfff8) + 5) | 0;
  const hi = (words[table + 1] + (lo >>> 0 < base >>> 0 ? 1 : 0)) | 0;
  return access.setBits(lo, hi, bits);
}

function isLdtNull(words: Int32Array): boolean {
  return words[LDTR + 3] === 0;
}
