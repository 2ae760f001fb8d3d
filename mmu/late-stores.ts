/**
 * Page-table stores that walkers do not see yet. Data accesses are sequentially consistent: memory holds a store at once.
 * A walker is an observer of its own, to which a store to a table is visible for certain only once a barrier has
 * completed it (Arm ARM B2.3 "Data Synchronization Barrier", D8 "Ordering of memory accesses from translation table
 * walks"; Power ISA Book III, ptesync). Until then it may read what the slot held before.
 *
 * What the model permits, all of which the manual does: a walk sees the old value of a slot until
 *   - the scheduler makes the store visible, to every walker at once (stores are multi-copy atomic; those of one core
 *     become visible in their order, and with one all that are before it in that order or in its slot's), or
 *   - a barrier of any core completes: it stands for the stores that its core made or has observed, and which it has
 *     observed is not followed, or
 *   - a barrier of loads alone completes: it stands for the stores of others that its core has observed, or
 *   - an invalidation that another core has broadcast takes effect at the storing core: accesses that the core made
 *     before it are in order with it, and so are stores before them, as data accesses are sequentially consistent, or
 *   - the walking core, another one than the storing core, synchronises its context (ISB, exception entry and return): if
 *     what came before has told it of the store, its walk must see it, and whether it has is not followed either. Once it
 *     has walked there, or broadcasts an invalidation, everybody must, or
 *   - a barrier of the non-shareable domain on the storing core, for its own walks alone.
 * Of its own stores an ISB tells a core nothing: the manual wants a DSB. Exception entry, return, and the load of a root do:
 * a simplification, without which every fault might be taken again on return (as Linux says of update_mmu_cache() on arm64).
 * Hardware updates of an entry are atomic and work on what memory holds; with them earlier stores to it are visible.
 * What the manual permits beyond that needs walks that start before earlier instructions: not modelled.
 *
 * Stores are late in exploring runs alone, to frames marked FRAME_WATCHED (those that the may-sets follow as tables);
 * in others they are visible at once. A core's late stores lie in its state words and have a bound: one more makes the
 * first visible. Longer writes (a table being cleared) are never late, and make everything before them visible.
 */
import { FRAME_WATCHED, type PhysicalMemory } from "./memory.ts";

/** Late stores of one core. */
export const MAX_LATE_STORES = 16;

const COUNT = 0;
/** Stores of others up to this time are visible to this core's walks. */
const SYNCHRONISED = 1;
/** Of the first core: time, which is the number of late stores so far. */
const TIME = 2;
/** Its own stores up to this time are. */
const OWN_SYNCHRONISED = 3;
const ENTRIES = 4;
const ENTRY_WORDS = 4;
/** Word index of the slot in RAM, what it held, and when. */
const E_SLOT = 0;
const E_LO = 1;
const E_HI = 2;
const E_TIME = 3;
const SLOT_BYTES = 8;

/** Hears of late stores; changes nothing. Slots are word indices. */
export interface LateStoreObserver {
  /** A core's store to a slot is late from here on. */
  stored(core: number, slot: number): void;
  /** It is not any more: every walker sees it. */
  visible(core: number, slot: number): void;
  /** Stores so far are visible to the walks of a core, or to all of them. */
  synchronised(core: number): void;
}

/** What the cores of a machine share. */
export class LateStoreBus {
  /** By core. */
  readonly members: LateStores[] = [];
  observer: LateStoreObserver | null = null;
  readonly #ram: PhysicalMemory;
  readonly #storer: () => number;

  /** @param storer number of the core that stores now if stores of it may be late, or -1 */
  constructor(ram: PhysicalMemory, storer: () => number) {
    this.#ram = ram;
    this.#storer = storer;
    const heard = ram.onWatchedWrite;
    ram.onWatchedWrite = (pa, lengthBytes) => {
      heard(pa, lengthBytes);
      this.#beforeWrite(pa, lengthBytes);
    };
  }

  /** Everything is visible. */
  completeAll(): void {
    for (const member of this.members) member.complete();
    this.everybodySynchronised();
  }

