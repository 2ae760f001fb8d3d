/**
 * Lifetime of kernel objects, page tables and frames, after KASAN (Documentation/dev-tools/kasan.rst): one byte of state
 * for every 8 bytes of RAM, looked at before each access of kernel code. Reported are
 *
 *     I11  an access to a freed object, to a free frame, past the end of an object, or to an object that waits for its
 *          grace period by a context that is no reader; an object freed twice
 *     I2   an access to a freed page table
 *
 * Objects and tables are recycled at once, as on a real machine, so a byte is not enough for a reader that holds on to
 * what was recycled. For each core the objects that its open RCU section touched, and the tables that its walk without
 * mmap_lock touched, are kept; what is freed meanwhile is dead for that core until the section or walk ends, whatever
 * lives there by then.
 *
 * It must hear of the machine from boot on.
 */
import type { Context, KernelObserver, KPtr } from "../../kernel/index.ts";
import { type AccessSink, SINK_READ, type SinkKind } from "../../mmu/index.ts";
import type { OraclePart, OracleWorld } from "./part.ts";
import { NO_SITE, SiteLog, type SiteNote } from "./site-log.ts";
import { type Invariant, siteOf } from "./violation.ts";

/** States of a granule. Everything but PLAIN is looked at more closely. */
const PLAIN = 0;
/** Inside an object of a cache whose objects wait for a grace period. */
const RCU_OBJECT = 1;
const TABLE = 2;
const FREED_OBJECT = 3;
/** In a slab, but in no object. */
const GAP = 4;
const FREE_FRAME = 5;
const FREE_TABLE = 6;
/** In use, but was a table that some walker had touched. */
const RECYCLED_TABLE = 7;
/** Handed to call_rcu(). */
const WAITING = 8;

const GRANULE_BYTES = 8;
const GRANULES_PER_FRAME: number = 4096 / GRANULE_BYTES;
/** Objects and tables that one section or walk touches; more are not followed. */
const MAX_TOUCHED = 32;
/** Ranges up to this are looked at granule by granule. */
const MAX_EXACT_BYTES = 1024;

/** The caches whose objects lockless readers look at, by the deferred function that frees them. */
const DEFERRED: ReadonlyMap<string, string> = new Map([["vm_area_free", "vm_area_struct"]]);

interface Cache {
  readonly name: string;
  readonly strideBytes: number;
}

/** What one core's open section or walk has touched. */
class Touched {
  open = false;
  count = 0;
  readonly at: Float64Array = new Float64Array(MAX_TOUCHED);
  /** Note of the free, or NO_SITE while it lives. */
  readonly freed: Float64Array = new Float64Array(MAX_TOUCHED);

  begin(): void {
    this.open = true;
    this.count = 0;
  }

  end(): void {
    this.open = false;
    this.count = 0;
  }

  /** @returns its place, or -1 @hot */
  find(at: number): number {
    for (let index = this.count - 1; index >= 0; index--) if (this.at[index] === at) return index;
    return -1;
  }

  /** @returns note of the free if it is dead to this core @hot */
  touch(at: number): SiteNote {
    const index = this.find(at);
    if (index >= 0) return this.freed[index]!;
    if (this.count === MAX_TOUCHED) return NO_SITE;
    this.at[this.count] = at;
    this.freed[this.count++] = NO_SITE;
    return NO_SITE;
  }
}

export class Lifetime implements OraclePart, AccessSink {
  readonly name: string = "lifetime";
  readonly events: Partial<KernelObserver> = this.#events();
  readonly #world: OracleWorld;
  readonly #state: Uint8Array;
  /** Per frame: number of the cache whose slab it is, or 0. */
  readonly #cacheOf: Uint8Array;
  readonly #caches: (Cache | null)[] = [null];
  readonly #baseState: Uint8Array;
  readonly #baseCacheOf: Uint8Array;
  /** Frames whose states changed since mark(). */
  readonly #changed: Int32Array;
  readonly #isChanged: Uint8Array;
  #changes = 0;
  /** Nesting of the object allocator. */
  #inAllocator = 0;
  readonly #sections: Touched[] = [];
  readonly #walks: Touched[] = [];
  /** Depth of traps of the fault whose walk is open. */
  readonly #walkDepth: Int32Array;
  readonly #log: SiteLog = new SiteLog();
  /** Note of the last free of what begins at an address (object, or frame). */
  readonly #freedAt: Map<number, SiteNote> = new Map();
  #reported = false;

