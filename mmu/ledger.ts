/**
 * The coherence ledger, holdings half: for every frame and table page, which TLB and walk-cache entries of which cores
 * lead to it, and which cores have it loaded as a root. Kept incrementally as intrusive lists keyed by frame; a run
 * without a ledger pays one null check per fill.
 *
 * An entry is *reachable* if its core could use it with no further invalidation: its tag is loaded, or it is global.
 * When a frame or table page is freed, reported at once are a reachable walk-cache entry or a loaded root that leads
 * to it, on lazy cores too, and a reachable leaf on a core that is not lazy. A leaf on a lazy core, and anything under
 * a tag that is not loaded, is *condemned*: reported when it is used, or when the core leaves lazy mode or loads the
 * tag while it is still there.
 *
 * A core is reported once per page and free, however many of its entries lead there.
 *
 * Translations that outlive the frames they lead to (the kernel's direct map) are named by the option `isPermanent`.
 */
import { FREE_FRAME, FREE_TABLE, FrameFrees, IN_USE } from "./ledger-frees.ts";
import { Holdings } from "./ledger-holdings.ts";
import type { LedgerEvent, LedgerEventKind, LedgerRule, LedgerViolation } from "./ledger-report.ts";
import { CONDEMNED, type EventColumn, type EventContext, LIVE, NOWHERE, REPORTED } from "./ledger-store.ts";
import type { MaySets } from "./may-sets.ts";
import { ANY_CONTEXT } from "./set-array.ts";

export type { EventContext } from "./ledger-store.ts";

export interface LedgerOptions {
  /** Frames of RAM; entries that lead outside are not followed. */
  readonly frames: number;
  /** log2 of the page sizes that TLBs hold, ascending. */
  readonly leafShifts: readonly number[];
  readonly eventContext: (into: EventContext) => void;
  /** The leaf at this address maps its frame whoever owns it (direct map). */
  readonly isPermanent: (lo: number, hi: number) => boolean;
  /**
   * "reported": every allocation comes to frameAllocated, so that a walk that reads a free table or caches a translation
   * to a free frame can be told from one that uses a page again.
   */
  readonly allocations: "reported" | "unknown";
  /** The other half, which hears of everything that this one hears of from the kernel. */
  readonly maySets?: MaySets | null;
}

/** A core's translation unit as the ledger sees it: the fast TLB must not hide the use of a condemned entry. */
export interface LedgerHolder {
  dropFast(lo: number, hi: number, shift: number): void;
}

/** A saved ledger; opaque. */
export interface LedgerState {
  readonly holdings: Holdings;
  readonly frees: FrameFrees;
  readonly cores: readonly CoreState[];
  readonly sequence: number;
  readonly total: number;
  readonly violations: readonly LedgerViolation[];
}

interface CoreState {
  readonly lazy: boolean;
  readonly tag: number;
  readonly root: number;
  readonly upperTag: number;
  readonly upperRoot: number;
  readonly condemned: number;
}

interface Core {
  readonly holder: LedgerHolder;
  readonly first: number;
  readonly end: number;
  lazy: boolean;
  /** Loaded tag and frame of the root; -1: none. */
  tag: number;
  root: number;
  /** The same of the upper half of the addresses, where it has a root register of its own. */
  upperTag: number;
  upperRoot: number;
  /** Entries of this core that are condemned and not yet reported. */
  condemned: number;
}

/** Violations kept; further ones are counted. */
export const MAX_VIOLATIONS = 1000;

export class CoherenceLedger {
  /** The first MAX_VIOLATIONS violations, in order. */
  readonly violations: LedgerViolation[] = [];
  /** All violations. */
  total = 0;
  readonly maySets: MaySets | null;
  readonly #options: LedgerOptions;
  readonly #cores: Core[] = [];
  #holdings: Holdings;
  #length = 0;
  /** Lists of holdings: per page size one per page, then one per table page. */
  readonly #lists: number;
  readonly #leafBase: readonly number[];
  readonly #tableBase: number;
  readonly #frees: FrameFrees;
  #sequence = 0;
  readonly #context: EventContext = { core: -1, pcLo: -1, pcHi: -1, timeCycles: 0 };

