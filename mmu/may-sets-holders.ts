/**
 * Who may hold translations: the roots that a core had under a tag, in each of its spaces (may-sets-format.ts). A tag is
 * *loaded* or *frozen*: what a frozen one may hold is what could be derived when it was unloaded, and the records made
 * since, for nothing is filled under a tag that is not loaded. Under a loaded tag a root that another one replaced is not
 * read again, but what was kept of its entries goes on leading walks. Every core has one more holder per space,
 * for global translations, which is never frozen.
 */
import { NOWHERE } from "./ledger-store.ts";
import type { MayFormat } from "./may-sets-format.ts";
import type { RecordOwner } from "./may-sets-records.ts";
import { ANY_CONTEXT } from "./set-array.ts";

/** Entries of 8 bytes in a frame. */
const FRAME_SLOTS = 512;

export class MayHolder implements RecordOwner {
  readonly id: number;
  readonly core: MayCore;
  /** PCID, ASID, PID; ANY_CONTEXT: global translations. */
  readonly tag: number;
  readonly space: number;
  readonly format: MayFormat;
  /** Frame of the root table under which it is or was loaded; -1: none, only records count. */
  root = -1;
  /** Physical address / 8 of its first entry, and behind its last one. */
  rootSlot = -1;
  rootEnd = -1;
  /** Its tag is the core's current one. */
  isLoaded = false;
  /** So is its root, which implies the tag. */
  hasRoot = false;
  /** Its tag is not loaded, and all that it may hold are records: they alone count until the tag is loaded again. */
  isExplicit = false;
  /** Sequence number of the last unloading of its tag, and of its root. */
  frozenAt = 0;
  rootFrozenAt = 0;
  first: number = NOWHERE;
  /** Records of it that are condemned and not yet reported. */
  condemned = 0;

  constructor(id: number, core: MayCore, tag: number, space: number) {
    this.id = id;
    this.core = core;
    this.tag = tag;
    this.space = space;
    this.format = core.formats[space]!;
    this.isLoaded = tag === ANY_CONTEXT;
  }

  get isGlobal(): boolean {
    return this.tag === ANY_CONTEXT;
  }
}

export class MayCore {
  readonly id: number;
  /** By space. */
  readonly formats: readonly MayFormat[];
  /** All but the global ones, by age. */
  readonly tags: MayHolder[] = [];
  /** By space. */
  readonly globals: readonly MayHolder[];
  /** By space: the holder of the loaded root. */
  readonly loaded: (MayHolder | null)[];
  isLazy = false;

  constructor(id: number, formats: readonly MayFormat[], firstId: number) {
    this.id = id;
    this.formats = formats;
    this.loaded = formats.map(() => null);
    this.globals = formats.map((_, space) => new MayHolder(firstId + space, this, ANY_CONTEXT, space));
  }

  /** The space of an address. */
  spaceOf(hi: number): number {
    return hi < 0 && this.formats.length > 1 ? 1 : 0;
  }
}

/** Saved holders; opaque. */
export interface HoldersState {
  readonly holders: readonly HolderState[];
  readonly lazy: readonly boolean[];
  /** By core and space: number of the loaded holder, or -1. */
  readonly loaded: readonly (readonly number[])[];
}

interface HolderState {
  readonly core: number;
  readonly tag: number;
  readonly space: number;
  readonly root: number;
  readonly rootSlot: number;
  readonly rootEnd: number;
  readonly isLoaded: boolean;
  readonly hasRoot: boolean;
  readonly isExplicit: boolean;
  readonly frozenAt: number;
  readonly rootFrozenAt: number;
  readonly first: number;
  readonly condemned: number;
}

export class MayHolders {
  readonly cores: MayCore[] = [];
  /** By RecordOwner.id. */
  readonly all: MayHolder[] = [];
  /** By frame: 0 if it was never a root. */
  readonly #wasRoot: Uint8Array;

  constructor(frames: number) {
    this.#wasRoot = new Uint8Array(frames);
  }

  addCore(id: number, formats: readonly MayFormat[]): void {
    if (id !== this.cores.length)
      throw new Error(`may-sets: core ${id} joins as number ${this.cores.length}`);
    const core = new MayCore(id, formats, this.all.length);
    this.all.push(...core.globals);
    this.cores.push(core);
  }

