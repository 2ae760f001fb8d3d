/**
 * Where the parts of a litmus machine lie.
 *
 * Physical memory, by frame:
 *
 *      1  GDT            3 …  6  code of cores 0 … 3       11 … 13  PDPT, PD and PT of the direct map
 *      2  IDT            7 … 10  stacks of cores 0 … 3     16 r + 16 …  root r: PML4, PDPT, PD, PTs of regions 0 … 7
 *    128 …  frames of locations; those of 2 MiB from the third 2 MiB on
 *
 * Virtual memory: the lower half is the test's. Region r is 2 MiB from r << 21; the i-th location of a region is its
 * page 11 + i, so that locations and the runner's own pages fall into different sets of the TLBs. PD entry 511 leads to
 * the PD itself (windows). The direct map of the first 2 MiB lies at the start of the upper half, in global pages that no
 * test changes: code, stacks, descriptor tables, and the page tables as data.
 */

import { UserError } from "../../../emu/user-error.ts";
import {
  entryFrame,
  entryHi,
  entryLo,
  PTE_A,
  PTE_D,
  PTE_G,
  PTE_HI_XD,
  PTE_P,
  PTE_PS,
  PTE_RW,
  PTE_US,
} from "../../../mmu/index.ts";
import { coresOf, type EntryValue, type LitmusTest, type Location, type Place, type Value } from "../test.ts";

export const GDT_FRAME = 1;
export const IDT_FRAME = 2;
const CODE_FRAME = 3;
const STACK_FRAME = 7;
const DIRECT_PDPT = 11;
const DIRECT_PD = 12;
const DIRECT_PT = 13;
const ROOT_FRAME = 16;
const ROOT_FRAMES = 16;
const DATA_FRAME = 128;
const FIRST_LARGE_FRAME = 1024;
const LARGE_FRAMES = 512;

const MAX_CORES = 4;
const MAX_ROOTS = 4;
const MAX_REGIONS = 8;
const MAX_LOCATIONS = 16;
const FIRST_PAGE = 11;
/** The page of region 0 that nothing but the runner's upkeep of the paging-structure caches uses. */
const WARM_PAGE = 40;
const SELF_ENTRY = 511;
const DIRECT_ENTRY = 256;

export const RAM_BYTES: number = (FIRST_LARGE_FRAME + 4 * LARGE_FRAMES) * 4096;
export const DIRECT_MAP = 0xffff_8000_0000_0000n;
/** Code in a location's frame that a fetch executes. */
export const FETCH_OFFSET = 64;
/** Address of the page WARM_PAGE. */
export const WARM_LO: number = WARM_PAGE << 12;

/** Bit of an entry that is reserved below a MAXPHYADDR of 52, as a bit of its high word. */
const RESERVED_HI: number = 1 << 19;
const LOW_FIELDS: Readonly<Record<string, number>> = {
  P: PTE_P,
  RW: PTE_RW,
  US: PTE_US,
  A: PTE_A,
  D: PTE_D,
  PS: PTE_PS,
  G: PTE_G,
};
const HIGH_FIELDS: Readonly<Record<string, number>> = { XD: PTE_HI_XD, RSVD: RESERVED_HI };

export function codeAddress(core: number): bigint {
  return DIRECT_MAP + BigInt((CODE_FRAME + core) << 12);
}

/** First byte past a core's stack. */
export function stackTop(core: number): bigint {
  return DIRECT_MAP + BigInt((STACK_FRAME + core + 1) << 12);
}

export function rootFrame(root: number): number {
  return ROOT_FRAME + root * ROOT_FRAMES;
}

/** An entry as two int32 words. */
export interface EntryWords {
  readonly lo: number;
  readonly hi: number;
}

/** Addresses and entries of one test. */
export class Layout {
  readonly roots: number;
  readonly #test: LitmusTest;
  readonly #index: Map<string, number> = new Map();
  readonly #byName: Map<string, Location>;
  readonly #frames: Map<string, number> = new Map();

