/**
 * What events touch that have to do with effects: what a core has broadcast takes effect on each other core at a moment of
 * its own, and a page-table store may become visible to walkers late. One agent of a core executes both, what was broadcast
 * to the core first. A complete barrier has seen the answers of all others, and has made all stores visible.
 */
import type { Core } from "../../emu/cores/index.ts";
import { AGENTS_PER_CORE, type Agent, type Exhaustive, ROLE_BROADCAST } from "../../emu/schedulers/index.ts";
import type { LateStoreObserver } from "../../mmu/index.ts";
import type { Places } from "./places.ts";

const NO_EVENT = -1;

/** A broadcast on its way. */
interface Broadcast {
  readonly sender: number;
  readonly event: number;
}

/** A store that is late. */
interface Store {
  readonly slot: number;
  readonly event: number;
}

export class EffectFootprints implements LateStoreObserver {
  readonly #cores: readonly Core[];
  readonly #places: Places;
  readonly #search: Exhaustive;
  /** By receiver, in the order in which they take effect. */
  readonly #underWay: readonly Broadcast[][];
  /** By storing core, in their order. */
  readonly #stores: readonly Store[][];
  /** By sender: operations that others have not carried out, at the end of the last event; and whether a barrier is due. */
  readonly #outstanding: Int32Array;
  readonly #isDue: Uint8Array;
  /** By core: it was inside an access at the end of its last event. */
  readonly #wasInside: Uint8Array;
  /** By sender: events that its next complete barrier comes after. */
  readonly #answers: readonly number[][];
  /** The event whose store became visible first in the present event. */
  #cause: number = NO_EVENT;

  constructor(cores: readonly Core[], places: Places, search: Exhaustive) {
    this.#cores = cores;
    this.#places = places;
    this.#search = search;
    this.#underWay = cores.map(() => []);
    this.#stores = cores.map(() => []);
    this.#answers = cores.map(() => []);
    this.#outstanding = new Int32Array(cores.length);
    this.#isDue = new Uint8Array(cores.length);
    this.#wasInside = new Uint8Array(cores.length);
    for (const { mmu } of cores) if (mmu.lateStores) mmu.lateStores.observer = this;
  }

  /** A run begins. */
  begun(): void {
    for (const list of this.#underWay) list.length = 0;
    for (const list of this.#stores) list.length = 0;
    for (const list of this.#answers) list.length = 0;
    this.#isDue.fill(0);
    this.#cause = NO_EVENT;
    for (const { id, broadcasts, isInsideAccess } of this.#cores) {
      this.#outstanding[id] = broadcasts?.outstanding ?? 0;
      this.#wasInside[id] = isInsideAccess ? 1 : 0;
    }
  }

  /** An event of a core or of its effects is over. */
  ended(agent: Agent): void {
    const core = this.#cores[(agent / AGENTS_PER_CORE) | 0]!;
    if (agent % AGENTS_PER_CORE === ROLE_BROADCAST) this.#effect(core.id);
    else this.#own(core);
    this.#cause = NO_EVENT;
  }

  /**
   * What a walk of a core has read in a slot depends on when a late store becomes visible to all: not if there is one that
   * the core's walks see already.
   */
  mayDiffer({ mmu }: Core, slot: number): boolean {
    if (!mmu.lateStores) return false;
    const isLate = this.#stores.some((stores) => stores.some((store) => store.slot === slot));
    return !isLate || mmu.lateStores.find(slot);
  }

  /** A barrier of a core is complete. */
  barrierDone(core: number): void {
    const { cores, holding } = this.#places;
    const answers = this.#answers[core]!;
    for (const event of answers) this.#search.comesAfter(event);
    answers.length = 0;
    if (this.#isDue[core] === 0) return;
    this.#isDue[core] = 0;
    for (let other = 0; other < cores; other++) this.#search.touch(holding + other, 1);
  }

  // LateStoreObserver

  stored(core: number, slot: number): void {
    const { cores } = this.#places;
    this.#stores[core]!.push({ slot, event: this.#search.event });
    for (let walker = 0; walker < cores; walker++) this.#search.touch(this.#places.late(core, walker), 1);
  }

  visible(core: number, slot: number): void {
    const stores = this.#stores[core]!;
    const at = stores.findIndex((store) => store.slot === slot);
    // Stores from before the run are nobody's.
    const event = at < 0 ? NO_EVENT : stores[at]!.event;
    if (at >= 0) stores.splice(at, 1);
    if (this.#cause === NO_EVENT) this.#cause = event;
    this.#search.changesLate(this.#places.visible(slot), core, event);
  }

  synchronised(core: number): void {
    const { cores } = this.#places;
    for (let storer = 0; storer < cores; storer++) this.#search.touch(this.#places.late(storer, core), 0);
  }

  /** What was broadcast to a core has taken effect there, or the first of its late stores. */
  #effect(core: number): void {
    const [first] = this.#underWay[core]!;
    if (first === undefined) {
      this.#search.effectOf(this.#cause);
      return;
    }
    this.#underWay[core]!.shift();
    this.#search.effectOf(first.event);
    this.#answers[first.sender]!.push(this.#search.event);
    // The core's stores before it are visible; those after it may be late.
    this.#search.touch(this.#places.late(core, core), 0);
    this.#outstanding[first.sender] = this.#cores[first.sender]!.broadcasts!.outstanding;
  }

  #own(core: Core): void {
    const { id, broadcasts } = core;
    if (broadcasts === null) return;
    const isInside = core.isInsideAccess ? 1 : 0;
    if (this.#wasInside[id] === 1 && isInside === 0) {
      // Whoever waits for the end of the access: it had carried out what was broadcast inside.
      for (const answers of this.#answers) answers.push(this.#search.event);
    }
    this.#wasInside[id] = isInside;
    if (broadcasts.outstanding > this.#outstanding[id]!) this.#sent(id);
    this.#outstanding[id] = broadcasts.outstanding;
  }

  /** A core has broadcast something in the present event. */
  #sent(sender: number): void {
    const search = this.#search;
    this.#isDue[sender] = 1;
    for (const { id, broadcasts, mmu } of this.#cores) {
      if (id === sender || broadcasts === null) continue;
      const list = this.#underWay[id]!;
      const late = mmu.lateStores?.count ?? 0;
      if (list.length === 0 && late > 0) search.overtakes(id);
      const pending = broadcasts.count - late;
      while (list.length < pending) list.push({ sender, event: search.event });
      search.touch(this.#places.arrival + id, 1);
    }
  }
}
