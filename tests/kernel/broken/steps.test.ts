/** What each broken step does where the whole kernel's does something else. */
import { describe, expect, test } from "vitest";
import type { X86Cpu } from "../../../emu/hardware.ts";
import {
  loadedMm,
  slotCtxId,
  slotOf,
  slotTlbGen,
  X86Tlb,
  type X86TlbClass,
} from "../../../kernel/arch/x86/tlb.ts";
import { BROKEN, type Overrides } from "../../../kernel/broken/index.ts";
import type { Context, Work } from "../../../kernel/context.ts";
import { irqRestore, irqSave, spinTrylock, spinUnlock } from "../../../kernel/locking/index.ts";
import type { FaultDesign } from "../../../kernel/mm/designs/design.ts";
import { SpfMm } from "../../../kernel/mm/designs/index.ts";
import { BEGIN } from "../../../kernel/mm/designs/spf-mm.ts";
import { FAULT_FLAG_USER, type FaultState } from "../../../kernel/mm/fault-state.ts";
import { allocateMm, dropUsersOfMm, duplicateMm, mprotect, mremap } from "../../../kernel/mm/index.ts";
import { PTL } from "../../../kernel/mm/locks.ts";
import {
  mmCpumask,
  mmMmapSeq,
  mmPgtablesBytes,
  mmTlbFlushPending,
  mmTlbGen,
} from "../../../kernel/mm/mm-struct.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_GROWSDOWN, MAP_PRIVATE } from "../../../kernel/mm/mmap.ts";
import { findPteSlot, NO_SLOT, ptlOf, walkToPmd } from "../../../kernel/mm/page-table.ts";
import { vmAnonVma, vmPgoff } from "../../../kernel/mm/vma.ts";
import { findVma } from "../../../kernel/mm/vma-tree.ts";
import type { KernelObserver } from "../../../kernel/observer.ts";
import { percpuOf, thisCpu } from "../../../kernel/percpu.ts";
import { type KPtr, kptrOf, NULL } from "../../../kernel/struct.ts";
import { halves, MmMachine, mapPages, store, unmapPages, userFault } from "../mm/support/mm-machine.ts";

const BASE = 0x7_0000_0000;
/** Under a lowest table of its own. */
const FAR: number = BASE + 512 * 64;
const READ_WRITE = 3;
const FIXED = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
const CR3_KEEP: number = 1 << 31;

/** The machine of one probe, and what it saw. */
class Scene {
  readonly machine: MmMachine;
  readonly design: FaultDesign;
  readonly k: Context;
  readonly mm: KPtr;
  readonly tlb: X86Tlb;
  readonly seen: string[] = [];

  constructor(machine: MmMachine, k: Context, tlb: X86Tlb) {
    this.machine = machine;
    this.tlb = tlb;
    this.design = machine.memory.design;
    this.k = k;
    this.mm = k.task!.mm;
  }

  get spf(): SpfMm {
    if (!(this.design instanceof SpfMm)) throw new Error("another design");
    return this.design;
  }

  /** Notes the named events from now on, each as `text` says. */
  note(events: { readonly [Name in keyof KernelObserver]?: (...args: never[]) => string | null }): void {
    const observer = new Proxy(events, {
      get:
        (target, name) =>
        (...args: never[]) => {
          const line = Reflect.get(target, name)?.(...args);
          if (typeof line === "string" && this.seen.at(-1) !== line) this.seen.push(line);
        },
    });
    this.k.kernel.observer = observer as unknown as KernelObserver;
  }

  parity(): "odd" | "even" {
    return mmMmapSeq.get(this.k.ram, this.mm) % 2 === 0 ? "even" : "odd";
  }

  /** A fault state for a page as an attempt has it after begin(). */
  fault(page: number): FaultState {
    const f = this.machine.memory.faultState(this.k);
    [f.lo, f.hi] = halves(page);
    f.page = page;
    f.mm = this.mm;
    f.flags = FAULT_FLAG_USER;
    f.seq = mmMmapSeq.get(this.k.ram, this.mm);
    return f;
  }

  /** Everything of an attempt before the fault core, its gate left out. */
  *advanced(f: FaultState): Work {
    f.step = BEGIN;
    while (!this.spf.attempt(this.k, f)) yield;
  }
}