  /** @throws UserError if the test does not fit */
  constructor(test: LitmusTest) {
    this.#test = test;
    this.#byName = new Map(test.locations.map((location) => [location.name, location]));
    const inRegion = new Map<number, number>();
    const large = new Map<number, number>();
    test.locations.forEach(({ name, region, mapping }, i) => {
      const index = inRegion.get(region) ?? 0;
      inRegion.set(region, index + 1);
      this.#index.set(name, index);
      if (mapping === "large" && !large.has(region))
        large.set(region, FIRST_LARGE_FRAME + LARGE_FRAMES * large.size);
      const frame = mapping === "large" ? large.get(region)! + FIRST_PAGE + index : DATA_FRAME + i;
      this.#frames.set(name, frame);
      if (region < 0 || region >= MAX_REGIONS) throw this.#unfit(`region ${region} of ${name}`);
    });
    if (test.locations.length > MAX_LOCATIONS || large.size > 4) throw this.#unfit("so many locations");
    if (coresOf(test) > MAX_CORES) throw this.#unfit(`${coresOf(test)} threads`);
    this.roots = Math.max(0, ...rootsOf(test)) + 1;
    if (this.roots > MAX_ROOTS) throw this.#unfit("so many roots");
  }

  /** Frame of a location as the test begins: PA(x). */
  frame(name: string): number {
    const frame = this.#frames.get(name);
    if (frame === undefined) throw this.#unfit(`a location ${name} without an initial value`);
    return frame;
  }

  /** Low half of a location's virtual address; the high half is 0. */
  address(name: string): number {
    const location = this.#location(name);
    if (location.mapping !== "window") return ((location.region << 21) | (this.pageIndex(name) << 12)) >>> 0;
    const of = this.#location(location.windowOf!);
    return ((SELF_ENTRY << 21) | (of.region << 12) | (this.pageIndex(of.name) * 8)) >>> 0;
  }

  /** Index of a location in its leaf table. */
  pageIndex(name: string): number {
    return FIRST_PAGE + this.#index.get(this.#location(name).name)!;
  }

  /** Frame of the table of a level that the address of a location uses under a root as the test begins. */
  table(name: string, root: number, level: number): number {
    const base = rootFrame(root);
    if (level > 1) return base + 4 - level;
    const location = this.#location(name);
    return location.mapping === "window" ? base + 2 : base + 3 + location.region;
  }

  /** Word index in RAM of a place. */
  slot({ location, level, root }: Place): number {
    const { mapping, region, windowOf } = this.#location(location);
    if (level === 0) return this.frame(location) * 1024;
    if (mapping === "window" && level === 1) return this.slot({ location: windowOf!, level: 2, root });
    const index =
      level === 1 ? this.pageIndex(location) : level > 2 ? 0 : mapping === "window" ? SELF_ENTRY : region;
    return this.table(location, root, level) * 1024 + index * 2;
  }

  /** The words of an entry: a present writable page or table with A (and D) set unless the fields say otherwise. */
  entry({ target, fields }: EntryValue, level: number): EntryWords {
    const leaf = level === 1 || fields["PS"] === 1;
    let lo = PTE_P | PTE_RW | PTE_A | (leaf ? PTE_D : 0);
    let hi = 0;
    for (const [name, value] of Object.entries(fields)) {
      const low = LOW_FIELDS[name];
      const high = HIGH_FIELDS[name];
      if (low !== undefined) lo = value === 0 ? lo & ~low : lo | low;
      else if (high !== undefined) hi = value === 0 ? hi & ~high : hi | high;
      else throw this.#unfit(`an entry field ${name}`);
    }
    let frame = target === null ? 0 : this.#targetFrame(target);
    if (leaf && level > 1) frame -= frame % LARGE_FRAMES;
    return { lo: entryLo(frame, lo), hi: entryHi(frame, hi) };
  }

  /** A value that is written to a place. */
  words(value: Value, level: number): EntryWords {
    if (value.kind === "entry") return this.entry(value.entry, Math.max(level, 1));
    if (value.kind === "register") throw new Error("Layout.words: a register has no constant value");
    return { lo: value.value | 0, hi: Math.floor(value.value / 2 ** 32) | 0 };
  }

  /** The words have the fields that the entry names. */
  matches(words: EntryWords, { target, fields }: EntryValue): boolean {
    for (const [name, value] of Object.entries(fields)) {
      const low = LOW_FIELDS[name];
      const bit = low !== undefined ? words.lo & low : words.hi & (HIGH_FIELDS[name] ?? 0);
      if ((bit !== 0) !== (value !== 0)) return false;
    }
    if (target === null) return true;
    const frame = this.#targetFrame(target);
    const has = entryFrame(words.lo, words.hi & ~RESERVED_HI);
    return has === (fields["PS"] === 1 ? frame - (frame % LARGE_FRAMES) : frame);
  }

