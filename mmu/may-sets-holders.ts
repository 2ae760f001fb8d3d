/**
 * Who may hold translations: the tags of each core. A tag is *loaded* or *frozen*: what a frozen one may hold is what
 * could be derived when it was unloaded, and the records made since, for nothing is filled under a tag that is not
 * loaded. Every core has one more holder, for global translations, which is never frozen.
 */
import { NOWHERE } from "./ledger-store.ts";
import type { MayFormat } from "./may-sets-format.ts";
import type { RecordOwner } from "./may-sets-records.ts";
import { ANY_CONTEXT } from "./set-array.ts";

export class MayHolder implements RecordOwner {
  readonly id: number;
  readonly core: MayCore;
  /** PCID, ASID, PID; ANY_CONTEXT: global translations. */
  readonly tag: number;
  /** Root frame under which it is or was loaded; -1: none, only records count. */
  root = -1;
  isLoaded = false;
  /** Sequence number of its last unloading. */
  frozenAt = 0;
  first: number = NOWHERE;
  /** Records of it that are condemned and not yet reported. */
  condemned = 0;

  constructor(id: number, core: MayCore, tag: number) {
    this.id = id;
    this.core = core;
    this.tag = tag;
    this.isLoaded = tag === ANY_CONTEXT;
  }

  get isGlobal(): boolean {
    return this.tag === ANY_CONTEXT;
  }
}

export class MayCore {
  readonly id: number;
  readonly format: MayFormat;
  readonly tags: MayHolder[] = [];
  readonly global: MayHolder;
  loaded: MayHolder | null = null;
  isLazy = false;

  constructor(id: number, format: MayFormat, globalId: number) {
    this.id = id;
    this.format = format;
    this.global = new MayHolder(globalId, this, ANY_CONTEXT);
  }
}

/** Saved holders; opaque. */
export interface HoldersState {
  readonly holders: readonly HolderState[];
  readonly lazy: readonly boolean[];
  /** By core: index of the loaded tag, or -1. */
  readonly loaded: readonly number[];
}

interface HolderState {
  readonly core: number;
  readonly tag: number;
  readonly root: number;
  readonly isLoaded: boolean;
  readonly frozenAt: number;
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

  addCore(id: number, format: MayFormat): void {
    if (id !== this.cores.length)
      throw new Error(`may-sets: core ${id} joins as number ${this.cores.length}`);
    const core = new MayCore(id, format, this.all.length);
    this.all.push(core.global);
    this.cores.push(core);
  }

  find(core: number, tag: number): MayHolder | null {
    const { tags } = this.cores[core]!;
    for (let i = 0; i < tags.length; i++) if (tags[i]!.tag === tag) return tags[i]!;
    return null;
  }

  findOrAdd(core: number, tag: number): MayHolder {
    const found = this.find(core, tag);
    if (found !== null) return found;
    const at = this.cores[core]!;
    const holder = new MayHolder(this.all.length, at, tag);
    this.all.push(holder);
    at.tags.push(holder);
    return holder;
  }

  /** A core loads a root under a tag. */
  load(holder: MayHolder, root: number): void {
    if (root < this.#wasRoot.length) this.#wasRoot[root] = 1;
    holder.root = root;
    holder.isLoaded = true;
    holder.core.loaded = holder;
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
      holders: this.all.map(({ core, tag, root, isLoaded, frozenAt, first, condemned }) => ({
        core: core.id,
        tag,
        root,
        isLoaded,
        frozenAt,
        first,
        condemned,
      })),
      lazy: this.cores.map((core) => core.isLazy),
      loaded: this.cores.map((core) => (core.loaded === null ? -1 : core.loaded.id)),
    };
  }

  restore(state: HoldersState): void {
    for (let id = this.all.length - 1; id >= state.holders.length; id--) {
      const { tags } = this.all[id]!.core;
      tags.splice(tags.indexOf(this.all[id]!), 1);
    }
    this.all.length = Math.min(this.all.length, state.holders.length);
    for (let id = 0; id < state.holders.length; id++) {
      const saved = state.holders[id]!;
      if (id === this.all.length) this.findOrAdd(saved.core, saved.tag);
      const holder = this.all[id]!;
      if (holder.core.id !== saved.core || holder.tag !== saved.tag) {
        throw new Error(`may-sets: the saved holder ${id} is another one`);
      }
      holder.root = saved.root;
      if (saved.root >= 0) this.#wasRoot[saved.root] = 1;
      holder.isLoaded = saved.isLoaded;
      holder.frozenAt = saved.frozenAt;
      holder.first = saved.first;
      holder.condemned = saved.condemned;
    }
    for (let id = 0; id < this.cores.length; id++) {
      const core = this.cores[id]!;
      core.isLazy = state.lazy[id]!;
      core.loaded = state.loaded[id]! < 0 ? null : this.all[state.loaded[id]!]!;
    }
  }
}