type Probe = (scene: Scene) => Work<unknown>;

interface Case {
  readonly whole: unknown;
  readonly broken: unknown;
  readonly probe: Probe;
}

function* bump({ k, mm }: Scene): Work {
  mmMmapSeq.set(k.ram, mm, mmMmapSeq.get(k.ram, mm) + 1);
  yield* [];
}

/** Sequence checks of an attempt that began one write section ago. */
function staleCheck(check: (design: SpfMm, k: Context, f: FaultState) => boolean): Probe {
  return function* (scene) {
    const f = scene.fault(BASE);
    yield* bump(scene);
    yield* bump(scene);
    return check(scene.spf, scene.k, f);
  };
}

/** Entries and flush of a call in order: cleared or set, lock released, flushed, freed. */
function noteOrder(scene: Scene): void {
  scene.note({
    flushEnd: () => "flushed",
    frameFreed: () => "frame freed",
    tableFreed: () => "table freed",
    pteSet: (_k, _mm, _page, _slot, _oldLo, _oldHi, lo, hi) => ((lo | hi) === 0 ? "cleared" : "set"),
    lockReleased: (_k, _at, cls: { name: string }) => (cls.name === "ptlock" ? "ptl released" : null),
    mmWriteUnlock: () => "section ends",
  });
}

function* mapped(scene: Scene, page: number, pages: number): Work {
  yield* mapPages(scene.k, page, pages, READ_WRITE, FIXED);
  for (let at = page; at < page + pages; at++) yield* store(scene.k, at, 1);
}

/** What an address-space switch to a new mm does to mask, generation and CR3, in order. */
function* switchOrder(scene: Scene): Work<readonly string[]> {
  const { k, mm } = scene;
  const next = yield* allocateMm(k);
  const cpu = k.cpu as X86Cpu;
  const enabled = irqSave(k);
  const { add, delete: remove } = mmCpumask;
  const { get } = mmTlbGen;
  const { writeCr3 } = cpu;
  mmCpumask.add = (ram, at, core) => {
    scene.seen.push("new mask bit");
    add.call(mmCpumask, ram, at, core);
  };
  mmCpumask.delete = (ram, at, core) => {
    scene.seen.push("old mask bit");
    remove.call(mmCpumask, ram, at, core);
  };
  mmTlbGen.get = (ram, at) => {
    if (at === next) scene.seen.push("generation");
    return get.call(mmTlbGen, ram, at);
  };
  cpu.writeCr3 = (lo, hi) => {
    scene.seen.push("root");
    writeCr3.call(cpu, lo, hi);
  };
  yield* scene.tlb.switchMm(k, next);
  const order = [...scene.seen];
  Object.assign(mmCpumask, { add, delete: remove });
  Object.assign(mmTlbGen, { get });
  Object.assign(cpu, { writeCr3 });
  yield* scene.tlb.switchMm(k, mm);
  irqRestore(k, enabled);
  yield* dropUsersOfMm(k, next);
  return order;
}

function* sendCondition(scene: Scene): Work<boolean> {
  const { k, mm, tlb } = scene;
  const other = 1 - k.cpu.id;
  loadedMm.set(k.ram, percpuOf(k.kernel, other), kptrOf(1));
  yield* [];
  const sent = tlb.sendOptions(mm, "tables-freed").condition?.(k, other) ?? true;
  loadedMm.set(k.ram, percpuOf(k.kernel, other), scene.machine.memory.initMm);
  return sent;
}