  constructor(options: LedgerOptions) {
    this.#options = options;
    this.maySets = options.maySets ?? null;
    const { frames } = options;
    let base = 0;
    const leafBase: number[] = [];
    for (const shift of options.leafShifts) {
      leafBase.push(base);
      base += Math.ceil(frames / 2 ** (shift - 12));
    }
    this.#leafBase = leafBase;
    this.#tableBase = base;
    this.#lists = base + frames;
    this.#holdings = new Holdings(0, this.#lists);
    this.#frees = new FrameFrees(frames);
  }

  // For translation units

  /** A core joins with this many entries; returns the number of its first. Cores join in order, before anything runs. */
  attach(core: number, entries: number, holder: LedgerHolder): number {
    if (core !== this.#cores.length)
      throw new Error(`ledger: core ${core} joins as number ${this.#cores.length}`);
    const first = this.#length;
    this.#length += entries;
    const unloaded = { tag: -1, root: -1, upperTag: -1, upperRoot: -1 };
    this.#cores.push({ holder, first, end: this.#length, lazy: false, ...unloaded, condemned: 0 });
    return first;
  }

  /** An entry was filled. `context` is ANY_CONTEXT for a global one. */
  hold(
    holding: number,
    leadsTo: "frame" | "table",
    lo: number,
    hi: number,
    shift: number,
    context: number,
    frame: number,
  ): void {
    const h = this.#allHoldings();
    h.lo[holding] = lo;
    h.hi[holding] = hi;
    h.shift[holding] = shift;
    h.isTable[holding] = leadsTo === "table" ? 1 : 0;
    h.context[holding] = context;
    h.frame[holding] = frame;
    h.verdict[holding] = LIVE;
    this.#stamp();
    h.filled.put(holding, this.#sequence, this.#context);
    const list = this.#listFor(leadsTo, shift, frame);
    h.note(holding);
    h.list[holding] = NOWHERE;
    if (list === NOWHERE) return;
    h.link(holding, list);
    if (this.#options.allocations === "reported") this.#checkFill(holding);
  }

  /** An entry went, or is about to be filled anew. */
  release(holding: number): void {
    const h = this.#holdings;
    if (h.list[holding] === NOWHERE) return;
    h.unlink(holding);
    if (h.verdict[holding] === CONDEMNED) this.#cores[h.core[holding]].condemned--;
    h.verdict[holding] = LIVE;
  }

  /** An access to (lo, hi), or a walk for it, used an entry. */
  use(holding: number, lo: number, hi: number): void {
    if (this.#holdings.verdict[holding] !== CONDEMNED) return;
    this.#reportCondemned(holding, "condemned-used", "use", lo, hi);
  }

  /** A walk for (lo, hi) reads an entry of a table page. */
  tableRead(frame: number, lo: number, hi: number): void {
    if (this.#frees.state[frame] === IN_USE || this.#options.allocations !== "reported") return;
    this.#stamp();
    const later = this.#event("walk", lo, hi, "walk reads the freed table page");
    this.#report("free-table-read", frame, this.#freeEventOf(frame), later);
  }

  /** A core loaded a root under a tag. What the load invalidates has been released before. */
  rootLoaded(core: number, tag: number, frame: number): void {
    const state = this.#cores[core];
    state.tag = tag;
    state.root = frame;
    this.#checkRoot(state, core, tag, frame);
  }

  /** The same for the root of the upper half of the addresses, where it has a register of its own. */
  upperRootLoaded(core: number, tag: number, frame: number): void {
    const state = this.#cores[core];
    if (state.upperTag === tag && state.upperRoot === frame) return;
    state.upperTag = tag;
    state.upperRoot = frame;
    this.#checkRoot(state, core, tag, frame);
  }

  /** A core switched translation off. */
  rootUnloaded(core: number): void {
    const state = this.#cores[core];
    state.tag = state.root = state.upperTag = state.upperRoot = -1;
  }

  // For the kernel, through the machine

  /** A data frame goes back to the allocator. */
  frameFreed(frame: number): void {
    this.#free(frame, "free-frame");
    if (this.maySets !== null) this.maySets.frameFreed(frame);
    const h = this.#holdings;
    const { leafShifts } = this.#options;
    for (let i = 0; i < leafShifts.length; i++) {
      let holding = this.#holdings.heads[this.#leafBase[i] + Math.floor(frame / 2 ** (leafShifts[i] - 12))];
      for (; holding !== NOWHERE; holding = h.next[holding]) {
        if (h.verdict[holding] !== LIVE || this.#options.isPermanent(h.lo[holding], h.hi[holding])) continue;
        if (this.#isReachable(holding) && !this.#cores[h.core[holding]].lazy) {
          this.#reportFree(holding, "leaf-reachable", frame);
        } else {
          this.#condemn(holding, frame);
        }
      }
    }
  }

  /** A page-table page goes back to the allocator; the page may also have been a root. */
  tableFreed(frame: number): void {
    this.#free(frame, "free-table");
    if (this.maySets !== null) this.maySets.tableFreed(frame);
    const h = this.#holdings;
    let holding = this.#holdings.heads[this.#tableBase + frame];
    for (; holding !== NOWHERE; holding = h.next[holding]) {
      if (h.verdict[holding] !== LIVE) continue;
      if (this.#isReachable(holding)) this.#reportFree(holding, "table-reachable", frame);
      else this.#condemn(holding, frame);
    }
    for (let core = 0; core < this.#cores.length; core++) {
      const state = this.#cores[core];
      if (state.root !== frame && state.upperRoot !== frame) continue;
      const tag = state.root === frame ? state.tag : state.upperTag;
      const earlier: LedgerEvent = {
        kind: "load-root",
        core,
        pc: "",
        address: "",
        timeCycles: 0,
        sequence: 0,
        text: `core ${core}${state.lazy ? ", lazy," : ""} has the page loaded as root under tag ${tag}`,
      };
      this.#report("root-loaded", frame, earlier, this.#freeEventOf(frame));
    }
  }

  /** The allocator hands a frame out, for data or as a table. */
  frameAllocated(frame: number): void {
    this.#frees.allocated(frame);
  }

  /** From here on the core runs no user code and touches no user address until leaveLazy. */
  enterLazy(core: number): void {
    this.#cores[core].lazy = true;
    if (this.maySets !== null) this.maySets.enterLazy(core);
  }

  /** The core may use user translations again; the kernel calls it when it has done the invalidations that it owes. */
  leaveLazy(core: number): void {
    if (this.maySets !== null) this.maySets.leaveLazy(core);
    const state = this.#cores[core];
    if (!state.lazy) return;
    state.lazy = false;
    if (state.condemned === 0) return;
    const h = this.#holdings;
    for (let holding = state.first; holding < state.end; holding++) {
      if (h.verdict[holding] !== CONDEMNED || !this.#isReachable(holding)) continue;
      this.#reportCondemned(holding, "condemned-not-lazy", "leave-lazy", h.lo[holding], h.hi[holding]);
    }
  }

  /** Cores that hold a reachable or condemned entry to a frame or table page, ascending; for reports. */
  holders(frame: number): number[] {
    const h = this.#holdings;
    const found = new Set<number>();
    const { leafShifts } = this.#options;
    const heads = leafShifts.map((shift, i) => this.#leafBase[i] + Math.floor(frame / 2 ** (shift - 12)));
    for (const list of [...heads, this.#tableBase + frame]) {
      for (let at = this.#holdings.heads[list]; at !== NOWHERE; at = h.next[at]) found.add(h.core[at]);
    }
    return [...found].sort((a, b) => a - b);
  }

  /** A copy of everything mutable; restore() of the last one takes time in what changed since. */
  save(): LedgerState {
    return {
      holdings: this.#allHoldings().save(),
      frees: this.#frees.save(),
      cores: this.#cores.map(({ lazy, tag, root, upperTag, upperRoot, condemned }) => ({
        lazy,
        tag,
        root,
        upperTag,
        upperRoot,
        condemned,
      })),
      sequence: this.#sequence,
      total: this.total,
      violations: [...this.violations],
    };
  }

  restore(state: LedgerState): void {
    this.#allHoldings().restore(state.holdings);
    this.#frees.restore(state.frees);
    for (let core = 0; core < this.#cores.length; core++) {
      const saved = state.cores[core];
      const into = this.#cores[core];
      into.lazy = saved.lazy;
      into.tag = saved.tag;
      into.root = saved.root;
      into.condemned = saved.condemned;
    }
    this.#sequence = state.sequence;
    this.total = state.total;
    this.violations.length = 0;
    for (let index = 0; index < state.violations.length; index++)
      this.violations.push(state.violations[index]);
  }

  /** The columns, made when all cores have joined. */
  #allHoldings(): Holdings {
    if (this.#holdings.core.length !== this.#length) {
      this.#holdings = new Holdings(this.#length, this.#lists);
      for (let core = 0; core < this.#cores.length; core++) {
        this.#holdings.core.fill(core, this.#cores[core].first, this.#cores[core].end);
      }
    }
    return this.#holdings;
  }

  #listFor(leadsTo: "frame" | "table", shift: number, frame: number): number {
    if (frame >= this.#options.frames) return NOWHERE;
    if (leadsTo === "table") return this.#tableBase + frame;
    const size = this.#options.leafShifts.indexOf(shift);
    if (size < 0) throw new Error(`ledger: no list for pages of 2^${shift} bytes`);
    return this.#leafBase[size] + Math.floor(frame / 2 ** (shift - 12));
  }

  #isReachable(holding: number): boolean {
    const h = this.#holdings;
    const context = h.context[holding];
    if (context === ANY_CONTEXT) return true;
    const { tag, upperTag } = this.#cores[h.core[holding]];
    return context === tag || context === upperTag;
  }

  #checkRoot(state: Core, core: number, tag: number, frame: number): void {
    if (this.#frees.state[frame] !== IN_USE && this.#options.allocations === "reported") {
      this.#stamp();
      const later = this.#event("load-root", 0, 0, `loads the freed table page as root under tag ${tag}`);
      this.#report("root-loaded", frame, this.#freeEventOf(frame), later);
    }
    if (state.condemned > 0) this.#tagLoaded(core, tag);
  }

  #tagLoaded(core: number, tag: number): void {
    const state = this.#cores[core];
    const h = this.#holdings;
    for (let holding = state.first; holding < state.end; holding++) {
      if (h.verdict[holding] !== CONDEMNED || h.context[holding] !== tag) continue;
      if (state.lazy && h.isTable[holding] === 0) continue;
      this.#reportCondemned(holding, "condemned-loaded", "load-tag", h.lo[holding], h.hi[holding]);
    }
  }

  #free(frame: number, kind: "free-frame" | "free-table"): void {
    this.#stamp();
    const state = kind === "free-table" ? FREE_TABLE : FREE_FRAME;
    this.#frees.freed(frame, state, this.#sequence, this.#context);
  }

  #condemn(holding: number, frame: number): void {
    const h = this.#holdings;
    h.note(holding);
    h.verdict[holding] = CONDEMNED;
    h.freed.copy(holding, this.#frees.events, frame);
    const core = this.#cores[h.core[holding]];
    core.condemned++;
    core.holder.dropFast(h.lo[holding], h.hi[holding], h.shift[holding]);
  }

  #checkFill(holding: number): void {
    const h = this.#holdings;
    const frame = h.frame[holding];
    if (this.#frees.state[frame] === IN_USE) return;
    if (h.isTable[holding] === 0) {
      if (this.#options.isPermanent(h.lo[holding], h.hi[holding])) return;
      if (this.#condemnCopy(holding)) return;
      // A lazy core is left out of flushes: its walker may have read the entry before it was cleared.
      if (this.#cores[h.core[holding]].lazy) {
        this.#condemn(holding, frame);
        return;
      }
    }
    this.#report("free-frame-cached", frame, this.#freeEventOf(frame), this.#fillEventOf(holding));
  }

  /** A copy of a condemned leaf of the same core (a prefetch from its second level) is condemned as well. */
  #condemnCopy(copy: number): boolean {
    const h = this.#holdings;
    for (let each = h.next[copy]; each !== NOWHERE; each = h.next[each]) {
      if (
        h.core[each] !== h.core[copy] ||
        h.verdict[each] !== CONDEMNED ||
        h.context[each] !== h.context[copy]
      )
        continue;
      h.note(copy);
      h.verdict[copy] = CONDEMNED;
      this.#cores[h.core[copy]].condemned++;
      h.freed.copy(copy, h.freed, each);
      return true;
    }
    return false;
  }

  #reportFree(holding: number, rule: LedgerRule, frame: number): void {
    this.#silence(holding);
    this.#report(rule, frame, this.#fillEventOf(holding), this.#freeEventOf(frame));
  }

  #reportCondemned(holding: number, rule: LedgerRule, kind: LedgerEventKind, lo: number, hi: number): void {
    const h = this.#holdings;
    this.#silence(holding);
    this.#stamp();
    const freed = h.isTable[holding] === 1 ? "free-table" : "free-frame";
    const earlier = this.#eventFrom(
      h.freed,
      holding,
      freed,
      "",
      "freed, which condemned " + this.#name(holding),
    );
    const later = this.#event(kind, lo, hi, `${describe(kind)} ${this.#name(holding)}`);
    this.#report(rule, h.frame[holding], earlier, later);
  }

  /** One report for a core and a page is enough: its other entries for the page (first and second level) keep quiet. */
  #silence(holding: number): void {
    const h = this.#holdings;
    const core = h.core[holding];
    for (let at = this.#holdings.heads[h.list[holding]]; at !== NOWHERE; at = h.next[at]) {
      if (h.core[at] !== core) continue;
      if (h.verdict[at] === CONDEMNED) this.#cores[core].condemned--;
      h.note(at);
      h.verdict[at] = REPORTED;
    }
  }

