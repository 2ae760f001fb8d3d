/**
 * What the may-sets need to know of an architecture's page tables: which entries a walker may cache, where they lead,
 * and how rights combine along a walk. One object per core, as control registers take part.
 */

/** No translation may be made from the entry: it is not valid, its accessed flag is clear, a reserved bit is set. */
export const NOTHING = 0;
/** The entry refers to a table of the level below. */
export const TABLE = 1;
/** The entry maps a page. */
export const LEAF = 2;
export type EntryMeaning = 0 | 1 | 2;

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
  /** Rights with which a walk starts. */
  readonly rootRights: number;
  /** log2 of the bytes that one entry of a level covers. */
  shift(level: number): number;
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
}
