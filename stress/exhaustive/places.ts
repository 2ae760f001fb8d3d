/**
 * The places that events of a run touch:
 *
 *     word     4 bytes of RAM: marked and plain accesses of the kernel, accesses of user code and of the CPU itself, table
 *              reads and A/D updates of walks. Locks, sequence counts, cross-call records and acknowledgements are words.
 *              An exclusive store looks at every word of its monitor's granule
 *     use      one for each frame: looked at by every access to the frame and by every fill that leads to it, changed
 *              by freeing or handing out the frame and by filling it as a whole
 *     content  one for each frame: looked at by every store into it, changed by copying it as a whole
 *     page     for each core, one for each page (by a hash): looked at by its translations, walks and fills of the page,
 *              changed where an invalidation of the page drops them. One of many pages counts for those whose entries
 *              change in some schedule: for the others it makes no difference. No other core touches the place: it
 *              decides where the core's interrupts land, and where broadcasts take effect on it
 *     holding  one for each core: changed where invalidations drop its translations and by the barriers that complete
 *              broadcasts, looked at where frames and tables are freed and where calls that flushed return, since the
 *              oracle asks there what cores may still hold
 *     queue    one for each core: its run queue and current task, looked at where the core leaves the kernel
 *     visible  one for each slot of a table (by a hash): looked at by walks that read the slot, changed where a late store
 *              to it becomes visible to walkers
 *     late     for each core, one for each core: changed by the late stores of the one, looked at where what it has stored
 *              so far is made visible to the walks of the other (barriers and exceptions); the one for itself also where
 *              an invalidation that others have broadcast takes effect on it
 *     arrival  one for each core: changed by every broadcast to it, whose order counts
 *     message  one for each core: looked at by every message to it, changed where it asks which interrupt it has accepted
 *     RCU      one for each core: whether it is in the kernel, and whether a grace period waits for it; changed where it
 *              enters or leaves, by its quiescent states that count, and by a grace period that begins and waits for it.
 *              One of all: changed where a callback is queued, by quiescent states that count, and by grace periods.
 *              Nobody sees either until a core asks whether its callbacks may run. (Read sections have no effect of
 *              their own: a core is a reader while it is in the kernel.)
 *
 * Messages between cores, changes of the interrupt mask, and the effects that a complete barrier has waited for are told to
 * the search as what they are. Kernel stacks above
 * the task_struct are no places: a task's own trap frames are its own. Frees and any access to the object meet in
 * its words, since a freed object is poisoned.
 */
export const PLACE_BYTES = 4;
/** Places for pages, of each core. */
const PAGE_BITS = 10;
const PAGE_PLACES: number = 1 << PAGE_BITS;
/** Places for slots of tables. */
const SLOT_BITS = 12;

export interface PlacesOptions {
  readonly ramBytes: number;
  readonly cores: number;
}

export class Places {
  /** Exclusive bound, one for the search's own included. */
  readonly count: number;
  /** Words of RAM: their places are their indices. */
  readonly words: number;
  readonly frames: number;
  readonly cores: number;
  /** The first of each kind. */
  readonly use: number;
  readonly content: number;
  readonly queue: number;
  readonly holding: number;
  readonly arrival: number;
  readonly message: number;
  readonly rcuCore: number;
  readonly rcu: number;
  readonly #page: number;
  readonly #visible: number;
  readonly #late: number;

  constructor({ ramBytes, cores }: PlacesOptions) {
    this.words = ramBytes / PLACE_BYTES;
    this.frames = ramBytes / 4096;
    this.cores = cores;
    this.use = this.words;
    this.content = this.use + this.frames;
    this.#page = this.content + this.frames;
    this.queue = this.#page + cores * PAGE_PLACES;
    this.holding = this.queue + cores;
    this.arrival = this.holding + cores;
    this.message = this.arrival + cores;
    this.#late = this.message + cores;
    this.#visible = this.#late + cores * cores;
    this.rcuCore = this.#visible + (1 << SLOT_BITS);
    this.rcu = this.rcuCore + cores;
    this.count = this.rcu + 2;
  }

  /** @param number what pageNumber() says @hot */
  page(core: number, number: number): number {
    return this.#page + core * PAGE_PLACES + pagePlace(number);
  }

  /** The same of a pagePlace(). */
  pageAt(core: number, place: number): number {
    return this.#page + core * PAGE_PLACES + place;
  }

  /** @param slot word index in RAM @hot */
  visible(slot: number): number {
    return this.#visible + (Math.imul(slot >>> 1, 0x9e37_79b1) >>> (32 - SLOT_BITS));
  }

  /** @param walker whose walks may see the stores late */
  late(storer: number, walker: number): number {
    return this.#late + storer * this.cores + walker;
  }
}

/** Neighbours, and pages that lie a table apart, get places of their own (multiplicative hashing). @hot */
export function pagePlace(page: number): number {
  return Math.imul(page, 0x9e37_79b1) >>> (32 - PAGE_BITS);
}
