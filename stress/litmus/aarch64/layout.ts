/**
 * Where the parts of an AArch64 litmus machine lie.
 *
 * Physical memory, by frame:
 *
 *      2  vectors           3 …  6  code of cores 0 … 3      8 … 11  tables of levels 0 to 3 of the linear map
 *     16 r + 16 …  root r: tables of levels 0, 1, 2, and of level 3 for regions 0 … 7        128 …  frames of locations
 *
 * Virtual memory: TTBR0_EL1 translates the test's half. Region r is 2 MiB from r << 21; the i-th location of a region is
 * its page 11 + i. TTBR1_EL1 translates a linear map of the first 2 MiB in global pages that no test changes: vectors,
 * code, and the page tables as data. Pages are for EL1 alone; 4 KiB granule, 48 bits.
 *
 * Levels of a litmus test are counted from the leaf: level 1 is the manual's level 3.
 */
import { UserError } from "../../../emu/user-error.ts";
import {
  TTD_AF,
  TTD_AP_EL0,
  TTD_AP_RO,
  TTD_HI_DBM,
  TTD_HI_PXN,
  TTD_HI_UXN,
  TTD_NG,
  TTD_SH_SHIFT,
  TTD_TABLE,
  TTD_VALID,
} from "../../../mmu/index.ts";
import { coresOf, type EntryValue, type LitmusTest, type Location, type Place, type Value } from "../test.ts";

export const VECTOR_FRAME = 2;
const CODE_FRAME = 3;
const LINEAR_TABLES = 8;
const ROOT_FRAME = 16;
const ROOT_FRAMES = 16;
const DATA_FRAME = 128;
const FRAMES = 512;

const MAX_CORES = 4;
const MAX_ROOTS = 4;
const MAX_REGIONS = 8;
const MAX_LOCATIONS = 16;
const FIRST_PAGE = 11;
/** The page of region 0 that nothing but the runner's upkeep of the walk caches uses. */
const WARM_PAGE = 40;

export const RAM_BYTES: number = FRAMES * 4096;
/** Bits 63:32 of addresses in the linear map; the low half is the physical address. */
export const LINEAR_HI: number = 0xffff_0000 | 0;
export const LINEAR_MAP = 0xffff_0000_0000_0000n;
/** Address of the page WARM_PAGE. */
export const WARM_LO: number = WARM_PAGE << 12;

const INNER_SHAREABLE: number = 3 << TTD_SH_SHIFT;
const TABLE: number = TTD_VALID | TTD_TABLE;
const PAGE: number = TABLE | TTD_AF | INNER_SHAREABLE;

/** Fields as herd names them: `db` is writable, AP[2] inverted. */
const LOW_FIELDS: Readonly<Record<string, number>> = {
  valid: TTD_VALID,
  af: TTD_AF,
  db: TTD_AP_RO,
  ng: TTD_NG,
  el0: TTD_AP_EL0,
};
const HIGH_FIELDS: Readonly<Record<string, number>> = {
  dbm: TTD_HI_DBM,
  pxn: TTD_HI_PXN,
  uxn: TTD_HI_UXN,
};
/** What an entry of the question has unless it says otherwise. */
const DEFAULTS: Readonly<Record<string, number>> = { valid: 1, af: 1, db: 1, dbm: 0 };

/** An entry as two int32 words. */
export interface EntryWords {
  readonly lo: number;
  readonly hi: number;
}

export function codeAddress(core: number): number {
  return (CODE_FRAME + core) << 12;
}

export function rootFrame(root: number): number {
  return ROOT_FRAME + root * ROOT_FRAMES;
}

/** Addresses and entries of one test. */
export class Layout {
  readonly roots: number;
  readonly #test: LitmusTest;
  readonly #index: Map<string, number> = new Map();
  readonly #byName: Map<string, Location>;

