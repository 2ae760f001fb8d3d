import { expect, test } from "vitest";
import {
  CR3_HI_NO_FLUSH,
  CR4_PCIDE,
  DONE,
  entryHi,
  entryLo,
  FAULT,
  FETCH,
  formatViolation,
  type LedgerRule,
  MAX_VIOLATIONS,
  PTE_G,
  READ,
  SUPERVISOR,
  USER,
  WRITE,
} from "../../mmu/index.ts";
import { CR0_DEFAULT, EFER_DEFAULT, OPEN, World } from "./x86-64/world.ts";

const VA = 0x40_0000;

/** Two cores with PCIDs on; both have `first` loaded under PCID 1. */
class Scene {
  readonly world: World;
  readonly first: number;
  readonly second: number;
  readonly frame: number;

  constructor(allocations: "reported" | "unknown" = "unknown") {
    this.world = new World({ cores: 2, ledger: { allocations } });
    this.first = this.world.frame();
    this.second = this.world.frame();
    this.frame = this.world.frame();
    this.world.map(VA, 0, this.frame, OPEN, 0, 12, this.first);
    this.world.map(VA, 0, this.world.frame(), OPEN, 0, 12, this.second);
    for (const unit of this.world.units)
      unit.setControls(CR0_DEFAULT, this.world.cr4(CR4_PCIDE), EFER_DEFAULT);
    this.load(0, 1, "flush");
    this.load(1, 1, "flush");
  }

  get ledger() {
    return this.world.ledger!;
  }

  load(core: number, pcid: 1 | 2, flush: "flush" | "keep"): void {
    this.as(core);
    const root = pcid === 1 ? this.first : this.second;
    this.world.units[core].writeCr3(
      entryLo(root, pcid),
      entryHi(root, flush === "keep" ? CR3_HI_NO_FLUSH : 0),
    );
  }

  touch(core: number, va = VA): number {
    this.as(core);
    return this.world.units[core].translate(va, 0, READ, USER);
  }

  unmap(va = VA): void {
    this.world.ram.write64(this.world.slot(va, 0, 1, this.first), 0, 0);
  }

  table(va = VA): number {
    return Math.floor(this.world.slot(va, 0, 1, this.first) / 4096);
  }

  as(core: number): void {
    this.world.context.core = core;
    this.world.context.timeCycles += 10;
  }

  rules(): LedgerRule[] {
    return this.ledger.violations.map((violation) => violation.rule);
  }
}

test("a frame freed under a reachable translation of another core is reported with both events", () => {
  const scene = new Scene();
  scene.touch(1);
  scene.unmap();
  scene.as(0);
  scene.ledger.frameFreed(scene.frame);
  // First and second level both hold it; that is one report.
  expect(scene.rules()).toEqual(["leaf-reachable"]);
  const [violation] = scene.ledger.violations;
  expect(violation.frame).toBe(scene.frame);
  expect(violation.earlier).toMatchObject({ kind: "fill", core: 1, address: "0000000000400000" });
  expect(violation.later).toMatchObject({ kind: "free-frame", core: 0, pc: "0000000000001000" });
  expect(violation.later.sequence).toBeGreaterThan(violation.earlier.sequence);
  const text = formatViolation(violation);
  expect(text).toContain("leaf-reachable");
  expect(text).toContain("core 1");
  expect(text).toContain("core 0");
  expect(text.split("\n")).toHaveLength(3);
});

test("a frame freed after every holder has invalidated it is not reported", () => {
  const scene = new Scene();
  scene.touch(0);
  scene.touch(1);
  scene.unmap();
  for (const unit of scene.world.units) unit.invlpg(VA, 0);
  scene.ledger.frameFreed(scene.frame);
  expect(scene.ledger.total).toBe(0);
  expect(scene.ledger.holders(scene.frame)).toEqual([]);
});

test("an evicted translation is no holding", () => {
  const scene = new Scene();
  scene.touch(1);
  expect(scene.ledger.holders(scene.frame)).toEqual([1]);
  // 13 pages of one STLB set push it out of the 12 ways, and out of the first level.
  for (let i = 1; i <= 13; i++) {
    const va = VA + i * 0x8_0000;
    scene.world.map(va, 0, scene.world.frame(), OPEN, 0, 12, scene.first);
    scene.touch(1, va);
  }
  expect(scene.ledger.holders(scene.frame)).toEqual([]);
});

