/**
 * The witness: what an address space is, sequentially. An ordered array of ranges and the calls of mmap(2), munmap(2),
 * mprotect(2), mremap(2), madvise(2), brk(2) and fork(2) on it, written from the manual pages and the documented behaviour
 * of Linux, apart from kernel/. A range is never changed: an operation makes a new array, so that an old one can be kept.
 *
 * Only what user code can tell is modelled: addresses, rights, and what the calls ask of a range. Where two ranges meet
 * that could be one, the boundary is taken from whoever knows (adopt()).
 */

export const READ = 1;
export const WRITE = 2;
export const EXEC = 4;
export type Right = typeof READ | typeof WRITE | typeof EXEC;

/** Pages that stay free below a range that grows downwards (stack_guard_gap). */
const GUARD_PAGES = 256;
/** Lowest page that a search or growth reaches (mmap_min_addr). */
export const MIN_PAGE = 16;
/** RLIMIT_STACK: 8 MiB. */
const STACK_LIMIT_PAGES = 2048;

export interface Range {
  readonly start: number;
  readonly end: number;
  /** READ, WRITE, EXEC. */
  readonly rights: number;
  readonly shared: boolean;
  readonly growsDown: boolean;
  /** MADV_DONTFORK, MADV_WIPEONFORK. */
  readonly dontFork: boolean;
  readonly wipeOnFork: boolean;
  /** Has a memory key, which takes rights away in ways that are not modelled. Known only from whoever knows. */
  readonly keyed: boolean;
}

export type Attributes = Omit<Range, "start" | "end">;

/** Bounds of an address space; constant. */
export interface Layout {
  /** First page past user space, for a search and for who names an address. */
  readonly taskSize: number;
  readonly taskSizeMax: number;
  /** Where the search for a place begins, downwards. */
  readonly mmapBase: number;
  /** Memory that can be promised at most, in pages. */
  readonly memoryPages: number;
  /** Start of the heap in bytes. */
  readonly startBrk: number;
}

export class VmaModel {
  ranges: readonly Range[];
  /** End of the heap in bytes. */
  brk: number;
  readonly layout: Layout;

  constructor(ranges: readonly Range[], brk: number, layout: Layout) {
    this.ranges = ranges;
    this.brk = brk;
    this.layout = layout;
  }

  /** The range that covers a page, or undefined. */
  at(page: number): Range | undefined {
    const found = this.#firstEndingAbove(page);
    return found !== undefined && found.start <= page ? found : undefined;
  }

  /** An access of this kind is right now, growth of a stack included. */
  allows(page: number, right: Right): boolean {
    const found = this.at(page) ?? this.growable(page);
    if (found === undefined) return false;
    // Whatever may be written or executed may be read.
    return right === READ ? found.rights !== 0 : (found.rights & right) !== 0;
  }

  /** An access of this kind cannot be refused now. */
  grants(page: number, right: Right): boolean {
    return this.allows(page, right) && this.at(page)?.keyed !== true;
  }

  /** The range that an access below it makes grow to a page, or undefined. */
  growable(page: number): Range | undefined {
    const above = this.#firstEndingAbove(page);
    if (above === undefined || above.start <= page || !above.growsDown || page < MIN_PAGE) return undefined;
    if (above.end - page > STACK_LIMIT_PAGES) return undefined;
    const below = this.#lastEndingAtOrBelow(page);
    if (below === undefined || below.growsDown || below.rights === 0) return above;
    return page - below.end < GUARD_PAGES ? undefined : above;
  }

  grow(page: number): void {
    const found = this.growable(page);
    if (found === undefined) return;
    this.ranges = this.ranges.map((range) => (range === found ? { ...found, start: page } : range));
  }

  /** Something is mapped in start … end-1. */
  overlaps(start: number, end: number): boolean {
    const found = this.#firstEndingAbove(start);
    return found !== undefined && found.start < end;
  }

  /** Every page of start … end-1 is mapped. */
  covers(start: number, end: number): boolean {
    return this.firstHole(start, end) === end;
  }

  /** First page of start … end-1 that is not mapped; end: there is none. */
  firstHole(start: number, end: number): number {
    let at = start;
    for (const range of this.ranges) {
      if (range.end <= at) continue;
      if (range.start > at || at >= end) break;
      at = range.end;
    }
    return Math.min(at, end);
  }

  unmap(start: number, end: number): void {
    if (this.overlaps(start, end)) this.ranges = this.#without(start, end);
  }

