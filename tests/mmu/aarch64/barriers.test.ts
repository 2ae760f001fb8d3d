/**
 * May-sets where an invalidation is complete at a barrier only: Arm ARM B2.3 "Data Synchronization Barrier", D8 "TLB
 * maintenance instructions". P is the page's entry, old frame 0x300; core 0 changes and invalidates it.
 */
import { expect, test } from "vitest";
import { type DsbOption, decodeTlbi, type MaySets, type TlbiName } from "../../../mmu/index.ts";
import { USER_PAGE, World } from "./world.ts";

const VA = 0x40_0000;
const OLD = 0x300;
const NEW = 0x301;

type Step = "clear" | "map" | DsbOption | { tlbi: TlbiName; reach: "local" | "inner"; asid?: number };

/** What each core may hold for the page after some steps of core 0; both have the tables loaded under ASID 1. */
function after(steps: readonly Step[]): number[][] {
  const world = new World({ maySets: {}, cores: 2 });
  const may = world.maySets!;
  const slot = world.map(VA, 0, OLD, USER_PAGE);
  may.sync();
  for (const step of steps) {
    if (step === "clear") world.ram.write64(slot, 0, 0);
    else if (step === "map") world.map(VA, 0, NEW, USER_PAGE);
    else if (typeof step === "string") world.unit.barrierCompleted(step);
    else {
      const operation = decodeTlbi(step.tlbi, step.reach, VA >>> 12, (step.asid ?? 1) << 16)!;
      world.unit.issue(operation);
      for (const unit of step.reach === "local" ? [world.unit] : world.units) unit.drop(operation);
    }
  }
  expect(may.violations).toEqual([]);
  return [0, 1].map((core) => frames(may, core));
}

function frames(may: MaySets, core: number): number[] {
  return may
    .permits(core, 1, VA, 0)
    .map(({ frame }) => frame)
    .sort();
}

const BROADCAST = { tlbi: "VALE1", reach: "inner" } as const;
const LOCAL = { tlbi: "VALE1", reach: "local" } as const;

test.each<[string, readonly Step[], number[][]]>([
  ["the sequence of the manual", ["clear", "ishst", BROADCAST, "ish"], [[], []]],
  ["with a barrier of everything before it", ["clear", "ish", BROADCAST, "ish"], [[], []]],
  ["not yet complete", ["clear", "ishst", BROADCAST], [[OLD], [OLD]]],
  ["a barrier of stores completes nothing", ["clear", "ishst", BROADCAST, "ishst"], [[OLD], [OLD]]],
  [
    "a barrier of the own core completes nothing elsewhere",
    ["clear", "ishst", BROADCAST, "nsh"],
    [[OLD], [OLD]],
  ],
  ["no barrier before it: it may come before the store", ["clear", BROADCAST, "ish"], [[OLD], [OLD]]],
  ["a barrier before the store does not order it", ["ishst", "clear", BROADCAST, "ish"], [[OLD], [OLD]]],
  [
    "a non-shareable barrier orders for the own walker alone",
    ["clear", "nshst", BROADCAST, "ish"],
    [[], [OLD]],
  ],
  ["a local one stays local", ["clear", "ishst", LOCAL, "ish"], [[], [OLD]]],
  ["a local one and non-shareable barriers", ["clear", "nshst", LOCAL, "nsh"], [[], [OLD]]],
  ["another ASID", ["clear", "ishst", { ...BROADCAST, asid: 2 }, "ish"], [[OLD], [OLD]]],
  ["break and make", ["clear", "ishst", BROADCAST, "ish", "map"], [[NEW], [NEW]]],
  ["made before the end of the break", ["clear", "ishst", BROADCAST, "map", "ish"], [[NEW], [NEW]]],
  [
    "a later break of the new page",
    ["clear", "ishst", BROADCAST, "ish", "map", "clear", "ish"],
    [[NEW], [NEW]],
  ],
  ["everything goes", ["clear", "ishst", { tlbi: "VMALLE1", reach: "inner" }, "ish"], [[], []]],
  ["an ASID goes", ["clear", "ishst", { tlbi: "ASIDE1", reach: "inner" }, "ish"], [[], []]],
])("%s", (_name, steps, expected) => {
  expect(after(steps)).toEqual(expected);
});

test("a value that comes back and goes again after the issue is held on", () => {
  const world = new World({ maySets: {} });
  const may = world.maySets!;
  const slot = world.map(VA, 0, OLD, USER_PAGE);
  may.sync();
  world.ram.write64(slot, 0, 0);
  world.unit.barrierCompleted("ishst");
  world.unit.issue(decodeTlbi("VALE1", "inner", VA >>> 12, 1 << 16)!);
  world.map(VA, 0, OLD, USER_PAGE);
  may.sync();
  world.ram.write64(slot, 0, 0);
  world.unit.barrierCompleted("ish");
  expect(frames(may, 0)).toEqual([OLD]);
});

test("a frame that is freed between TLBI and DSB is still reachable", () => {
  for (const [completes, reports] of [
    [true, 0],
    [false, 2],
  ] as const) {
    const world = new World({ maySets: {}, cores: 2 });
    const slot = world.map(VA, 0, OLD, USER_PAGE);
    world.maySets!.sync();
    world.ram.write64(slot, 0, 0);
    world.unit.barrierCompleted("ishst");
    const operation = decodeTlbi("VALE1", "inner", VA >>> 12, 1 << 16)!;
    world.unit.issue(operation);
    for (const unit of world.units) unit.drop(operation);
    if (completes) world.unit.barrierCompleted("ish");
    world.ledger!.frameFreed(OLD);
    expect(world.maySets!.violations.map(({ rule }) => rule)).toEqual(Array(reports).fill("frame-reachable"));
  }
});

test("an ASID that is not loaded loses what a complete TLBI names, though its root may be loaded again", () => {
  const world = new World({ maySets: {}, cores: 2 });
  const may = world.maySets!;
  const slot = world.map(VA, 0, OLD, USER_PAGE);
  world.map(VA + 4096, 0, 0x310, USER_PAGE);
  world.load(2, world.units[1]!, world.frame());
  may.sync();
  world.ram.write64(slot, 0, 0);
  expect(frames(may, 1)).toEqual([OLD]);
  world.unit.barrierCompleted("ishst");
  world.unit.issue(decodeTlbi("VALE1", "inner", VA >>> 12, 1 << 16)!);
  world.unit.barrierCompleted("ish");
  expect(frames(may, 1)).toEqual([]);
  expect(may.permits(1, 1, VA + 4096, 0).map(({ frame }) => frame)).toEqual([0x310]);
  world.ledger!.frameFreed(OLD);
  world.load(1, world.units[1]!);
  expect(may.violations).toEqual([]);
});

test("what is under way is saved and restored", () => {
  const world = new World({ maySets: {} });
  const may = world.maySets!;
  const slot = world.map(VA, 0, OLD, USER_PAGE);
  may.sync();
  world.ram.write64(slot, 0, 0);
  world.unit.barrierCompleted("ishst");
  world.unit.issue(decodeTlbi("VALE1", "inner", VA >>> 12, 1 << 16)!);
  const saved = may.save();
  for (let i = 0; i < 2; i++) {
    expect(frames(may, 0)).toEqual([OLD]);
    world.unit.barrierCompleted("ish");
    expect(frames(may, 0)).toEqual([]);
    may.restore(saved);
  }
});