  #report(rule: LedgerRule, frame: number, earlier: LedgerEvent, later: LedgerEvent): void {
    this.total++;
    if (this.violations.length < MAX_VIOLATIONS) this.violations.push({ rule, frame, earlier, later });
  }

  #stamp(): void {
    this.#sequence++;
    this.#options.eventContext(this.#context);
  }

  #event(kind: LedgerEventKind, lo: number, hi: number, text: string): LedgerEvent {
    const { core, pcLo, pcHi, timeCycles } = this.#context;
    const address = hex(lo, hi);
    return { kind, core, pc: hexPc(pcLo, pcHi), address, timeCycles, sequence: this.#sequence, text };
  }

  #eventFrom(
    column: EventColumn,
    at: number,
    kind: LedgerEventKind,
    address: string,
    text: string,
  ): LedgerEvent {
    return {
      kind,
      core: column.core[at],
      pc: hexPc(column.pcLo[at], column.pcHi[at]),
      address,
      timeCycles: column.time[at],
      sequence: column.sequence[at],
      text,
    };
  }

  #freeEventOf(frame: number): LedgerEvent {
    return this.#frees.state[frame] === FREE_TABLE
      ? this.#eventFrom(this.#frees.events, frame, "free-table", "", "frees the table page")
      : this.#eventFrom(this.#frees.events, frame, "free-frame", "", "frees the frame");
  }

  #fillEventOf(holding: number): LedgerEvent {
    const h = this.#holdings;
    const address = hex(h.lo[holding], h.hi[holding]);
    return this.#eventFrom(h.filled, holding, "fill", address, `filled ${this.#name(holding)}`);
  }

  /** What an entry is, for messages. */
  #name(holding: number): string {
    const h = this.#holdings;
    const tag = h.context[holding] === ANY_CONTEXT ? "global" : `tag ${h.context[holding]}`;
    const what = h.isTable[holding] === 1 ? "walk-cache entry" : "translation";
    const lazy = this.#cores[h.core[holding]].lazy ? ", lazy" : "";
    return `the ${what} of core ${h.core[holding]}${lazy}, ${tag}, 2^${h.shift[holding]} bytes`;
  }
}

function describe(kind: LedgerEventKind): string {
  switch (kind) {
    case "use":
      return "uses";
    case "load-tag":
      return "loads the tag of";
    case "leave-lazy":
      return "leaves lazy mode with";
    default:
      return kind;
  }
}

function hex(lo: number, hi: number): string {
  return (hi >>> 0).toString(16).padStart(8, "0") + (lo >>> 0).toString(16).padStart(8, "0");
}

function hexPc(lo: number, hi: number): string {
  return lo === -1 && hi === -1 ? "" : hex(lo, hi);
}
