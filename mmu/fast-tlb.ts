/**
 * The fast TLB: what backends read inline. It is a cache of a core's modelled first-level entries, never more; a
 * miss here that hits the modelled level is no event and costs no cycles.
 *
 * Direct-mapped on the low page-number bits, grain 4 KiB whatever the guest page, one half per privilege
 * (regime). An entry is eight int32 words:
 *
 *     0 readLo  1 readHi   tags: the page's full 64-bit address, or FAST_INVALID in the low word
 *     2 writeLo 3 writeHi  absent while D is clear, the frame holds code, or a dirty mark or watchpoint is pending
 *     4 execLo  5 execHi
 *     6 addend             physical page address minus the low half of the virtual page address, mod 2^32
 *     7 (spare)
 *
 * A backend tests `((lo + size - 1) & ~0xfff) === tagLo && hi === tagHi`, which also sends every page-crossing
 * access to the slow path, and then accesses physical address `(lo + addend) >>> 0`.
 */

export const FAST_ENTRIES = 512;
export const FAST_INDEX_MASK: number = FAST_ENTRIES - 1;
/** log2 of an entry's length in words. */
export const FAST_ENTRY_SHIFT = 3;
export const FAST_REGIMES = 2;
/** Words of one regime. */
export const FAST_REGIME_WORDS: number = FAST_ENTRIES << FAST_ENTRY_SHIFT;
/** Words of the whole structure. */
export const FAST_WORDS: number = FAST_REGIME_WORDS * FAST_REGIMES;
/** A low tag that matches no page address. */
export const FAST_INVALID = 1;

export const FAST_READ = 0;
export const FAST_WRITE = 2;
export const FAST_EXEC = 4;
export const FAST_ADDEND = 6;

/** Word index of the entry for a page in a regime. @hot */
export function fastIndex(lo: number, regime: number): number {
  return regime * FAST_REGIME_WORDS + (((lo >>> 12) & FAST_INDEX_MASK) << FAST_ENTRY_SHIFT);
}

/** Empties every entry of both regimes. */
export function emptyFastTlb(fast: Int32Array): void {
  for (let at = 0; at < FAST_WORDS; at += 8) {
    fast[at + FAST_READ] = FAST_INVALID;
    fast[at + FAST_WRITE] = FAST_INVALID;
    fast[at + FAST_EXEC] = FAST_INVALID;
  }
}

/** Removes one 4 KiB page from both regimes, if present. @hot */
export function dropFastPage(fast: Int32Array, lo: number, hi: number): void {
  const pageLo = lo & ~0xfff;
  for (let regime = 0; regime < FAST_REGIMES; regime++) {
    const at = fastIndex(pageLo, regime);
    if (fast[at + FAST_READ] === pageLo && fast[at + FAST_READ + 1] === hi)
      fast[at + FAST_READ] = FAST_INVALID;
    if (fast[at + FAST_WRITE] === pageLo && fast[at + FAST_WRITE + 1] === hi)
      fast[at + FAST_WRITE] = FAST_INVALID;
    if (fast[at + FAST_EXEC] === pageLo && fast[at + FAST_EXEC + 1] === hi)
      fast[at + FAST_EXEC] = FAST_INVALID;
  }
}

/** Removes every write tag that leads to a frame (it now holds code, or its dirty mark was cleared). */
export function dropFastWrites(fast: Int32Array, frame: number): void {
  for (let at = 0; at < FAST_WORDS; at += 8) {
    const tag = fast[at + FAST_WRITE]!;
    if (tag !== FAST_INVALID && (tag + fast[at + FAST_ADDEND]!) >>> 12 === frame)
      fast[at + FAST_WRITE] = FAST_INVALID;
  }
}
