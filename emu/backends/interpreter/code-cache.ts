/**
 * Packed code, kept by physical frame and virtual page: a code page holds the blocks that start in it, their links
 * to each other (links never leave the page, so a page's code dies as a whole), and the marks that lead from a
 * packed position back to the guest instruction.
 */
import { FRAME_CODE, FRAME_DIRTY, type PhysicalMemory } from "../../../mmu/index.ts";

const PAGE_BYTES = 4096;

export class CodePage {
  readonly frame: number;
  /** Low half of the virtual page's address, and its high half. */
  readonly pageLo: number;
  readonly pageHi: number;
  readonly kernelText: boolean;
  /** Its frame was written: no longer to be entered. */
  stale = false;
  /** Going from block to block of the page needs no look at the translation of the page. */
  readonly mayLink: boolean;
  /** Its words were changed to stop a core that was executing it. */
  isPatched = false;
  /** Frame of the following virtual page as the blocks in `crossing` saw it; -1: none. */
  crossFrame = -1;
  /** Offsets of one-instruction blocks whose instruction crosses into the following page; never linked to. */
  readonly crossing: Set<number> = new Set();
  words: Int32Array = new Int32Array(256);
  length = 0;
  /** Packed position of the block that starts at each page offset, or -1. */
  readonly entries: Int32Array = new Int32Array(PAGE_BYTES).fill(-1);

  /** Positions of link words, cleared when the page goes stale. */
  readonly links: number[] = [];

  /** Marks in ascending packed position. */
  markAt: Int32Array = new Int32Array(64);
  /** Low half of the instruction's address. */
  markLo: Int32Array = new Int32Array(64);
  /** Instructions of the block before this one. */
  markRetired: Int32Array = new Int32Array(64);
  marks = 0;

  constructor(frame: number, pageLo: number, pageHi: number, kernelText: boolean, mayLink: boolean) {
    this.frame = frame;
    this.pageLo = pageLo;
    this.pageHi = pageHi;
    this.kernelText = kernelText;
    this.mayLink = mayLink;
  }

  /** Makes room for `count` more words. */
  reserve(count: number): void {
    if (this.length + count > this.words.length) {
      const grown = new Int32Array(Math.max(this.words.length * 2, this.length + count));
      grown.set(this.words.subarray(0, this.length));
      this.words = grown;
    }
  }

  addMark(lo: number, retiredBefore: number): void {
    if (this.marks === this.markAt.length) {
      this.markAt = doubled(this.markAt);
      this.markLo = doubled(this.markLo);
      this.markRetired = doubled(this.markRetired);
    }
    this.markAt[this.marks] = this.length;
    this.markLo[this.marks] = lo;
    this.markRetired[this.marks] = retiredBefore;
    this.marks++;
  }

  /** No block of the page needs the following page: an entry may be taken without a look at it. */
  get linkable(): boolean {
    return this.mayLink && this.crossing.size === 0;
  }

  /** Forgets the crossing blocks and expects the following page in another frame. */
  setCrossFrame(frame: number): void {
    for (const offset of this.crossing) this.entries[offset] = -1;
    this.crossing.clear();
    this.crossFrame = frame;
  }

  /** Index of the last mark at or before a packed position. */
  markIndex(position: number): number {
    let low = 0;
    let high = this.marks - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.markAt[middle]! <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

export class CodeCache {
  readonly #ram: PhysicalMemory;
  readonly #pages: Map<number, CodePage[]> = new Map();
  /** Frame → pages with a block that crosses into it. */
  readonly #crossers: Map<number, Set<CodePage>> = new Map();
  /** Pages that died at the first write to their frame since its dirty mark was cleared. */
  readonly #former: Map<number, readonly CodePage[]> = new Map();
  /** Called when a frame begins to hold code: every writable fast-TLB tag that leads to it must go. */
  onCodeFrame: (frame: number) => void = () => {};
  /** Called with each page that dies, so that a core that executes it can be stopped after its instruction. */
  onStale: (page: CodePage) => void = () => {};
  /**
   * False: a TLB may drop a page's translation between two blocks of it (the adversarial policy). Then each block asks for
   * it, linked before or not, so that what was executed before makes no difference.
   */
  mayLink = true;
  #isKernelText: (frame: number) => boolean = () => false;

  constructor(ram: PhysicalMemory) {
    this.#ram = ram;
  }

  setKernelText(isKernelText: (frame: number) => boolean): void {
    this.#isKernelText = isKernelText;
    this.clear();
  }

  /** The code page of a frame seen at a virtual page; made if there is none. */
  page(frame: number, pageLo: number, pageHi: number): CodePage {
    let pages = this.#pages.get(frame);
    if (pages === undefined) {
      pages = [];
      this.#pages.set(frame, pages);
    }
    for (let i = 0; i < pages.length; i++) {
      const page = pages[i]!;
      if (page.pageLo === pageLo && page.pageHi === pageHi) return page;
    }
    const page = new CodePage(frame, pageLo, pageHi, this.#isKernelText(frame), this.mayLink);
    pages.push(page);
    this.#markCode(frame);
    return page;
  }

  /** Notes that a page has a block that crosses into a frame. */
  addCrosser(page: CodePage, frame: number): void {
    let pages = this.#crossers.get(frame);
    if (pages === undefined) {
      pages = new Set();
      this.#crossers.set(frame, pages);
    }
    pages.add(page);
    this.#markCode(frame);
  }

  #markCode(frame: number): void {
    if (this.#ram.frameFlags[frame]! & FRAME_CODE) return;
    this.#ram.frameFlags[frame]! |= FRAME_CODE;
    this.onCodeFrame(frame);
  }

  /** Drops all code of a frame that is about to be written. */
  invalidateFrame(frame: number): void {
    const isFirstWrite = (this.#ram.frameFlags[frame]! & FRAME_DIRTY) === 0;
    this.#ram.frameFlags[frame]! &= ~FRAME_CODE;
    const pages = this.#pages.get(frame) ?? [];
    for (const page of pages) {
      page.stale = true;
      this.onStale(page);
    }
    if (isFirstWrite && pages.length > 0) this.#former.set(frame, pages);
    this.#pages.delete(frame);
    for (const page of this.#crossers.get(frame) ?? []) {
      page.setCrossFrame(-1);
      this.onStale(page);
    }
    this.#crossers.delete(frame);
  }

  /** A frame holds again what it held when its dirty mark was cleared: the code that it had then need not be decoded anew. */
  revive(frame: number): void {
    const former = this.#former.get(frame);
    if (former === undefined) return;
    this.#former.delete(frame);
    const pages = former.filter(({ isPatched }) => !isPatched);
    if (pages.length === 0) return;
    for (const page of pages) page.stale = false;
    this.#pages.set(frame, pages);
    this.#markCode(frame);
  }

  clear(): void {
    for (const frame of [...this.#pages.keys(), ...this.#crossers.keys()]) this.invalidateFrame(frame);
    this.#former.clear();
  }
}

function doubled(array: Int32Array): Int32Array {
  const grown = new Int32Array(array.length * 2);
  grown.set(array);
  return grown;
}