test("a global translation is reachable whatever tag is loaded", () => {
  const scene = new Scene();
  const frame = scene.world.frame();
  scene.world.map(VA + 0x1000, 0, frame, OPEN | PTE_G, 0, 12, scene.first);
  scene.touch(1, VA + 0x1000);
  scene.load(1, 2, "flush");
  scene.ledger.frameFreed(frame);
  expect(scene.rules()).toContain("leaf-reachable");
});

test("a translation filled after CR4.PCIDE was cleared is reachable under tag 0", () => {
  const scene = new Scene();
  scene.as(1);
  expect(scene.world.units[1].setControls(CR0_DEFAULT, scene.world.cr4(), EFER_DEFAULT)).toBe(true);
  scene.touch(1);
  scene.as(0);
  scene.ledger.frameFreed(scene.frame);
  expect(scene.rules()).toEqual(["leaf-reachable"]);
});

test("a frame inside a large page is held by the large page's entries", () => {
  const scene = new Scene();
  scene.world.map(0x80_0000, 0, 0x200, OPEN, 0, 21, scene.first);
  scene.world.map(0x4000_0000, 0, 0, OPEN, 0, 30, scene.first);
  scene.touch(0, 0x80_0000);
  scene.as(1);
  scene.world.units[1].translate(0x4000_0000, 0, FETCH, USER);
  expect(scene.ledger.holders(0x3ff)).toEqual([0, 1]);
  scene.ledger.frameFreed(0x3ff);
  // Core 0: L1D 2M and STLB; core 1: the STLB's 1 GiB entry. Its L1I fragment covers frames 0 to 0x1ff only.
  expect(scene.rules()).toEqual(["leaf-reachable", "leaf-reachable"]);
  expect(scene.ledger.violations.map(({ earlier }) => earlier.core)).toEqual([0, 1]);
});

test("a leaf on a lazy core is condemned: nothing is reported if it goes before it is used", () => {
  const scene = new Scene();
  scene.touch(1);
  scene.ledger.enterLazy(1);
  scene.unmap();
  scene.ledger.frameFreed(scene.frame);
  expect(scene.ledger.total).toBe(0);
  scene.load(1, 1, "flush");
  scene.ledger.leaveLazy(1);
  expect(scene.touch(1)).toBe(FAULT);
  expect(scene.ledger.total).toBe(0);
});

test("a condemned leaf is reported when its core leaves lazy mode with it", () => {
  const scene = new Scene();
  scene.touch(1);
  scene.ledger.enterLazy(1);
  scene.unmap();
  scene.ledger.frameFreed(scene.frame);
  scene.as(1);
  scene.ledger.leaveLazy(1);
  expect(scene.rules()).toEqual(["condemned-not-lazy"]);
  expect(scene.ledger.violations[0].later).toMatchObject({ kind: "leave-lazy", core: 1 });
  // Reported once.
  scene.touch(1);
  expect(scene.ledger.total).toBe(1);
});

test("a condemned leaf is reported when it is used, though the fast TLB had the page", () => {
  const scene = new Scene();
  const { fast } = scene.world.units[1];
  scene.touch(1);
  expect(fast.includes(VA)).toBe(true);
  scene.ledger.enterLazy(1);
  scene.unmap();
  scene.ledger.frameFreed(scene.frame);
  expect(fast.includes(VA)).toBe(false);
  expect(scene.touch(1)).toBe(DONE);
  expect(scene.rules()).toEqual(["condemned-used"]);
  expect(scene.ledger.violations[0]).toMatchObject({
    frame: scene.frame,
    earlier: { kind: "free-frame" },
    later: { kind: "use", core: 1, address: "0000000000400000" },
  });
});

test("a leaf under a tag that is not loaded is condemned, and reported when the tag is loaded without a flush", () => {
  for (const flush of ["keep", "flush"] as const) {
    const scene = new Scene();
    scene.touch(1);
    scene.load(1, 2, "flush");
    scene.unmap();
    scene.ledger.frameFreed(scene.frame);
    expect(scene.ledger.total).toBe(0);
    scene.load(1, 1, flush);
    expect(scene.rules()).toEqual(flush === "keep" ? ["condemned-loaded"] : []);
    scene.touch(1);
    expect(scene.ledger.total).toBe(flush === "keep" ? 1 : 0);
  }
});

test("an INVPCID of the tag covers a condemned leaf", () => {
  const scene = new Scene();
  scene.touch(1);
  scene.load(1, 2, "flush");
  scene.unmap();
  scene.ledger.frameFreed(scene.frame);
  scene.world.units[1].invpcid(1, 1, 0, 0);
  scene.load(1, 1, "keep");
  expect(scene.ledger.total).toBe(0);
});