  everybodySynchronised(): void {
    if (this.observer === null) return;
    for (let core = 0; core < this.members.length; core++) this.observer.synchronised(core);
  }

  /** Every store up to a time to a slot, by word index, is visible, and with each what its core stored before. */
  completeSlot(slot: number, until: number = Number.POSITIVE_INFINITY): void {
    for (const member of this.members) {
      const index = member.lastTo(slot, until);
      for (let left = index; left >= 0; left--) member.completeFirst();
    }
  }

  /** The time of the next store. */
  nextTime(): number {
    const { words, base } = this.members[0]!;
    return ++words[base + TIME]!;
  }

  get time(): number {
    const { words, base } = this.members[0]!;
    return words[base + TIME]!;
  }

  #beforeWrite(pa: number, lengthBytes: number): void {
    const core = this.#storer();
    if (core < 0) return;
    const { i32, frameFlags } = this.#ram;
    if ((frameFlags[pa >>> 12]! & FRAME_WATCHED) === 0) return;
    const slot = (pa >>> 3) << 1;
    if (lengthBytes <= SLOT_BYTES) this.members[core]!.add(slot, i32[slot]!, i32[slot + 1]!);
    else this.completeAll();
  }
}

/** One core's late stores, and what its walkers see. */
export class LateStores {
  static readonly words: number = ENTRIES + MAX_LATE_STORES * ENTRY_WORDS;

  readonly words: Int32Array;
  readonly base: number;
  /** Result of find(). */
  lo = 0;
  hi = 0;
  readonly #bus: LateStoreBus;
  readonly #core: number;

  /** @param words the core's state; LateStores.words of them from `base` on, all 0 */
  constructor(bus: LateStoreBus, words: Int32Array, base: number) {
    this.#bus = bus;
    this.words = words;
    this.base = base;
    this.#core = bus.members.push(this) - 1;
  }

  /** Hears of the late stores of all cores. */
  set observer(observer: LateStoreObserver | null) {
    this.#bus.observer = observer;
  }

  get count(): number {
    return this.words[this.base + COUNT]!;
  }

  /** A walker of this core reads a slot, by word index: true: it sees an old value, which `lo` and `hi` hold. */
  read(slot: number): boolean {
    const synchronised = this.words[this.base + SYNCHRONISED]!;
    const { members } = this.#bus;
    for (let core = 0; core < members.length; core++) {
      const member = members[core]!;
      if (member === this || member.count === 0) continue;
      const index = member.lastTo(slot, synchronised);
      if (index >= 0) this.#bus.completeSlot(slot, member.timeOf(index));
    }
    return this.find(slot);
  }

  /** What read() would answer, for whoever looks on. */
  find(slot: number): boolean {
    const { members } = this.#bus;
    let visible = 0;
    for (let core = 0; core < members.length; core++) {
      const member = members[core]!;
      if (member.count === 0) continue;
      const until = this.words[this.base + (member === this ? OWN_SYNCHRONISED : SYNCHRONISED)]!;
      const index = member.lastTo(slot, until);
      if (index >= 0) visible = Math.max(visible, member.timeOf(index));
    }
    let oldest = Number.POSITIVE_INFINITY;
    for (let core = 0; core < members.length; core++) {
      const { words, base } = members[core]!;
      const end = base + ENTRIES + words[base + COUNT]! * ENTRY_WORDS;
      for (let at = base + ENTRIES; at < end; at += ENTRY_WORDS) {
        const time = words[at + E_TIME]!;
        if (words[at + E_SLOT] !== slot || time <= visible || time > oldest) continue;
        oldest = time;
        this.lo = words[at + E_LO]!;
        this.hi = words[at + E_HI]!;
      }
    }
    return oldest !== Number.POSITIVE_INFINITY;
  }

  /** Index of the last late store to a slot up to a time; -1: there is none. */
  lastTo(slot: number, until: number): number {
    const { words, base } = this;
    for (let index = this.count - 1; index >= 0; index--) {
      const at = base + ENTRIES + index * ENTRY_WORDS;
      if (words[at + E_SLOT] === slot && words[at + E_TIME]! <= until) return index;
    }
    return -1;
  }

