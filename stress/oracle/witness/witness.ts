/**
 * I14, and with it I4, I5, I6 and I7: the run against a sequential witness. The recorded commit order (write sections of
 * mmap_lock; page-table-lock sections for entries) is replayed in a model of the address space, which must give every
 * mapping and every result; each page is a chain of incarnations, along which each core goes between the commit and the
 * return of what changed it. The engine tells of user accesses through access().
 *
 * A call commits in its write section, an madvise(2) that changes no mapping in its read section, a fault when it sets the
 * entry. SIGSEGV and EFAULT are right if the model gave no right at some moment since the fault's handler began, which is
 * when the handler looks at the mappings itself.
 */
import type { Context, FaultState, KernelObserver, KPtr, Syscall } from "../../../kernel/index.ts";
import { type AccessSink, ObservedMemory } from "../../../mmu/index.ts";
import type { OraclePart, OracleWorld } from "../part.ts";
import { NO_SITE, SiteLog, type SiteNote } from "../site-log.ts";
import { type Invariant, type Site, siteOf, vaOfPage } from "../violation.ts";
import { type Call, MODELLED, NOT_FOLLOWED, needsNoLock, replay } from "./calls.ts";
import { modelOf, rangesOf } from "./kernel-view.ts";
import { BY_DISCARD, BY_FAULT, BY_WRITER, type Replacer } from "./page-chain.ts";
import { type PageFinding, PageHistory } from "./page-history.ts";
import { EXEC, type Range, READ, type Right, type VmaModel, WRITE } from "./vma-model.ts";

/** FAULT_FLAG_*, include/linux/mm_types.h. */
const FAULT_WRITE = 0x1;
const FAULT_INSTRUCTION = 0x100;
const SIGSEGV = 11;
const SEGV_PKUERR = 4;
const ARGUMENTS = 6;

/** What a task is doing. */
class TaskState implements Call {
  readonly pid: number;
  /** The call, or "". */
  name = "";
  readonly args: Float64Array = new Float64Array(ARGUMENTS);
  /** The model has done the call, and says this. */
  committed = false;
  expected = 0;
  entered: SiteNote = NO_SITE;
  /** Depth of traps of the fault in progress; 0: none. */
  faultDepth = 0;
  faultMm: KPtr = 0 as KPtr;
  faultPage = 0;
  faultRight: Right = READ;
  /** The model gave no right at some moment since the fault began. */
  denied = false;
  /** When the last frame was handed out to it. */
  allocated: SiteNote = NO_SITE;
  /** It copies this address space. */
  forking: KPtr = 0 as KPtr;

  constructor(pid: number) {
    this.pid = pid;
  }

  clear(): void {
    this.name = "";
    this.committed = false;
    this.faultDepth = 0;
    this.denied = false;
    this.allocated = NO_SITE;
    this.forking = 0 as KPtr;
  }
}

interface Marked {
  readonly model: VmaModel;
  readonly ranges: readonly Range[];
  readonly brk: number;
}

export class Witness implements OraclePart {
  readonly name: string = "witness";
  readonly events: Partial<KernelObserver> = this.#events();
  readonly #world: OracleWorld;
  readonly #models: Map<KPtr, VmaModel> = new Map();
  readonly #marked: Map<KPtr, Marked> = new Map();
  /** Children whose copy is under way: child, parent. */
  readonly #parents: Map<KPtr, KPtr> = new Map();
  readonly #tasks: TaskState[] = [];
  readonly #log: SiteLog = new SiteLog();
  readonly #pages: PageHistory;
  /** Address spaces whose last user has gone. */
  readonly #dead: Set<KPtr> = new Set();
  /** From mark() on. */
  #active = false;
  #reported = false;

  constructor(world: OracleWorld) {
    this.#world = world;
    this.#pages = new PageHistory(world.memory, this.#log, world.kernel.platform.cpus.length);
  }