  constructor(world: OracleWorld) {
    const { ram, platform } = world.kernel;
    this.#world = world;
    this.#state = new Uint8Array(ram.sizeBytes / GRANULE_BYTES);
    this.#baseState = new Uint8Array(this.#state.length);
    this.#cacheOf = new Uint8Array(ram.frames);
    this.#baseCacheOf = new Uint8Array(ram.frames);
    this.#changed = new Int32Array(ram.frames);
    this.#isChanged = new Uint8Array(ram.frames);
    this.#walkDepth = new Int32Array(platform.cpus.length);
    for (const _cpu of platform.cpus) {
      this.#sections.push(new Touched());
      this.#walks.push(new Touched());
    }
  }

  mark(): void {
    this.#baseState.set(this.#state);
    this.#baseCacheOf.set(this.#cacheOf);
    this.#forgetRun();
  }

  start(): void {
    for (let index = 0; index < this.#changes; index++) {
      const frame = this.#changed[index]!;
      const first = frame * GRANULES_PER_FRAME;
      this.#state.set(this.#baseState.subarray(first, first + GRANULES_PER_FRAME), first);
      this.#cacheOf[frame] = this.#baseCacheOf[frame]!;
    }
    this.#forgetRun();
  }

  /** @hot */
  access(pa: number, bytes: number, kind: SinkKind): void {
    const state = this.#state[pa >>> 3]!;
    if (state !== PLAIN && this.#inAllocator === 0) this.#look(pa, bytes, kind, state);
  }

  range(pa: number, bytes: number, kind: SinkKind): void {
    if (bytes > MAX_EXACT_BYTES) {
      this.access(pa, GRANULE_BYTES, kind);
      this.access(pa + bytes - GRANULE_BYTES, GRANULE_BYTES, kind);
      return;
    }
    for (let at = pa; at < pa + bytes; at += GRANULE_BYTES) this.access(at, GRANULE_BYTES, kind);
  }

  /** The granule is special. */
  #look(pa: number, bytes: number, kind: SinkKind, state: number): void {
    const k = this.#world.kernel.running;
    switch (state) {
      case RCU_OBJECT: {
        const section = this.#sections[k.cpu.id]!;
        if (!section.open) return;
        const freed = section.touch(this.#objectAt(pa));
        if (freed !== NO_SITE)
          this.#violate(k, "I11", pa, kind, "an object freed inside its read section", freed);
        return;
      }
      case TABLE:
      case RECYCLED_TABLE: {
        const walk = this.#walks[k.cpu.id]!;
        if (!walk.open) return;
        const frame = pa >>> 12;
        const freed =
          state === TABLE
            ? walk.touch(frame)
            : walk.find(frame) < 0
              ? NO_SITE
              : walk.freed[walk.find(frame)]!;
        if (freed !== NO_SITE) this.#violate(k, "I2", pa, kind, "a page table freed during its walk", freed);
        return;
      }
      case WAITING:
        if (this.#sections[k.cpu.id]!.open || !k.cpu.interruptsEnabled()) return;
        this.#violate(k, "I11", pa, kind, "an object that waits for its grace period", this.#freedNote(pa));
        return;
      case FREED_OBJECT:
        this.#violate(k, "I11", pa, kind, "a freed object", this.#freedNote(pa));
        return;
      case GAP:
        this.#violate(k, "I11", pa, kind, `${bytes} bytes past the end of an object`, NO_SITE);
        return;
      case FREE_TABLE:
        this.#violate(k, "I2", pa, kind, "a freed page table", this.#freedNote(pa));
        return;
      default:
        this.#violate(k, "I11", pa, kind, "a free frame", this.#freedNote(pa));
    }
  }

  #events(): Partial<KernelObserver> {
    return {
      slabGrown: (_k, cache, at, strideBytes, objects) => this.#slabGrown(cache, at, strideBytes, objects),
      objectAllocated: (k, cache, at, bytes) => this.#allocated(k, cache, at, bytes),
      objectFreed: (k, cache, at, bytes) => this.#freed(k, cache, at, bytes),
      allocatorBegin: () => {
        this.#inAllocator++;
      },
      allocatorEnd: () => {
        this.#inAllocator--;
      },
      frameAllocated: (k, frame) => this.#frameAllocated(k, frame),
      frameFreed: (k, frame) => this.#frameFreed(k, frame),
      tableLinked: (_k, _mm, _slot, frame) => this.#fillFrame(frame, TABLE),
      pteSet: (k, _mm, page, slot) => this.#pteSet(k, page, slot),
      rcuReadLock: (k) => this.#sections[k.cpu.id]!.begin(),
      rcuReadUnlock: (k) => this.#sections[k.cpu.id]!.end(),
      rcuQueued: (k, name, arg) => this.#queued(k, name, arg),
      rcuCallback: (_k, name, arg) => this.#callback(name, arg),
      faultBegin: (k) => {
        this.#walks[k.cpu.id]!.begin();
        this.#walkDepth[k.cpu.id] = k.traps.length;
      },
      trapEnd: (k) => {
        if (k.traps.length < this.#walkDepth[k.cpu.id]!) this.#walks[k.cpu.id]!.end();
      },
      mmReadLocked: (k) => this.#walks[k.cpu.id]!.end(),
      mmWriteLocked: (k) => this.#walks[k.cpu.id]!.end(),
      contextSwitch: (k) => this.#walks[k.cpu.id]!.end(),
    };
  }

  #slabGrown(name: string, at: number, strideBytes: number, objects: number): void {
    const frame = at >>> 12;
    let number = this.#caches.findIndex((cache) => cache?.name === name);
    if (number < 0) number = this.#caches.push({ name, strideBytes }) - 1;
    this.#fillFrame(frame, FREED_OBJECT);
    this.#cacheOf[frame] = number;
    const end = at + strideBytes * objects;
    this.#fill(end, (frame + 1) * 4096 - end, GAP);
  }

  /** An object that ends inside a granule owns all of it. */
  #allocated(k: Context, cache: string, at: KPtr, objectBytes: number): void {
    const bytes = (objectBytes + GRANULE_BYTES - 1) & ~(GRANULE_BYTES - 1);
    if (this.#stateAt(at) !== FREED_OBJECT) {
      this.#report(
        k,
        "I11",
        `${cache} was handed out, but is not free`,
        "allocation of a live object",
        NO_SITE,
      );
    }
    this.#change(at >>> 12);
    let lives = PLAIN;
    for (const deferred of DEFERRED.values()) if (deferred === cache) lives = RCU_OBJECT;
    const cacheOf = this.#caches[this.#cacheOf[at >>> 12]!];
    const stride = cacheOf?.strideBytes ?? bytes;
    this.#fill(at, bytes, lives);
    if (stride > bytes) this.#fill(at + bytes, stride - bytes, GAP);
  }

  #freed(k: Context, cache: string, at: KPtr, bytes: number): void {
    const state = this.#stateAt(at);
    if (state === FREED_OBJECT || state === FREE_FRAME) {
      const text = `${cache} was freed twice`;
      this.#report(k, "I11", text, "second free of an object", this.#freedAt.get(at) ?? NO_SITE);
    }
    const note = this.#log.note(k, `free of ${cache}`, -1);
    this.#freedAt.set(at, note);
    for (const section of this.#sections) {
      if (!section.open) continue;
      const index = section.find(at);
      if (index >= 0) section.freed[index] = note;
    }
    this.#change(at >>> 12);
    this.#fill(at, bytes, FREED_OBJECT);
  }

  #frameAllocated(k: Context, frame: number): void {
    let state = PLAIN;
    for (let cpu = 0; cpu < this.#walks.length; cpu++) {
      const walk = this.#walks[cpu]!;
      if (!walk.open) continue;
      const index = walk.find(frame);
      if (index < 0) continue;
      // Who is handed the frame itself may use it.
      if (cpu === k.cpu.id) walk.at[index] = -1;
      else state = RECYCLED_TABLE;
    }
    this.#fillFrame(frame, state);
    this.#cacheOf[frame] = 0;
  }

  #frameFreed(k: Context, frame: number): void {
    const wasTable = this.#state[frame * GRANULES_PER_FRAME] === TABLE;
    const note = this.#log.note(k, wasTable ? "free of a page table" : "free of a frame", -1);
    this.#freedAt.set(frame * 4096, note);
    if (wasTable) {
      for (const walk of this.#walks) {
        if (!walk.open) continue;
        const index = walk.find(frame);
        if (index >= 0) walk.freed[index] = note;
      }
    }
    this.#fillFrame(frame, wasTable ? FREE_TABLE : FREE_FRAME);
    this.#cacheOf[frame] = 0;
  }

  /** An entry is stored in something that is no page table (any more). */
  #pteSet(k: Context, page: number, slot: number): void {
    if (this.#stateAt(slot) === TABLE) return;
    const text = `the entry of page ${page.toString(16)} is stored in a frame that is no page table`;
    this.#report(k, "I2", text, "store of an entry in no table", this.#freedNote(slot));
  }

  #queued(k: Context, name: string, arg: KPtr): void {
    if (!DEFERRED.has(name)) return;
    this.#freedAt.set(arg, this.#log.note(k, `call_rcu of ${DEFERRED.get(name)!}`, -1));
    this.#change(arg >>> 12);
    this.#fillObject(arg, WAITING);
  }

  #callback(name: string, arg: KPtr): void {
    if (!DEFERRED.has(name)) return;
    this.#change(arg >>> 12);
    this.#fillObject(arg, RCU_OBJECT);
  }

  #fillObject(at: number, state: number): void {
    const from = at >>> 3;
    let granule = from;
    const was = this.#state[from]!;
    while (this.#state[granule] === was && this.#objectAt(granule << 3) === at)
      this.#state[granule++] = state;
  }

  /** The object that an address in a slab belongs to; elsewhere the frame. */
  #objectAt(pa: number): number {
    const cache = this.#caches[this.#cacheOf[pa >>> 12]!];
    const frame = (pa & ~4095) >>> 0;
    if (cache === null || cache === undefined) return frame;
    return frame + Math.floor((pa - frame) / cache.strideBytes) * cache.strideBytes;
  }

  #freedNote(pa: number): SiteNote {
    return this.#freedAt.get(this.#objectAt(pa)) ?? this.#freedAt.get((pa & ~4095) >>> 0) ?? NO_SITE;
  }

  #stateAt(pa: number): number {
    return this.#state[pa >>> 3]!;
  }

  #fillFrame(frame: number, state: number): void {
    this.#change(frame);
    this.#state.fill(state, frame * GRANULES_PER_FRAME, (frame + 1) * GRANULES_PER_FRAME);
  }

  /** Inside one frame that is noted as changed. */
  #fill(pa: number, bytes: number, state: number): void {
    this.#state.fill(state, pa >>> 3, (pa + bytes + GRANULE_BYTES - 1) >>> 3);
  }

  #change(frame: number): void {
    if (this.#isChanged[frame] !== 0) return;
    this.#isChanged[frame] = 1;
    this.#changed[this.#changes++] = frame;
  }

  #forgetRun(): void {
    for (let index = 0; index < this.#changes; index++) this.#isChanged[this.#changed[index]!] = 0;
    this.#changes = 0;
    this.#inAllocator = 0;
    for (const section of this.#sections) section.end();
    for (const walk of this.#walks) walk.end();
    this.#log.clear();
    this.#freedAt.clear();
    this.#reported = false;
  }

  #violate(
    k: Context,
    invariant: Invariant,
    pa: number,
    kind: SinkKind,
    what: string,
    freed: SiteNote,
  ): void {
    const verb = kind === SINK_READ ? "read" : "write";
    const cache = this.#caches[this.#cacheOf[pa >>> 12]!]?.name;
    const where = cache === undefined ? "" : `, offset ${pa - this.#objectAt(pa)} in ${cache}`;
    this.#report(
      k,
      invariant,
      `${verb} of ${what} (address ${pa.toString(16)}${where})`,
      `${verb} of ${what}`,
      freed,
    );
  }

  #report(k: Context, invariant: Invariant, text: string, what: string, freed: SiteNote): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#world.report({ invariant, text, earlier: this.#log.site(freed), later: siteOf(k, what) });
  }
}