test("a table freed under a reachable walk-cache entry is reported at once, on lazy cores too", () => {
  for (const lazy of [false, true]) {
    const scene = new Scene();
    scene.touch(1);
    if (lazy) scene.ledger.enterLazy(1);
    const table = scene.table();
    scene.world.ram.write64(scene.world.slot(VA, 0, 2, scene.first), 0, 0);
    // The leaf went, the paging-structure entry stayed: what a leaf-only flush would do.
    scene.world.units[1].invpcid(0, 1, VA + 0x4000_0000, 0);
    scene.ledger.tableFreed(table);
    expect(scene.rules()).toEqual(["table-reachable"]);
    expect(scene.ledger.violations[0].later.kind).toBe("free-table");
  }
});

test("a table freed after INVLPG of any address on each holder is not reported", () => {
  const scene = new Scene();
  scene.touch(1);
  scene.world.units[1].invlpg(0x7000_0000, 0);
  scene.ledger.tableFreed(scene.table());
  expect(scene.ledger.total).toBe(0);
});

test("a walk-cache entry under another tag is condemned, and reported when the tag is loaded, lazy or not", () => {
  const scene = new Scene();
  scene.touch(1);
  scene.load(1, 2, "flush");
  scene.ledger.tableFreed(scene.table());
  expect(scene.ledger.total).toBe(0);
  scene.ledger.enterLazy(1);
  scene.load(1, 1, "keep");
  // A table matters on lazy cores too: speculation may walk it.
  expect(scene.rules()).toEqual(["condemned-loaded"]);
});

test("a root freed while a core has it loaded is reported, lazy or not; after a switch away it is not", () => {
  const scene = new Scene();
  scene.ledger.enterLazy(1);
  scene.load(0, 2, "flush");
  scene.ledger.tableFreed(scene.first);
  expect(scene.rules()).toEqual(["root-loaded"]);
  expect(scene.ledger.violations[0].earlier.text).toContain("core 1, lazy");
  const clean = new Scene();
  clean.load(0, 2, "flush");
  clean.load(1, 2, "flush");
  clean.ledger.tableFreed(clean.first);
  expect(clean.ledger.total).toBe(0);
});

test("permanent translations (the direct map) do not hold a frame", () => {
  const scene = new Scene();
  scene.world.map(0, 0xffff_8880 | 0, scene.frame, OPEN, 0, 12, scene.first);
  scene.world.units[0].translate(0, 0xffff_8880 | 0, WRITE, SUPERVISOR);
  scene.ledger.frameFreed(scene.frame);
  expect(scene.ledger.total).toBe(0);
});

test("with allocations reported, caching a free frame and reading a free table are reported", () => {
  const scene = new Scene("reported");
  scene.ledger.frameFreed(scene.frame);
  scene.touch(0);
  expect(new Set(scene.rules())).toEqual(new Set(["free-frame-cached"]));
  expect(scene.ledger.violations[0]).toMatchObject({
    earlier: { kind: "free-frame" },
    later: { kind: "fill", core: 0 },
  });
  const table = new Scene("reported");
  table.ledger.tableFreed(table.table());
  table.touch(0);
  // The PDE cache entry that leads to it, then the read.
  expect(table.rules()).toEqual(["free-frame-cached", "free-table-read"]);
  const root = new Scene("reported");
  root.ledger.tableFreed(root.second);
  root.load(0, 2, "flush");
  expect(root.rules()).toEqual(["root-loaded"]);
});

test("with allocations reported, a frame that was handed out again may be cached and walked", () => {
  const scene = new Scene("reported");
  scene.ledger.frameFreed(scene.frame);
  scene.ledger.frameAllocated(scene.frame);
  scene.ledger.tableFreed(scene.table());
  scene.ledger.frameAllocated(scene.table());
  expect(scene.touch(0)).toBe(DONE);
  expect(scene.ledger.total).toBe(0);
});

test("a saved ledger is restored with its holdings, verdicts and violations", () => {
  const scene = new Scene();
  scene.touch(1);
  scene.ledger.enterLazy(1);
  scene.unmap();
  scene.ledger.frameFreed(scene.frame);
  const saved = scene.ledger.save();
  const words = scene.world.states.map((state) => state.slice());
  const finish = (): string => {
    scene.as(1);
    scene.ledger.leaveLazy(1);
    scene.touch(1, VA + 0x1000);
    return JSON.stringify([scene.ledger.violations, scene.ledger.total, scene.ledger.holders(scene.frame)]);
  };
  const time = scene.world.context.timeCycles;
  const first = finish();
  expect(JSON.parse(first)[1]).toBe(1);
  scene.ledger.restore(saved);
  for (const [core, state] of scene.world.states.entries()) state.set(words[core]);
  scene.world.context.timeCycles = time;
  expect(scene.ledger.total).toBe(0);
  expect(finish()).toBe(first);
});