  /** `PA(x)`, or the number of a frame that no location begins with. */
  frameName(frame: number): string {
    for (const [name, at] of this.#frames) if (at === frame) return `PA(${name})`;
    return `frame ${frame}`;
  }

  /** An entry for people: `(PA(x) P RW A)`. */
  describe(words: EntryWords): string {
    const parts: string[] = [];
    const frame = entryFrame(words.lo, words.hi & ~RESERVED_HI);
    if (frame !== 0) parts.push(this.frameName(frame));
    for (const [name, bit] of Object.entries(LOW_FIELDS)) if ((words.lo & bit) !== 0) parts.push(name);
    for (const [name, bit] of Object.entries(HIGH_FIELDS)) if ((words.hi & bit) !== 0) parts.push(name);
    return `(${parts.join(" ") || "0"})`;
  }

  /** Writes tables and data as the test begins. */
  writeInitial(write: (slot: number, lo: number, hi: number) => void): void {
    this.#writeDirectMap(write);
    for (let root = 0; root < this.roots; root++) this.#writeRoot(root, write);
    for (const { place, value } of this.#test.initial) {
      const { lo, hi } = this.words(value, place.level);
      write(this.slot(place), lo, hi);
    }
  }

  /** Word indices, in pairs, of the memory that the test can change, stacks excluded: the first word of each pair. */
  mutableSlots(): number[] {
    const slots = new Set<number>();
    for (const { name } of this.#test.locations) {
      slots.add(this.slot({ location: name, level: 0, root: 0 }));
      for (let root = 0; root < this.roots; root++) {
        for (const level of [1, 2, 3, 4] as const) slots.add(this.slot({ location: name, level, root }));
      }
    }
    return [...slots].sort((a, b) => a - b);
  }

  /** Pages of the direct map that the runner's own code and a core's accesses to tables use. */
  ownPages(core: number): number[] {
    const pages = new Set([GDT_FRAME, IDT_FRAME, CODE_FRAME + core, STACK_FRAME + core]);
    for (const slot of this.mutableSlots()) if (slot >> 10 < DATA_FRAME) pages.add(slot >> 10);
    return [...pages];
  }

  #writeDirectMap(write: (slot: number, lo: number, hi: number) => void): void {
    const table = PTE_P | PTE_RW | PTE_A;
    write(DIRECT_PDPT * 1024, entryLo(DIRECT_PD, table), 0);
    write(DIRECT_PD * 1024, entryLo(DIRECT_PT, table), 0);
    for (let frame = 0; frame < 512; frame++) {
      write(DIRECT_PT * 1024 + frame * 2, entryLo(frame, table | PTE_D | PTE_G), 0);
    }
  }

  #writeRoot(root: number, write: (slot: number, lo: number, hi: number) => void): void {
    const base = rootFrame(root);
    const table = PTE_P | PTE_RW | PTE_A;
    write(base * 1024, entryLo(base + 1, table), 0);
    write(base * 1024 + DIRECT_ENTRY * 2, entryLo(DIRECT_PDPT, table), 0);
    write((base + 1) * 1024, entryLo(base + 2, table), 0);
    for (let region = 0; region < MAX_REGIONS; region++) {
      write((base + 2) * 1024 + region * 2, entryLo(base + 3 + region, table), 0);
    }
    write((base + 2) * 1024 + SELF_ENTRY * 2, entryLo(base + 2, table), 0);
    write((base + 3) * 1024 + WARM_PAGE * 2, entryLo(DATA_FRAME - 1, table | PTE_D), 0);
    for (const { name, mapping } of this.#test.locations) {
      if (mapping === "window") continue;
      const level = mapping === "large" ? 2 : 1;
      const flags = table | PTE_D | (mapping === "large" ? PTE_PS : 0);
      const frame = this.frame(name);
      const first = mapping === "large" ? frame - (frame % LARGE_FRAMES) : frame;
      write(this.slot({ location: name, level, root }), entryLo(first, flags), 0);
    }
  }

  #targetFrame(target: NonNullable<EntryValue["target"]>): number {
    if (target.kind === "frame") return this.frame(target.location);
    return this.table(target.location, target.root, 1);
  }

  #location(name: string): Location {
    const location = this.#byName.get(name);
    if (location === undefined) throw this.#unfit(`a location ${name} without an initial value`);
    return location;
  }

  #unfit(what: string): UserError {
    return new UserError(`the x86-64 litmus machine cannot hold ${what}`, this.#test.file, "make it smaller");
  }
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