  /** @throws UserError if the test does not fit */
  constructor(test: LitmusTest) {
    this.#test = test;
    this.#byName = new Map(test.locations.map((location) => [location.name, location]));
    const inRegion = new Map<number, number>();
    for (const { name, region, mapping } of test.locations) {
      const index = inRegion.get(region) ?? 0;
      inRegion.set(region, index + 1);
      this.#index.set(name, index);
      if (region < 0 || region >= MAX_REGIONS) throw this.unfit(`region ${region} of ${name}`);
      if (mapping !== "page") throw this.unfit(`${name}, which is no page`);
    }
    if (test.locations.length > MAX_LOCATIONS) throw this.unfit("so many locations");
    if (coresOf(test) > MAX_CORES) throw this.unfit(`${coresOf(test)} threads`);
    this.roots = Math.max(0, ...rootsOf(test)) + 1;
    if (this.roots > MAX_ROOTS) throw this.unfit("so many roots");
  }

  /** Frame of a location as the test begins: PA(x). */
  frame(name: string): number {
    return DATA_FRAME + this.#test.locations.indexOf(this.#location(name));
  }

  /** Low half of a location's virtual address; the high half is 0. */
  address(name: string): number {
    return (this.#location(name).region << 21) | (this.pageIndex(name) << 12);
  }

  /** Index of a location in its leaf table. */
  pageIndex(name: string): number {
    return FIRST_PAGE + this.#index.get(this.#location(name).name)!;
  }

  /** Frame of the table of a level that the address of a location uses under a root as the test begins. */
  table(name: string, root: number, level: number): number {
    const base = rootFrame(root);
    return level > 1 ? base + 4 - level : base + 3 + this.#location(name).region;
  }

  /** Word index in RAM of a place. */
  slot({ location, level, root }: Place): number {
    if (level === 0) return this.frame(location) * 1024;
    const index = level === 1 ? this.pageIndex(location) : level === 2 ? this.#location(location).region : 0;
    return this.table(location, root, level) * 1024 + index * 2;
  }

  /**
   * The words of an entry: a valid writable page of the process, or a table, unless the fields say otherwise.
   * @param otherwise frame of an entry without a target
   */
  entry({ target, fields }: EntryValue, level: number, otherwise: number = 0): EntryWords {
    const isTable = level > 1;
    let lo = isTable ? TABLE : PAGE | TTD_NG;
    let hi = 0;
    for (const [name, value] of Object.entries(fields)) {
      const low = LOW_FIELDS[name];
      const high = HIGH_FIELDS[name];
      const isSet = (value !== 0) !== (name === "db");
      if (low !== undefined) lo = isSet ? lo | low : lo & ~low;
      else if (high !== undefined) hi = isSet ? hi | high : hi & ~high;
      else throw this.unfit(`an entry field ${name}`);
    }
    const frame = target === null ? otherwise : this.#targetFrame(target);
    return { lo: lo | (frame << 12), hi };
  }

  /** A value that is written to a place. An entry without an output address keeps the place's own. */
  words(value: Value, place: Place): EntryWords {
    if (value.kind === "register") throw new Error("Layout.words: a register has no constant value");
    if (value.kind === "number") return { lo: value.value | 0, hi: Math.floor(value.value / 2 ** 32) | 0 };
    return this.entry(value.entry, place.level, this.#leadsTo(place));
  }

  /** The words have what the entry names, and herd's defaults for what it does not. */
  matches(words: EntryWords, { target, fields }: EntryValue): boolean {
    for (const [name, value] of Object.entries({ ...DEFAULTS, ...fields })) {
      const low = LOW_FIELDS[name];
      const bit = low !== undefined ? words.lo & low : words.hi & (HIGH_FIELDS[name] ?? 0);
      if ((bit !== 0) !== ((value !== 0) !== (name === "db"))) return false;
    }
    return target === null || frameOf(words) === this.#targetFrame(target);
  }

  /** `PA(x)`, or the number of a frame that no location begins with. */
  frameName(frame: number): string {
    const location = this.#test.locations[frame - DATA_FRAME];
    return location === undefined ? `frame ${frame}` : `PA(${location.name})`;
  }

  /** An entry for people: `(PA(x) valid af db)`. */
  describe(words: EntryWords): string {
    const parts: string[] = [];
    const frame = frameOf(words);
    if (frame !== 0) parts.push(this.frameName(frame));
    for (const [name, bit] of Object.entries(LOW_FIELDS)) {
      if (((words.lo & bit) !== 0) !== (name === "db")) parts.push(name);
    }
    for (const [name, bit] of Object.entries(HIGH_FIELDS)) if ((words.hi & bit) !== 0) parts.push(name);
    return `(${parts.join(" ")})`;
  }

  /** Writes tables and data as the test begins. */
  writeInitial(write: (slot: number, lo: number, hi: number) => void): void {
    for (let level = 0; level < 3; level++) {
      write((LINEAR_TABLES + level) * 1024, TABLE | ((LINEAR_TABLES + level + 1) << 12), 0);
    }
    for (let frame = 0; frame < FRAMES; frame++) {
      write((LINEAR_TABLES + 3) * 1024 + frame * 2, PAGE | (frame << 12), 0);
    }
    for (let root = 0; root < this.roots; root++) this.#writeRoot(root, write);
    for (const { place, value } of this.#test.initial) {
      const { lo, hi } = this.words(value, place);
      write(this.slot(place), lo, hi);
    }
  }

  /** Word indices of the memory that the test can change, in pairs: the first word of each. */
  mutableSlots(): number[] {
    return [...this.#slots([0, 1, 2, 3, 4])].sort((a, b) => a - b);
  }

  /** Those of table entries. */
  tableSlots(): number[] {
    return [...this.#slots([1, 2, 3, 4])].sort((a, b) => a - b);
  }

  /** Frames of the test's page tables. */
  tableFrames(): number[] {
    return [...new Set(this.tableSlots().map((slot) => slot >> 10))];
  }

  /** Pages of the linear map that a core's own code and its accesses to tables use. */
  ownPages(core: number): number[] {
    return [VECTOR_FRAME, CODE_FRAME + core, ...this.tableFrames()];
  }

  /** Physical address of TTBR1_EL1's table. */
  get linearRoot(): number {
    return LINEAR_TABLES * 4096;
  }

  unfit(what: string): UserError {
    return new UserError(
      `the AArch64 litmus machine cannot hold ${what}`,
      this.#test.file,
      "make it smaller",
    );
  }

  #slots(levels: readonly (0 | 1 | 2 | 3 | 4)[]): Set<number> {
    const slots = new Set<number>();
    for (const { name } of this.#test.locations) {
      for (let root = 0; root < this.roots; root++) {
        for (const level of levels) slots.add(this.slot({ location: name, level, root }));
      }
    }
    return slots;
  }

  #writeRoot(root: number, write: (slot: number, lo: number, hi: number) => void): void {
    const base = rootFrame(root);
    write(base * 1024, TABLE | ((base + 1) << 12), 0);
    write((base + 1) * 1024, TABLE | ((base + 2) << 12), 0);
    for (let region = 0; region < MAX_REGIONS; region++) {
      write((base + 2) * 1024 + region * 2, TABLE | ((base + 3 + region) << 12), 0);
    }
    write((base + 3) * 1024 + WARM_PAGE * 2, PAGE | TTD_NG | ((DATA_FRAME - 1) << 12), 0);
    for (const { name } of this.#test.locations) {
      const { lo, hi } = this.entry({ target: { kind: "frame", location: name }, fields: {} }, 1);
      write(this.slot({ location: name, level: 1, root }), lo, hi);
    }
  }

  /** The frame that an entry leads to as the test begins. */
  #leadsTo({ location, level, root }: Place): number {
    return level > 1 ? this.table(location, root, level - 1) : this.frame(location);
  }

  #targetFrame(target: NonNullable<EntryValue["target"]>): number {
    if (target.kind === "frame") return this.frame(target.location);
    return this.table(target.location, target.root, 1);
  }

  #location(name: string): Location {
    const location = this.#byName.get(name);
    if (location === undefined) throw this.unfit(`a location ${name} without an initial value`);
    return location;
  }
}

/** Output address bits 47:12; no location lies above 4 GiB. */
function frameOf({ lo }: EntryWords): number {
  return lo >>> 12;
}

/** Root tables that a test names. */
function rootsOf(test: LitmusTest): number[] {
  const roots = test.initial.map(({ place }) => place.root);
  for (const { operations } of test.columns) {
    for (const { effect } of operations) {
      if (effect.kind === "context") roots.push(effect.root);
      if ("place" in effect) roots.push(effect.place.root);
    }
  }
  return roots;
}