const CASES: Readonly<Record<string, Case>> = {
  A01: { whole: false, broken: true, probe: staleCheck((design, k, f) => design.seq2(k, f)) },
  A02: { whole: false, broken: true, probe: staleCheck((design, k, f) => design.seq1(k, f)) },
  A03: {
    whole: false,
    broken: true,
    *probe(scene) {
      yield* bump(scene);
      const begun = scene.spf.begin(scene.k, scene.fault(BASE));
      yield* bump(scene);
      return begun;
    },
  },
  A04: {
    whole: "odd",
    broken: "even",
    *probe(scene) {
      scene.note({ mmWriteUnlock: () => scene.parity() });
      yield* mapPages(scene.k, BASE, 1, READ_WRITE, FIXED);
      return scene.seen[0];
    },
  },
  A05: {
    whole: "even",
    broken: "odd",
    *probe(scene) {
      yield* mapPages(scene.k, BASE, 1, READ_WRITE, FIXED);
      yield* unmapPages(scene.k, BASE, 1);
      return scene.parity();
    },
  },
  "A05-late": {
    whole: "even",
    broken: "odd",
    *probe(scene) {
      scene.note({
        lockReleased: (_k, _at, cls: { name: string }) => (cls.name === "mmap_lock" ? scene.parity() : null),
      });
      yield* mapPages(scene.k, BASE, 1, READ_WRITE, FIXED);
      return scene.seen[0];
    },
  },
  A07: {
    whole: "gives up",
    broken: "waits",
    *probe(scene) {
      yield* mapped(scene, BASE, 1);
      const f = scene.fault(BASE);
      f.ptl = ptlOf(scene.machine.memory, yield* walkToPmd(scene.k, scene.mm, BASE));
      spinTrylock(scene.k, f.ptl, PTL);
      const work = scene.spf.lockContended(scene.k, f);
      // Nobody else releases the lock: the second step is a wait, which is not waited for.
      const first = work.next();
      const waits = first.done !== true;
      spinUnlock(scene.k, f.ptl, PTL);
      if (waits) {
        yield* work;
        spinUnlock(scene.k, f.ptl, PTL);
      }
      return waits ? "waits" : "gives up";
    },
  },
  A10: {
    whole: 0,
    broken: 4096,
    *probe(scene) {
      const { k, mm } = scene;
      yield* mapPages(k, BASE, 1024, READ_WRITE, FIXED);
      yield* store(k, BASE, 1);
      const f = scene.fault(BASE + 512);
      const before = mmPgtablesBytes.get(k.ram, mm);
      yield* scene.advanced(f);
      yield* scene.spf.commitAttempt(k, f);
      return mmPgtablesBytes.get(k.ram, mm) - before;
    },
  },
  A11: {
    whole: "off",
    broken: "on",
    *probe({ k, spf }) {
      const enabled = spf.walkBegin(k);
      const state = k.cpu.interruptsEnabled() ? "on" : "off";
      spf.walkEnd(k, enabled);
      yield* [];
      return state;
    },
  },
  A14: {
    whole: ["queued"],
    broken: ["freed"],
    *probe(scene) {
      const { k } = scene;
      yield* mapPages(k, BASE, 1, READ_WRITE, FIXED);
      scene.note({
        rcuQueued: () => "queued",
        objectFreed: (_k, cache: string) => (cache === "vm_area_struct" ? "freed" : null),
      });
      yield* unmapPages(k, BASE, 1);
      return scene.seen.slice(0, 1);
    },
  },
  A16: {
    whole: "the copy's",
    broken: "the tree's",
    *probe(scene) {
      const { k } = scene;
      yield* mapped(scene, BASE, 1);
      const f = scene.fault(BASE);
      yield* scene.advanced(f);
      const copied = vmPgoff.get(k.ram, f.vma);
      vmPgoff.set(k.ram, f.found, copied + 1);
      if (!(yield* scene.spf.pteMapLock(k, f))) return "given up";
      spinUnlock(k, f.ptl, PTL);
      return vmPgoff.get(k.ram, f.vma) === copied ? "the copy's" : "the tree's";
    },
  },
  A17: {
    whole: "for write",
    broken: "for read",
    *probe(scene) {
      yield* mapPages(scene.k, BASE, 4, READ_WRITE, FIXED | MAP_GROWSDOWN);
      scene.note({ mmWriteLocked: () => "for write" });
      yield* userFault(scene.k, BASE - 1, "write");
      expect(findPteSlot(scene.machine.memory, scene.mm, BASE - 1)).not.toBe(NO_SLOT);
      return scene.seen[0] ?? "for read";
    },
  },
  A21: {
    whole: "odd",
    broken: "even",
    *probe(scene) {
      yield* mapped(scene, BASE, 1);
      scene.note({ flushBegin: () => scene.parity() });
      const child = yield* duplicateMm(scene.k, scene.mm);
      const [parity] = scene.seen;
      yield* dropUsersOfMm(scene.k, child);
      return parity;
    },
  },
  A22: {
    whole: "odd",
    broken: "even",
    *probe(scene) {
      yield* mapped(scene, BASE, 1);
      scene.note({ pteSet: () => scene.parity() });
      yield* moved(scene);
      return scene.seen[0];
    },
  },
  A26: {
    whole: [false, false],
    broken: [true, true],
    *probe(scene) {
      const { k, mm } = scene;
      yield* mapPages(k, BASE, 1, READ_WRITE, FIXED);
      const f = scene.fault(BASE);
      yield* scene.advanced(f);
      const goesOn = yield* scene.spf.anonVmaMissing(k, f);
      return [goesOn, vmAnonVma.get(k.ram, findVma(k.ram, mm, BASE)) !== NULL];
    },
  },
  A31: {
    whole: ["frame freed"],
    broken: [],
    *probe(scene) {
      const { k, machine } = scene;
      const page = yield* machine.memory.frames.allocate(k, 0);
      scene.note({ frameFreed: () => "frame freed" });
      scene.design.dropPage(k, page);
      return [...scene.seen];
    },
  },
  "no-pte-same": {
    whole: false,
    broken: true,
    *probe(scene) {
      yield* mapped(scene, BASE, 1);
      const f = scene.fault(BASE);
      f.pteSlot = findPteSlot(scene.machine.memory, scene.mm, BASE);
      f.origLo = scene.k.ram.read32(f.pteSlot) ^ 0x20;
      f.origHi = scene.k.ram.read32(f.pteSlot + 4);
      return scene.design.entryIsSame(scene.k, f);
    },
  },
  C01: {
    whole: ["cleared", "set", "flushed", "ptl released"],
    broken: ["cleared", "set", "ptl released", "flushed"],
    *probe(scene) {
      yield* mapped(scene, BASE, 1);
      noteOrder(scene);
      yield* moved(scene);
      return scene.seen.slice(0, 4);
    },
  },
  C04: {
    whole: true,
    broken: false,
    *probe({ k, mm, machine }) {
      mmTlbFlushPending.add(k.ram, mm, 2);
      const nested = new machine.memory.gatherClass(mm, "range").isNested(k);
      mmTlbFlushPending.add(k.ram, mm, -2);
      yield* [];
      return nested;
    },
  },
  C07: {
    whole: ["cleared", "ptl released", "flushed", "frame freed"],
    broken: ["cleared", "ptl released", "frame freed", "flushed"],
    *probe(scene) {
      yield* mapped(scene, BASE, 2);
      noteOrder(scene);
      yield* unmapPages(scene.k, BASE, 1);
      return scene.seen.filter((line) => line !== "section ends").slice(0, 4);
    },
  },
  C08: {
    whole: ["flushed", "table freed"],
    broken: ["table freed", "flushed"],
    *probe(scene) {
      yield* mapped(scene, FAR, 1);
      noteOrder(scene);
      yield* unmapPages(scene.k, FAR, 1);
      return [...new Set(scene.seen.filter((line) => line === "flushed" || line === "table freed"))];
    },
  },
  C09: {
    whole: "all of the mask",
    broken: "unless lazy",
    *probe({ tlb, mm }) {
      yield* [];
      return tlb.sendOptions(mm, "tables-freed").condition === undefined ? "all of the mask" : "unless lazy";
    },
  },
  C10: {
    whole: [true, false],
    broken: [true, true],
    *probe({ tlb }) {
      yield* [];
      return [tlb.isNext(4, 5), tlb.isNext(4, 6)];
    },
  },
  C11: {
    whole: ["new mask bit", "generation", "root", "old mask bit"],
    broken: ["generation", "new mask bit", "root", "old mask bit"],
    probe: switchOrder,
  },
  C12: {
    whole: "flushed",
    broken: "kept",
    *probe(scene) {
      const { k, tlb, mm } = scene;
      const next = yield* allocateMm(k);
      const core = thisCpu(k);
      // Every slot is another mm's, so that the next in turn must be taken.
      for (let asid = 0; asid < 6; asid++) {
        slotCtxId.set(k.ram, slotOf(core, asid), 0xfff + asid);
        slotTlbGen.set(k.ram, slotOf(core, asid), 1);
      }
      const cpu = k.cpu as X86Cpu;
      const { writeCr3 } = cpu;
      const kept: boolean[] = [];
      cpu.writeCr3 = (lo, hi) => {
        kept.push((hi & CR3_KEEP) !== 0);
        writeCr3.call(cpu, lo, hi);
      };
      const enabled = irqSave(k);
      yield* tlb.switchMm(k, next);
      yield* tlb.switchMm(k, mm);
      irqRestore(k, enabled);
      Object.assign(cpu, { writeCr3 });
      yield* dropUsersOfMm(k, next);
      return kept[0] === true ? "kept" : "flushed";
    },
  },
  C15: {
    whole: ["cleared", "flushed", "set", "ptl released"],
    broken: ["set", "flushed", "ptl released"],
    *probe(scene) {
      const { k, mm } = scene;
      yield* mapped(scene, BASE, 1);
      const child = yield* duplicateMm(k, mm);
      noteOrder(scene);
      yield* store(k, BASE, 2);
      const seen = scene.seen.slice(scene.seen.findIndex((line) => line === "cleared" || line === "set"));
      k.kernel.observer = null;
      yield* dropUsersOfMm(k, child);
      return seen.slice(0, seen.indexOf("ptl released") + 1);
    },
  },
  C18: {
    whole: ["cleared", "set"],
    broken: ["set"],
    *probe(scene) {
      yield* mapped(scene, BASE, 1);
      noteOrder(scene);
      yield* mprotect(scene.k, ...halves(BASE), ...halves(1), 1, -1);
      return scene.seen.slice(0, scene.seen.indexOf("ptl released"));
    },
  },
  C22: {
    whole: ["flushed", "section ends"],
    broken: ["section ends", "flushed"],
    *probe(scene) {
      yield* mapped(scene, BASE, 2);
      noteOrder(scene);
      yield* mapPages(scene.k, BASE, 1, READ_WRITE, FIXED);
      return scene.seen.filter((line) => line === "flushed" || line === "section ends").slice(0, 2);
    },
  },
  C27: { whole: true, broken: false, probe: sendCondition },
  C28: {
    whole: ["new mask bit", "generation", "root", "old mask bit"],
    broken: ["new mask bit", "generation", "old mask bit", "root"],
    probe: switchOrder,
  },
  "early-ack": {
    whole: ["wait", "wait"],
    broken: ["no-wait", "wait"],
    *probe({ tlb, mm }) {
      yield* [];
      return [tlb.sendOptions(mm, "tables-freed").wait, tlb.sendOptions(mm, "tables-kept").wait];
    },
  },
};