  /** The holder of a root under a tag; else one of the tag without a root; else a new one. */
  findOrAdd(core: number, tag: number, space: number, rootSlot: number): MayHolder {
    const at = this.cores[core]!;
    let found: MayHolder | null = null;
    for (const holder of at.tags) {
      if (holder.tag !== tag || holder.space !== space) continue;
      if (holder.root < 0) found ??= holder;
      else if (holder.rootSlot === rootSlot) return holder;
    }
    return found ?? this.#add(at, tag, space);
  }

  /** A core loads a root, whose first entry is `rootSlot`, under a tag. */
  load(holder: MayHolder, rootSlot: number): void {
    holder.root = Math.floor(rootSlot / FRAME_SLOTS);
    holder.rootSlot = rootSlot;
    holder.rootEnd = rootSlot + holder.format.rootEntries;
    this.#markRoot(holder.root, holder.rootEnd);
    holder.isLoaded = true;
    holder.hasRoot = true;
    holder.core.loaded[holder.space] = holder;
  }

  /** Holders from the first on that are those of a saved state. */
  #sameAs({ holders }: HoldersState): number {
    const { all } = this;
    let id = 0;
    while (id < all.length && id < holders.length && isSame(all[id]!, holders[id]!)) id++;
    return id;
  }

  /** The frames of a root's entries, up to a slot. */
  #markRoot(first: number, end: number): void {
    for (let frame = first; frame * FRAME_SLOTS < end; frame++) this.#wasRoot[frame] = 1;
  }

  #add(core: MayCore, tag: number, space: number): MayHolder {
    const holder = new MayHolder(this.all.length, core, tag, space);
    this.all.push(holder);
    core.tags.push(holder);
    return holder;
  }

  /** A filter: false if nobody has the frame as a root. */
  mayBeRoot(frame: number): boolean {
    return this.#wasRoot[frame] !== 0;
  }

  /** Holders whose tag is or was loaded with a root, by core. */
  ofRoot(root: number): MayHolder[] {
    return this.all.filter((holder) => holder.root === root);
  }

  save(): HoldersState {
    return {
      holders: this.all.map((holder) => ({
        core: holder.core.id,
        tag: holder.tag,
        space: holder.space,
        root: holder.root,
        rootSlot: holder.rootSlot,
        rootEnd: holder.rootEnd,
        isLoaded: holder.isLoaded,
        hasRoot: holder.hasRoot,
        isExplicit: holder.isExplicit,
        frozenAt: holder.frozenAt,
        rootFrozenAt: holder.rootFrozenAt,
        first: holder.first,
        condemned: holder.condemned,
      })),
      lazy: this.cores.map((core) => core.isLazy),
      loaded: this.cores.map((core) => core.loaded.map((holder) => (holder === null ? -1 : holder.id))),
    };
  }

  restore(state: HoldersState): void {
    const kept = this.#sameAs(state);
    while (this.all.length > kept) {
      const gone = this.all.pop()!;
      gone.core.tags.splice(gone.core.tags.indexOf(gone), 1);
    }
    for (let id = 0; id < state.holders.length; id++) {
      const saved = state.holders[id]!;
      if (id === this.all.length) this.#add(this.cores[saved.core]!, saved.tag, saved.space);
      const holder = this.all[id]!;
      holder.root = saved.root;
      holder.rootSlot = saved.rootSlot;
      holder.rootEnd = saved.rootEnd;
      if (saved.root >= 0) this.#markRoot(saved.root, saved.rootEnd);
      holder.isLoaded = saved.isLoaded;
      holder.hasRoot = saved.hasRoot;
      holder.isExplicit = saved.isExplicit;
      holder.frozenAt = saved.frozenAt;
      holder.rootFrozenAt = saved.rootFrozenAt;
      holder.first = saved.first;
      holder.condemned = saved.condemned;
    }
    for (let id = 0; id < this.cores.length; id++) {
      const core = this.cores[id]!;
      core.isLazy = state.lazy[id]!;
      const loaded = state.loaded[id]!;
      for (let space = 0; space < loaded.length; space++) {
        core.loaded[space] = loaded[space]! < 0 ? null : this.all[loaded[space]!]!;
      }
    }
  }
}

function isSame({ core, tag, space }: MayHolder, saved: HolderState): boolean {
  return core.id === saved.core && tag === saved.tag && space === saved.space;
}