  mark(): void {
    this.#models.clear();
    this.#marked.clear();
    for (const task of this.#world.kernel.sched.tasks()) this.#takeOver(task.mm);
    for (const [mm, model] of this.#models) {
      this.#marked.set(mm, { model, ranges: model.ranges, brk: model.brk });
    }
    this.#forgetRun();
    this.#active = true;
  }

  start(): void {
    this.#models.clear();
    for (const [mm, { model, ranges, brk }] of this.#marked) {
      model.ranges = ranges;
      model.brk = brk;
      this.#models.set(mm, model);
    }
    this.#forgetRun();
  }

  /**
   * User code on a core, or a user copy for it, used a page through some translation. Called in the step of the access.
   * @param pid task @param mm address space that is loaded @param frame where the access went
   * @param allocation the frame's allocation number (struct page) at that moment
   */
  access(
    core: number,
    pid: number,
    mm: KPtr,
    page: number,
    kind: "read" | "write" | "fetch",
    frame: number,
    allocation: number,
  ): void {
    if (!this.#active || this.#reported) return;
    const right = kind === "write" ? WRITE : kind === "fetch" ? EXEC : READ;
    // Of a load nothing is kept.
    let note = right === WRITE ? this.#noteAccess(core, pid, kind, page) : NO_SITE;
    const sink = this.#quiet();
    const finding: PageFinding | null =
      this.#dead.size !== 0 && this.#dead.has(mm)
        ? { invariant: "I4", text: "an access in an address space that has ended", earlier: NO_SITE }
        : this.#pages.access(core, mm, page, right, frame, allocation, note);
    this.#loud(sink);
    if (finding === null) return;
    if (note === NO_SITE) note = this.#noteAccess(core, pid, kind, page);
    this.#report(finding.invariant, finding.text, finding.earlier, this.#log.site(note)!);
  }

  #noteAccess(core: number, pid: number, kind: "read" | "write" | "fetch", page: number): SiteNote {
    const { clock } = this.#world.kernel.platform.cpus[core]!;
    return this.#log.noteUser(core, pid, clock, USER_SITES[kind], page);
  }

  #events(): Partial<KernelObserver> {
    return {
      syscallEnter: (k, name, call) => this.#enter(k, name, call),
      syscallExit: (k, name, _call, result) => this.#exit(k, name, result),
      trapEnd: (k) => this.#trapEnd(k),
      faultBegin: (k, f) => this.#faultBegin(k, f),
      userCopyFailed: (k, lo, hi, kind) => this.#copyFailed(k, lo, hi, kind),
      signalForced: (k, signal) => {
        if (signal.signo === SIGSEGV && signal.code > 0 && signal.code < SEGV_PKUERR) this.#signalled(k);
      },
      mmWriteUnlock: (k, mm) => this.#commit(k, mm),
      mmWriteDowngrade: (k, mm) => this.#commit(k, mm),
      mmReadUnlock: (k, mm) => this.#readUnlock(k, mm),
      mmCreated: (_k, mm) => {
        this.#dead.delete(mm);
        this.#pages.forget(mm);
        this.#models.delete(mm);
      },
      mmForked: (k, mm, old) => {
        this.#parents.set(mm, old);
        this.#taskOf(k).forking = old;
      },
      mmExit: (_k, mm) => {
        this.#models.delete(mm);
        this.#pages.forget(mm);
        this.#dead.add(mm);
      },
      flushEnd: (k, mm) => {
        if (this.#active && this.#taskOf(k).forking === mm) this.#forked(k);
      },
      frameAllocated: (k) => {
        if (this.#active) this.#taskOf(k).allocated = this.#log.note(k, "frame handed out", -1);
      },
      pteSet: (k, mm, page, _slot, oldLo, oldHi, lo, hi) => {
        if (this.#active && !this.#dead.has(mm)) this.#pteSet(k, mm, page, oldLo, oldHi, lo, hi);
      },
    };
  }

  #enter(k: Context, name: string, call: Syscall): void {
    if (!this.#active) return;
    const task = this.#taskOf(k);
    task.name = name;
    task.committed = false;
    task.entered = this.#log.note(k, `${name}() begins`, -1);
    if (!MODELLED.has(name)) return;
    // Protection, flags and advice are ints; the rest are addresses and lengths.
    for (let index = 0; index < ARGUMENTS; index++) task.args[index] = call.size(index);
    if (name === "mprotect" || name === "mmap" || name === "madvise") task.args[2] = call.lo(2);
    if (name === "mmap" || name === "mremap") task.args[3] = call.lo(3);
  }

  #exit(k: Context, name: string, result: number): void {
    if (!this.#active) return;
    const task = this.#taskOf(k);
    if (MODELLED.has(name) && !this.#isRightResult(task, result)) {
      const expected = task.committed ? `${task.expected}` : "an error";
      const text = `${name}(${argumentsOf(task)}) returned ${result}, but the witness says ${expected}`;
      this.#report("I14", text, task.entered, siteOf(k, `${name}() returns`));
    }
    task.name = "";
    task.forking = 0 as KPtr;
    this.#pages.returned(k, task.pid, "calls", RETURNS.get(name) ?? "a system call returns");
  }

  #isRightResult(task: TaskState, result: number): boolean {
    if (!task.committed) return needsNoLock(task, result);
    return Number.isNaN(task.expected) || task.expected === result;
  }

  /** The last moment of a write section: the model does the call, and must say what the kernel says. */
  #commit(k: Context, mm: KPtr): void {
    if (!this.#active || k.task === null) return;
    const task = this.#taskOf(k);
    const parent = this.#parents.get(mm);
    if (parent !== undefined) {
      this.#parents.delete(mm);
      const of = this.#models.get(parent);
      if (of !== undefined) this.#models.set(mm, of.forked());
    }
    const model = this.#models.get(mm);
    if (model === undefined) {
      this.#takeOver(mm);
      return;
    }
    const before = model.ranges;
    if (task.faultDepth !== 0) {
      if (model.at(task.faultPage) === undefined) model.grow(task.faultPage);
    } else if (mm === k.task.mm && MODELLED.has(task.name) && !task.committed) {
      task.committed = true;
      task.expected = replay(model, task);
    }
    const sink = this.#quiet();
    const known = rangesOf(this.#world.memory, mm);
    if ((Number.isNaN(task.expected) && task.committed) || NOT_FOLLOWED.has(task.name)) {
      model.ranges = known;
      model.brk = modelOf(this.#world.memory, mm).brk;
    }
    this.#loud(sink);
    const page = model.adopt(known);
    if (page >= 0) this.#mappingDiffers(k, task, page);
    if (model.ranges !== before) this.#reconsider(mm, model);
  }

  #mappingDiffers(k: Context, task: TaskState, page: number): void {
    const what = task.faultDepth !== 0 ? "growth of a stack" : `${task.name}(${argumentsOf(task)})`;
    const text = `after ${what} the mapping of page ${page.toString(16)} is not what the witness says`;
    this.#report("I14", text, task.entered, siteOf(k, "end of a write section", vaOfPage(page)));
  }

  /**
   * An madvise(2) under the read lock: no writer can have come in between. A fault that let a stack grow under it broke no
   * rule that is judged here.
   */
  #readUnlock(k: Context, mm: KPtr): void {
    if (!this.#active || k.task === null || mm !== k.task.mm) return;
    const task = this.#taskOf(k);
    const model = this.#models.get(mm);
    if (model === undefined) return;
    if (task.faultDepth !== 0) {
      if (model.at(task.faultPage) === undefined && this.#kernelMaps(mm, task.faultPage)) {
        model.grow(task.faultPage);
      }
      return;
    }
    if (task.name !== "madvise" || task.committed) return;
    task.committed = true;
    task.expected = replay(model, task);
  }

  #faultBegin(k: Context, f: FaultState): void {
    if (!this.#active) return;
    const task = this.#taskOf(k);
    const { flags } = f;
    task.faultDepth = k.traps.length;
    task.faultMm = f.mm;
    task.faultPage = f.page;
    task.faultRight = (flags & FAULT_WRITE) !== 0 ? WRITE : (flags & FAULT_INSTRUCTION) !== 0 ? EXEC : READ;
    task.denied = this.#models.get(f.mm)?.grants(f.page, task.faultRight) !== true;
  }

  /** Mappings changed: faults that are in progress may be denied from now on. */
  #reconsider(mm: KPtr, model: VmaModel): void {
    for (const task of this.#tasks) {
      if (task === undefined || task.faultDepth === 0 || task.faultMm !== mm || task.denied) continue;
      task.denied = !model.grants(task.faultPage, task.faultRight);
    }
  }

  #signalled(k: Context): void {
    if (!this.#active) return;
    const task = this.#taskOf(k);
    if (task.faultDepth === 0 || task.denied) return;
    const text = `SIGSEGV for page ${task.faultPage.toString(16)}, which was accessible all the time`;
    this.#report("I14", text, NO_SITE, siteOf(k, "SIGSEGV", vaOfPage(task.faultPage)));
  }

  #copyFailed(k: Context, lo: number, hi: number, kind: "read" | "write"): void {
    if (!this.#active || k.pagefaultDisabled !== 0 || k.task === null) return;
    const task = this.#taskOf(k);
    const page = (lo >>> 12) + (hi >>> 0) * 0x10_0000;
    if (task.faultPage !== page || task.denied) return;
    const text = `a user copy (${kind}) failed at page ${page.toString(16)}, which was accessible all the time`;
    this.#report("I14", text, task.entered, siteOf(k, "EFAULT", vaOfPage(page)));
  }

  #trapEnd(k: Context): void {
    if (!this.#active || k.task === null) return;
    const task = this.#tasks[k.task.pid];
    if (task === undefined || task.faultDepth === 0 || k.traps.length >= task.faultDepth) return;
    task.faultDepth = 0;
    this.#pages.returned(k, task.pid, "fault", "a fault returns");
  }

  /** The parent's cores have left the entries that fork took the right to write from. */
  #forked(k: Context): void {
    const task = this.#taskOf(k);
    task.forking = 0 as KPtr;
    this.#pages.returned(k, task.pid, "calls", "fork has flushed the parent");
  }

  #pteSet(k: Context, mm: KPtr, page: number, oldLo: number, oldHi: number, lo: number, hi: number): void {
    const task = this.#taskOf(k);
    const replacer: Replacer =
      task.faultDepth !== 0 ? BY_FAULT : task.name === "madvise" ? BY_DISCARD : BY_WRITER;
    const sink = this.#quiet();
    const finding = this.#pages.set(k, mm, page, oldLo, oldHi, lo, hi, replacer, task.allocated);
    this.#loud(sink);
    if (finding === null) return;
    const what = (lo | hi) === 0 ? "entry cleared" : "entry set";
    this.#report(finding.invariant, finding.text, finding.earlier, siteOf(k, what, vaOfPage(page)));
  }