test("violations beyond the bound are counted, not kept", () => {
  const scene = new Scene("reported");
  scene.ledger.frameFreed(scene.frame);
  for (let i = 0; i < MAX_VIOLATIONS; i++) {
    scene.touch(0);
    scene.world.units[0].invlpg(VA, 0);
  }
  expect(scene.ledger.violations).toHaveLength(MAX_VIOLATIONS);
  expect(scene.ledger.total).toBeGreaterThan(MAX_VIOLATIONS);
});

test("the lists agree with what the cores' TLBs and walk caches hold, after any operations", () => {
  const scene = new Scene();
  const { world, ledger } = scene;
  const pages = Array.from({ length: 24 }, (_, i) => 0x40_0000 + (i % 6) * 0x4000_0000 + i * 0x20_1000);
  for (const va of pages) {
    world.map(va | 0, va > 0xffff_ffff ? 1 : 0, 0x800 + (va % 31), OPEN, 0, 12, scene.first);
  }
  world.map(0x1000_0000, 0, 0x400, OPEN, 0, 21, scene.first);
  let state = 12345;
  const next = (bound: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % bound;
  };
  for (let step = 0; step < 3000; step++) {
    const core = next(2);
    const unit = world.units[core];
    const va = next(8) === 0 ? 0x1000_0000 + next(512) * 4096 : pages[next(pages.length)];
    const hi = va > 0xffff_ffff ? 1 : 0;
    switch (next(12)) {
      case 0:
        unit.invlpg(va | 0, hi);
        break;
      case 1:
        if (next(6) === 0) scene.load(core, next(2) === 0 ? 1 : 2, next(2) === 0 ? "keep" : "flush");
        break;
      case 2:
        unit.invpcid(next(2), 1 + next(2), va | 0, hi);
        break;
      default:
        unit.translate(va | 0, hi, next(2) === 0 ? READ : FETCH, USER);
    }
    if (step % 50 !== 0) continue;
    const expected = new Map<number, Set<number>>();
    for (const each of world.units) {
      for (const entry of each.cachedEntries()) {
        const isTable = /^P(ML|D)/.test(entry.structure);
        const frames = isTable ? 1 : 2 ** (entry.shift - 12);
        for (let i = 0; i < frames; i++) {
          const frame = entry.frame + i;
          if (!expected.has(frame)) expected.set(frame, new Set());
          expected.get(frame)!.add(each.core);
        }
      }
    }
    for (let frame = 0; frame < world.ram.frames; frame++) {
      expect(ledger.holders(frame)).toEqual([...(expected.get(frame) ?? [])].sort());
    }
  }
});

test("a unit without a ledger and one with it behave alike", () => {
  const withLedger = new World({ ledger: {} });
  const without = new World();
  for (const world of [withLedger, without]) {
    for (let i = 0; i < 200; i++) {
      world.map(VA + i * 4096, 0, 0x100 + i, OPEN);
      world.unit.translate(VA + i * 4096, 0, WRITE, USER);
      if (i % 50 === 0) world.unit.invlpg(VA + i * 2048, 0);
    }
  }
  expect(withLedger.unit.hash(0)).toBe(without.unit.hash(0));
});

test("a prefetch on a lazy core that copies a condemned leaf between levels condemns the copy and reports nothing", () => {
  const scene = new Scene("reported");
  expect(scene.touch(1)).toBe(DONE);
  // Four more pages of the same set push the leaf out of the first level; the second level keeps it.
  for (let way = 1; way <= 4; way++) {
    scene.world.map(VA + way * 0x1_0000, 0, scene.world.frame(), OPEN, 0, 12, scene.first);
    expect(scene.touch(1, VA + way * 0x1_0000)).toBe(DONE);
  }
  scene.ledger.enterLazy(1);
  scene.ledger.frameFreed(scene.frame);
  const held = (): number =>
    scene.world.units[1].cachedEntries().filter((entry) => entry.frame === scene.frame).length;
  const before = held();
  scene.world.units[1].speculate(VA, 0);
  expect(held()).toBe(before + 1);
  expect(scene.rules()).toEqual([]);
  scene.ledger.leaveLazy(1);
  expect(new Set(scene.rules())).toEqual(new Set(["condemned-not-lazy"]));
});
