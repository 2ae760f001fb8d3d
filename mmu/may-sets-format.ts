/**
 * What the may-sets need to know of an architecture's page tables: which entries a walker may cache, where they lead,
 * and how rights combine along a walk. One object per core and root register (a *space*: the addresses that one root
 * translates), as control registers take part. Levels count from the leaf table, 1.
 */

/** No translation may be made from the entry: it is not valid, its accessed flag is clear, a reserved bit is set. */
export const NOTHING = 0;
/** The entry refers to a table of the level below. */
export const TABLE = 1;
/** The entry maps a page. */
export const LEAF = 2;
export type EntryMeaning = 0 | 1 | 2;

/** Spaces of a core: addresses whose bit 63 is clear, and, with a root of their own, those where it is set. */
export const MAX_SPACES = 2;

/** Rights of a translation, whatever the format. */
export interface MayRights {
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
  /** User mode may use it. */
  readonly user: boolean;
  /** A store through it leaves the entry in memory as it is. */
  readonly dirty: boolean;
  /** Memory key, 0 without. */
  readonly key: number;
}

export interface MayFormat {
  /** Levels of a walk, leaf table 1; 0: translation is off. */
  readonly levels: number;
  /** Entries of the first table. */
  readonly rootEntries: number;
  /** 4 KiB frames of every other table, which is aligned to its length. */
  readonly tableFrames: number;
  /** log2 of the bytes of the pages that leaves map, ascending. */
  readonly leafShifts: readonly number[];
  /** Rights with which a walk starts. */
  readonly rootRights: number;
  /** log2 of the bytes that one entry of a level covers. */
  shift(level: number): number;
  /** The manual's number of a level, for reports. */
  levelNumber(level: number): number;
  /** Index of the entry of a level that an address selects. */
  index(lo: number, hi: number, level: number): number;
  /** The part of an address that an index into a table of a level stands for; the top level's is sign-extended. */
  baseLo(index: number, level: number): number;
  baseHi(index: number, level: number): number;
  /** What a walker may make of an entry of a level. */
  meaning(lo: number, hi: number, level: number): EntryMeaning;
  /** Some level gives the entry a meaning other than NOTHING. */
  isCacheable(lo: number, hi: number): boolean;
  /** Frame of the table or (first) frame of the page. */
  frame(lo: number, hi: number, level: number): number;
  /**
   * log2 of the aligned group of entries of a level as one of which a leaf may be cached; 0: each stands for itself.
   * Its first frame is aligned as the group is.
   */
  groupShift(lo: number, hi: number, level: number): number;
  /** Rights below an entry that refers to a table. */
  combine(rights: number, lo: number, hi: number): number;
  /** Attributes of a leaf's translation, ATTRIBUTE_GLOBAL among them. */
  leafAttributes(rights: number, lo: number, hi: number): number;
  isGlobal(attributes: number): boolean;
  /** Both values mean the same to every walker. */
  isSame(aLo: number, aHi: number, bLo: number, bHi: number): boolean;
  /** Whoever may hold `attributes` may hold `weaker`, as far as anyone can tell (equal, or but for D). */
  covers(attributes: number, weaker: number): boolean;
  rights(attributes: number): MayRights;
  /** What the architecture demands before a live translation is replaced by another one (break-before-make). */
  readonly replacement: ReplacementRule | null;
}

/** Which translations of one address must not be held at the same time, or the outcome is not predictable. */
export interface ReplacementRule {
  /** Sizes may differ: hardware copes with it. */
  readonly toleratesSizes: boolean;
  /** Between translations with these attributes to different frames, or of one size to the same: is it excluded? */
  excludes(older: number, newer: number): boolean;
  /** Neither lets anyone write: two frames with the same content are the same then. */
  areReadOnly(older: number, newer: number): boolean;
}

/** Frames of a page that a leaf of a level maps. */
export function pageFrames(format: MayFormat, level: number): number {
  return 2 ** (format.shift(level) - 12);
}

/** First frame of the group that a leaf stands for. */
export function groupBase(format: MayFormat, lo: number, hi: number, level: number, group: number): number {
  const frame = format.frame(lo, hi, level);
  return frame - (frame % (2 ** group * pageFrames(format, level)));
}
