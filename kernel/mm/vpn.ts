/**
 * Page numbers and address halves. A page number is exact in a double, an address is not; these conversions avoid the
 * remainder of doubles, which is a library call.
 */
const TWO_20 = 0x10_0000;

/** High int32 half of a page's address. @hot */
export function pageHi(page: number): number {
  return Math.floor(page / TWO_20) | 0;
}

/** Low int32 half of a page's address. @hot */
export function pageLo(page: number): number {
  return ((page - Math.floor(page / TWO_20) * TWO_20) << 12) | 0;
}

/** Page number of an address. @hot */
export function pageOf(lo: number, hi: number): number {
  return (lo >>> 12) + (hi >>> 0) * TWO_20;
}

/** Pages that a length in bytes (int32 halves) takes, rounded up. */
export function pagesOfBytes(lo: number, hi: number): number {
  return pageOf(lo, hi) + ((lo & 0xfff) === 0 ? 0 : 1);
}

/** `0x…` of a page's address, for messages. */
export function hexOfPage(page: number): string {
  return `0x${page.toString(16)}000`;
}
