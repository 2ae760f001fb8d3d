/**
 * Address types. Physical addresses and page numbers are exact in a double (52 bits); a virtual address is a
 * (lo, hi) pair of int32 halves in hot code and a branded bigint in cold code, never a plain number, because
 * 5-level user addresses pass 2^53. Only the constructors here make brands.
 */

declare const brand: unique symbol;

/** A physical byte address, 0 … 2^52-1. */
export type PhysAddr = number & { readonly [brand]: "PhysAddr" };
/** A physical frame number: PhysAddr >>> 12. */
export type Pfn = number & { readonly [brand]: "Pfn" };
/** A virtual page number, 0 … 2^52-1: bits 63:12 of a virtual address. */
export type Vpn = number & { readonly [brand]: "Vpn" };
/** A virtual byte address, 0n … 2^64-1n. Cold code only. */
export type VirtAddr = bigint & { readonly [brand]: "VirtAddr" };

export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 4096;

const TWO_20 = 0x10_0000;
const TWO_32 = 0x1_0000_0000;

export function physAddr(value: number): PhysAddr {
  return value as PhysAddr;
}

export function pfn(value: number): Pfn {
  return value as Pfn;
}

export function vpn(value: number): Vpn {
  return value as Vpn;
}

export function virtAddr(value: bigint): VirtAddr {
  return BigInt.asUintN(64, value) as VirtAddr;
}

export function pfnToPhys(frame: Pfn): PhysAddr {
  return (frame * PAGE_SIZE) as PhysAddr;
}

export function physToPfn(pa: PhysAddr): Pfn {
  return Math.floor(pa / PAGE_SIZE) as Pfn;
}

/** The page number of the address with these int32 halves. */
export function vpnOfHalves(lo: number, hi: number): Vpn {
  return ((lo >>> 12) + (hi >>> 0) * TWO_20) as Vpn;
}

/** Low int32 half of the address of a page. */
export function vpnLo(page: Vpn): number {
  return ((page % TWO_20) << 12) | 0;
}

/** High int32 half of the address of a page. */
export function vpnHi(page: Vpn): number {
  return Math.floor(page / TWO_20) | 0;
}

export function virtAddrOfHalves(lo: number, hi: number): VirtAddr {
  return ((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)) as VirtAddr;
}

export function loOf(va: VirtAddr): number {
  return Number(BigInt.asIntN(32, va));
}

export function hiOf(va: VirtAddr): number {
  return Number(BigInt.asIntN(32, va >> 32n));
}

export function vpnOf(va: VirtAddr): Vpn {
  return Number(va >> 12n) as Vpn;
}

export function virtAddrOfVpn(page: Vpn, offset = 0): VirtAddr {
  return ((BigInt(page) << 12n) + BigInt(offset)) as VirtAddr;
}

/** The value of two int32 halves as a double; exact below 2^53. */
export function numberOfHalves(lo: number, hi: number): number {
  return (lo >>> 0) + (hi >>> 0) * TWO_32;
}

/** `0x` and hex digits of two int32 halves, for messages. */
export function hexOfHalves(lo: number, hi: number): string {
  const low = (lo >>> 0).toString(16);
  return hi === 0 ? `0x${low}` : `0x${(hi >>> 0).toString(16)}${low.padStart(8, "0")}`;
}