  #kernelMaps(mm: KPtr, page: number): boolean {
    const sink = this.#quiet();
    const ranges = rangesOf(this.#world.memory, mm);
    this.#loud(sink);
    return ranges.some((range) => range.start <= page && page < range.end);
  }

  /** Begins to follow an address space where the kernel is. */
  #takeOver(mm: KPtr): void {
    if (mm === 0 || this.#models.has(mm)) return;
    const sink = this.#quiet();
    this.#models.set(mm, modelOf(this.#world.memory, mm));
    this.#loud(sink);
  }

  #taskOf(k: Context): TaskState {
    const pid = k.task?.pid ?? 0;
    let task = this.#tasks[pid];
    if (task === undefined) {
      task = new TaskState(pid);
      this.#tasks[pid] = task;
    }
    return task;
  }

  #forgetRun(): void {
    for (const task of this.#tasks) task?.clear();
    if (this.#parents.size !== 0) this.#parents.clear();
    if (this.#dead.size !== 0) this.#dead.clear();
    this.#log.clear();
    this.#pages.clear();
    this.#reported = false;
  }

  #quiet(): AccessSink | null {
    const { ram } = this.#world.memory;
    if (!(ram instanceof ObservedMemory)) return null;
    const { sink } = ram;
    ram.sink = null;
    return sink;
  }

  #loud(sink: AccessSink | null): void {
    const { ram } = this.#world.memory;
    if (sink !== null && ram instanceof ObservedMemory) ram.sink = sink;
  }

  #report(invariant: Invariant, text: string, earlier: SiteNote, later: Site): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#world.report({ invariant, text, earlier: this.#log.site(earlier), later });
  }
}

const USER_SITES = { read: "user load", write: "user store", fetch: "user fetch" } as const;

/** Constant words, as sites are made of. */
const RETURNS: ReadonlyMap<string, string> = new Map(
  [...MODELLED, "clone", "fork"].map((name) => [name, `${name}() returns`]),
);

function argumentsOf(task: TaskState): string {
  return Array.from(task.args.subarray(0, 5), (value) => `0x${value.toString(16)}`).join(", ");
}