/** mremap of one page to a place that has a table. */
function* moved({ k }: Scene): Work {
  const [lo, hi] = halves(BASE);
  const [newLo, newHi] = halves(BASE + 8);
  const lengths = { oldLengthLo: 4096, oldLengthHi: 0, newLengthLo: 4096, newLengthHi: 0 };
  yield* mremap(k, { lo, hi, ...lengths, flags: 3, newLo, newHi });
}

function outcome(probe: Probe, overrides: Overrides): unknown {
  const designClass = overrides.spfMm ?? overrides.design?.(SpfMm) ?? SpfMm;
  const tlbs: X86Tlb[] = [];
  class Kept extends (overrides.x86Tlb ?? X86Tlb) {
    constructor(...parts: ConstructorParameters<X86TlbClass>) {
      super(...parts);
      tlbs.push(this);
    }
  }
  const classes = { ...overrides, x86Tlb: Kept };
  const machine = new MmMachine({ design: new designClass(), classes, cpus: 2, memoryMb: 16 });
  let result: unknown;
  machine.run(
    function* (k: Context): Work {
      const scene = new Scene(machine, k, tlbs[0]!);
      result = yield* probe(scene);
      k.kernel.observer = null;
    },
    // A second user of the address space: readers without the lock are possible.
    function* (k: Context): Work {
      while (result === undefined) if (k.point(500)) yield;
    },
  );
  return result;
}

/** The others' steps: arm64-steps.test.ts. */
const ON_X86 = BROKEN.filter(({ architectures }) => architectures?.includes("x86-64") !== false);

describe("the step that a variant breaks", () => {
  test.each(ON_X86.map((variant) => [variant.id, variant] as const))("%s", (id, variant) => {
    const { whole, broken, probe } = CASES[id]!;
    expect(outcome(probe, {})).toEqual(whole);
    expect(outcome(probe, variant.overrides)).toEqual(broken);
  });
});