  map(start: number, end: number, attributes: Attributes): void {
    const ranges = this.#without(start, end);
    const at = ranges.findIndex((range) => range.start >= end);
    ranges.splice(at < 0 ? ranges.length : at, 0, { ...attributes, start, end });
    this.ranges = ranges;
  }

  /** Changes attributes of what is mapped in start … end-1. */
  change(start: number, end: number, change: Partial<Attributes>): void {
    const ranges: Range[] = [];
    for (const range of this.ranges) {
      const from = Math.max(range.start, start);
      const to = Math.min(range.end, end);
      if (from >= to) {
        ranges.push(range);
        continue;
      }
      if (range.start < from) ranges.push({ ...range, end: from });
      ranges.push({ ...range, ...change, start: from, end: to });
      if (to < range.end) ranges.push({ ...range, start: to });
    }
    this.ranges = ranges;
  }

  /** The highest free place below the base; undefined: none there. @param hint wished page, 0: none */
  place(pages: number, hint: number): number | undefined {
    const { taskSize, mmapBase } = this.layout;
    if (hint >= MIN_PAGE && hint + pages <= taskSize && this.#isClear(hint, hint + pages)) return hint;
    let ceiling = mmapBase;
    for (let index = this.ranges.length - 1; index >= -1; index--) {
      const floor = Math.max(index < 0 ? MIN_PAGE : this.ranges[index]!.end, MIN_PAGE);
      if (ceiling - pages >= floor) return ceiling - pages;
      if (index >= 0) ceiling = Math.min(ceiling, lowestOf(this.ranges[index]!));
    }
    return undefined;
  }

  /** Nothing is in the way of the heap's end at a page, its guard page included. */
  heapMayReach(page: number): boolean {
    const old = Math.ceil(this.brk / 4096);
    const above = this.#firstEndingAbove(old);
    return above === undefined || lowestOf(above) >= page + 1;
  }

  /** What fork gives a child. */
  forked(): VmaModel {
    const kept = this.ranges.filter((range) => !range.dontFork);
    return new VmaModel(kept, this.brk, this.layout);
  }

  /**
   * Takes the boundaries over from whoever knows them, if both say the same of every page.
   * @returns the first page of which they do not, or -1
   */
  adopt(known: readonly Range[]): number {
    const page = firstDifference(this.ranges, known);
    if (page < 0) this.ranges = known;
    return page;
  }

  #without(start: number, end: number): Range[] {
    const ranges: Range[] = [];
    for (const range of this.ranges) {
      if (range.end <= start || range.start >= end) {
        ranges.push(range);
        continue;
      }
      if (range.start < start) ranges.push({ ...range, end: start });
      if (range.end > end) ranges.push({ ...range, start: end });
    }
    return ranges;
  }

  #isClear(start: number, end: number): boolean {
    const above = this.#firstEndingAbove(start);
    return above === undefined || lowestOf(above) >= end;
  }

  #firstEndingAbove(page: number): Range | undefined {
    for (const range of this.ranges) if (range.end > page) return range;
    return undefined;
  }

  #lastEndingAtOrBelow(page: number): Range | undefined {
    let found: Range | undefined;
    for (const range of this.ranges) if (range.end <= page) found = range;
    return found;
  }
}

/** Lowest page that nothing else may use, with the guard gap of a stack. */
function lowestOf(range: Range): number {
  return range.growsDown ? Math.max(range.start - GUARD_PAGES, 0) : range.start;
}

/** First page of which two lists of ranges say different things; -1: none. */
function firstDifference(one: readonly Range[], other: readonly Range[]): number {
  let i = 0;
  let j = 0;
  let at = 0;
  while (i < one.length || j < other.length) {
    const a = one[i];
    const b = other[j];
    if (a === undefined) return Math.max(at, b!.start);
    if (b === undefined) return Math.max(at, a.start);
    const fromA = Math.max(a.start, at);
    const fromB = Math.max(b.start, at);
    if (fromA !== fromB) return Math.min(fromA, fromB);
    if (!sameAttributes(a, b)) return fromA;
    at = Math.min(a.end, b.end);
    if (a.end === at) i++;
    if (b.end === at) j++;
  }
  return -1;
}

function sameAttributes(a: Range, b: Range): boolean {
  return (
    a.rights === b.rights &&
    a.shared === b.shared &&
    a.growsDown === b.growsDown &&
    a.dontFork === b.dontFork &&
    a.wipeOnFork === b.wipeOnFork
  );
}