  timeOf(index: number): number {
    return this.words[this.base + ENTRIES + index * ENTRY_WORDS + E_TIME]!;
  }

  /** A store to a slot that holds this is about to be made. */
  add(slot: number, lo: number, hi: number): void {
    if (this.count === MAX_LATE_STORES) this.completeFirst();
    const { words, base } = this;
    const at = base + ENTRIES + words[base + COUNT]!++ * ENTRY_WORDS;
    words[at + E_SLOT] = slot;
    words[at + E_LO] = lo;
    words[at + E_HI] = hi;
    words[at + E_TIME] = this.#bus.nextTime();
    this.#bus.observer?.stored(this.#core, slot);
  }

  /** The first late store becomes visible, and before it what other cores stored to the slot earlier. */
  completeFirst(): void {
    const { words, base } = this;
    const count = this.count;
    if (count === 0) return;
    const first = base + ENTRIES;
    const slot = words[first + E_SLOT]!;
    const time = words[first + E_TIME]!;
    words.copyWithin(first, first + ENTRY_WORDS, first + count * ENTRY_WORDS);
    words[base + COUNT] = count - 1;
    this.#bus.observer?.visible(this.#core, slot);
    this.#bus.completeSlot(slot, time);
  }

  complete(): void {
    const { observer } = this.#bus;
    if (observer !== null) {
      const end = this.base + ENTRIES + this.count * ENTRY_WORDS;
      for (let at = this.base + ENTRIES; at < end; at += ENTRY_WORDS) {
        observer.visible(this.#core, this.words[at + E_SLOT]!);
      }
    }
    this.words[this.base + COUNT] = 0;
  }

  /** All late stores of this core become visible, in their order. */
  completeOwn(): void {
    while (this.count > 0) this.completeFirst();
  }

  /** Those of all other cores do. */
  completeOthers(): void {
    for (const member of this.#bus.members) if (member !== this) member.completeOwn();
    this.#bus.everybodySynchronised();
  }

  /** ISB: the core's walks see what others have stored. */
  synchronise(): void {
    this.words[this.base + SYNCHRONISED] = this.#bus.time;
    this.#bus.observer?.synchronised(this.#core);
  }

  /** A barrier that reaches this core alone, or an exception: its walks see what it has stored as well. */
  synchroniseAll(): void {
    this.synchronise();
    this.words[this.base + OWN_SYNCHRONISED] = this.#bus.time;
  }

  /** An invalidation goes out: nobody walks past it to an old value that this core can no longer see. */
  completeSynchronised(): void {
    const synchronised = this.words[this.base + SYNCHRONISED]!;
    for (const member of this.#bus.members) {
      if (member !== this)
        while (member.count > 0 && member.timeOf(0) <= synchronised) member.completeFirst();
    }
  }

  /** A barrier completes the stores of all. */
  completeAll(): void {
    this.#bus.completeAll();
  }

  /** A hardware update of a slot. */
  completeSlot(slot: number): void {
    this.#bus.completeSlot(slot);
  }

  /** Folds what the late stores are into a hash, and not when they came. */
  foldContents(seed: number): number {
    const { words, base } = this;
    let hash = Math.imul(seed ^ this.count, 0x0100_0193);
    for (let i = 0; i < this.count; i++) {
      const at = base + ENTRIES + i * ENTRY_WORDS;
      for (let word = E_SLOT; word <= E_HI; word++) hash = Math.imul(hash ^ words[at + word]!, 0x0100_0193);
    }
    return hash ^ (hash >>> 15);
  }

  hash(seed: number): number {
    const { words, base } = this;
    let hash = seed;
    const end = base + ENTRIES + words[base + COUNT]! * ENTRY_WORDS;
    for (let at = base + ENTRIES; at < end; at++) hash = Math.imul(hash ^ words[at]!, 0x0100_0193);
    return hash;
  }
}
