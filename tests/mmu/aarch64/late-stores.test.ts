/** Walkers that see page-table stores late: until when they may, and what makes a store visible. */
import { expect, test } from "vitest";
import {
  type AccessKind,
  DONE,
  decodeTlbi,
  FAULT,
  MAX_LATE_STORES,
  physAddr,
  READ,
  TTD_AF,
  TTD_AP_EL0,
  TTD_AP_RO,
  TTD_HI_DBM,
  TTD_NG,
  USER,
  WRITE,
} from "../../../mmu/index.ts";
import { USER_PAGE, World, type WorldOptions } from "./world.ts";

const VA = 0x40_0000;
const OLD = 0x300;
const NEW = 0x301;

/** Two cores; everything is an event, and as many as they like are granted. */
function exploring(options: WorldOptions = {}): World {
  const world = new World({ maySets: {}, lateStores: true, cores: 2, ...options });
  world.maySets!.sync();
  world.budget.left = Number.POSITIVE_INFINITY;
  world.budget.exploring = true;
  return world;
}

/** A page whose entry core 0 changes late; the page's tables are there. */
function prepared(old: "mapped" | "invalid", options: WorldOptions = {}): { world: World; slot: number } {
  const world = exploring(options);
  world.budget.exploring = false;
  const slot = old === "mapped" ? world.map(VA, 0, OLD, USER_PAGE) : world.slot(VA, 0, 3);
  world.maySets!.sync();
  world.budget.exploring = true;
  return { world, slot };
}

/** The frame that a core finds at the page, or "fault". */
function look(world: World, core: number, kind: AccessKind = READ): number | "fault" {
  const unit = world.units[core]!;
  const status = unit.translate(VA, 0, kind, USER);
  expect([DONE, FAULT]).toContain(status);
  return status === DONE ? Math.floor(unit.pa / 4096) : "fault";
}

test("a walk sees what the slot held, memory holds the new value at once", () => {
  const { world, slot } = prepared("mapped");
  world.ram.write64(slot, 0, 0);
  expect(world.ram.read32(slot)).toBe(0);
  expect([look(world, 0), look(world, 1)]).toEqual([OLD, OLD]);
});

test("outside exploring runs a store is visible at once", () => {
  const { world, slot } = prepared("mapped");
  world.budget.exploring = false;
  world.ram.write64(slot, 0, 0);
  expect([look(world, 0), look(world, 1)]).toEqual(["fault", "fault"]);
});

test.each<[string, (world: World) => void, (number | "fault")[]]>([
  ["DSB ISHST", (world) => world.unit.barrierCompleted("ishst"), ["fault", "fault"]],
  ["DSB ISH", (world) => world.unit.barrierCompleted("ish"), ["fault", "fault"]],
  ["DSB NSHST, for the own walker", (world) => world.unit.barrierCompleted("nshst"), ["fault", OLD]],
  [
    "DSB ISH of a core that may have seen it",
    (world) => world.units[1]!.barrierCompleted("ish"),
    ["fault", "fault"],
  ],
  ["ISB of the walking core", (world) => world.units[1]!.synchronise("isb"), [OLD, "fault"]],
  ["ISB of the storing core", (world) => world.unit.synchronise("isb"), [OLD, OLD]],
  ["an exception of the storing core", (world) => world.unit.synchronise("exception"), ["fault", OLD]],
  [
    "an invalidation that a core sends after it synchronised",
    (world) => {
      world.units[1]!.synchronise("isb");
      world.units[1]!.issue(decodeTlbi("VALE1", "inner", 1, 0)!);
    },
    ["fault", "fault"],
  ],
  ["a choice of the scheduler", (world) => world.unit.lateStores!.completeFirst(), ["fault", "fault"]],
  ["a choice for another core's stores", (world) => world.units[1]!.lateStores!.completeFirst(), [OLD, OLD]],
  ["TLBI alone", (world) => world.unit.drop(decodeTlbi("VMALLE1", "inner", 0, 0)!), [OLD, OLD]],
])("%s", (_name, act, expected) => {
  const { world, slot } = prepared("mapped");
  world.ram.write64(slot, 0, 0);
  act(world);
  expect([look(world, 0), look(world, 1)]).toEqual(expected);
});

test("a page that was just mapped may fault once more, until the walking core has taken the fault", () => {
  const { world } = prepared("invalid");
  world.map(VA, 0, NEW, USER_PAGE);
  expect(look(world, 1)).toBe("fault");
  world.units[1]!.synchronise("isb");
  expect(look(world, 1)).toBe(NEW);
});

test("what one core's walk has seen is visible to every walk", () => {
  const { world, slot } = prepared("mapped", { cores: 3 });
  world.ram.write64(slot, 0, 0);
  world.units[1]!.synchronise("isb");
  expect(look(world, 2)).toBe(OLD);
  expect(look(world, 1)).toBe("fault");
  world.units[2]!.drop(decodeTlbi("VMALLE1", "local", 0, 0)!);
  expect([look(world, 2), look(world, 0)]).toEqual(["fault", "fault"]);
});

test("with a store becomes visible what its core stored before it, and what others had stored there", () => {
  const { world, slot } = prepared("mapped", { cores: 3 });
  const [first, second] = [slot + 8, slot + 16];
  world.context.core = 1;
  world.ram.write64(first, 0, 0);
  world.ram.write64(second, 0, 0);
  world.context.core = 0;
  world.ram.write64(slot, 0, 0);
  world.ram.write64(second, 1, 0);
  // A walk that updates the second entry works on what memory holds.
  world.unit.lateStores!.completeSlot(second / 4);
  expect(world.units.map(({ lateStores }) => lateStores!.count)).toEqual([0, 0, 0]);
});

test("TLBI without DSB ISHST before it leaves a stale entry, with it none", () => {
  for (const orders of [true, false]) {
    const { world, slot } = prepared("mapped");
    look(world, 1);
    world.ram.write64(slot, 0, 0);
    if (orders) world.unit.barrierCompleted("ishst");
    const operation = decodeTlbi("VALE1", "inner", VA >>> 12, 1 << 16)!;
    world.unit.issue(operation);
    for (const unit of world.units) unit.drop(operation);
    const inBetween = look(world, 1);
    world.unit.barrierCompleted("ish");
    world.units[1]!.synchronise("isb");
    expect([inBetween, look(world, 1)]).toEqual(orders ? ["fault", "fault"] : [OLD, OLD]);
    world.ledger!.frameFreed(OLD);
    const rules = world.maySets!.violations.map(({ rule, holder }) => `${rule} ${holder}`);
    // What core 0 could hold as well as what core 1 does hold.
    expect(rules.sort()).toEqual(orders ? [] : ["frame-reachable 0", "frame-reachable 1"]);
    expect(world.ledger!.violations.map(({ rule }) => rule)).toEqual(orders ? [] : ["leaf-reachable"]);
  }
});

test("a walker that sees late stores uses nothing that the may-sets do not permit", () => {
  const { world, slot } = prepared("mapped");
  world.ram.write64(slot, 0, 0);
  world.map(VA, 0, NEW, USER_PAGE);
  expect(look(world, 1)).toBe(OLD);
  world.unit.lateStores!.completeFirst();
  world.units[1]!.drop(decodeTlbi("VMALLE1", "inner", 0, 0)!);
  expect(look(world, 1)).toBe("fault");
  world.unit.lateStores!.completeFirst();
  expect(look(world, 1)).toBe(NEW);
  expect(world.maySets!.violations).toEqual([]);
});

test("stores to one slot become visible in their order, whoever made them", () => {
  const { world, slot } = prepared("mapped");
  world.ram.write64(slot, 0, 0);
  world.context.core = 1;
  world.map(VA, 0, NEW, USER_PAGE);
  world.units[1]!.lateStores!.completeFirst();
  expect([world.unit.lateStores!.count, world.units[1]!.lateStores!.count]).toEqual([0, 0]);
  expect(look(world, 0)).toBe(NEW);
});

test("a hardware update of an entry works on what memory holds and makes it visible", () => {
  const clean = TTD_AF | TTD_AP_EL0 | TTD_NG | TTD_AP_RO;
  const { world, slot } = prepared("invalid");
  world.budget.exploring = false;
  world.map(VA, 0, OLD, clean, TTD_HI_DBM);
  world.budget.exploring = true;
  world.ram.write64(slot, 0, 0);
  // The walk judges the old value, writable and clean; its compare-and-swap finds that there is no entry any more.
  expect(look(world, 1, WRITE)).toBe("fault");
  expect([world.ram.read32(slot), world.unit.lateStores!.count]).toEqual([0, 0]);
});

test("a hardware update itself is not late", () => {
  const { world, slot } = prepared("invalid");
  world.budget.exploring = false;
  world.map(VA, 0, OLD, TTD_AP_EL0 | TTD_NG);
  world.budget.exploring = true;
  expect(look(world, 0)).toBe(OLD);
  expect(world.ram.read32(slot) & TTD_AF).not.toBe(0);
  expect(world.unit.lateStores!.count).toBe(0);
});

test("late stores have a bound, past which the first becomes visible", () => {
  const { world, slot } = prepared("mapped");
  world.ram.write64(slot, 0, 0);
  for (let i = 1; i <= MAX_LATE_STORES; i++) world.ram.write64(slot + i * 8, 0, 0);
  expect(world.unit.lateStores!.count).toBe(MAX_LATE_STORES);
  expect(look(world, 1)).toBe("fault");
});

test("frames that are no tables are not concerned, nor is a table that is cleared as a whole", () => {
  const { world, slot } = prepared("mapped");
  world.ram.write64(0x300 * 4096, 1, 2);
  expect(world.unit.lateStores!.count).toBe(0);
  world.ram.fill(physAddr(slot - (slot % 4096)), 4096, 0);
  expect(look(world, 0)).toBe("fault");
});

test("late stores lie in the cores' words: what is saved with them goes on the same", () => {
  const { world, slot } = prepared("mapped");
  world.ram.write64(slot, 0, 0);
  const saved = world.states.map((state) => state.slice());
  const hash = world.units.map((unit) => unit.hash(0));
  world.unit.barrierCompleted("ish");
  expect(world.units.map((unit) => unit.hash(0))).not.toEqual(hash);
  world.states.forEach((state, core) => {
    state.set(saved[core]!);
  });
  expect(world.units.map((unit) => unit.hash(0))).toEqual(hash);
  expect(look(world, 1)).toBe(OLD);
});
