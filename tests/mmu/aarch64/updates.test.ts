/** Access flag and dirty state: by hardware, by fault, between the steps of another core, and in what is cached. */
import { expect, test } from "vitest";
import {
  type AArch64TranslationUnit,
  type AccessKind,
  DONE,
  decodeTlbi,
  FAULT,
  FETCH,
  READ,
  SUSPENDED,
  TCR_HI_HA,
  TCR_HI_HD,
  type TranslationStatus,
  TTD_AF,
  TTD_AP_EL0,
  TTD_AP_RO,
  TTD_HI_CONTIGUOUS,
  TTD_HI_DBM,
  TTD_NG,
  TTD_TABLE,
  TTD_VALID,
  USER,
  WRITE,
} from "../../../mmu/index.ts";
import { USER_PAGE, World } from "./world.ts";

const VA = 0x40_0000;
const ALL = decodeTlbi("VMALLE1", "inner", 0, 0)!;
/** Writable and clean, not accessed. */
const CLEAN: number = TTD_AP_EL0 | TTD_NG | TTD_AP_RO;

/** Grants events one by one, calling `between` before event number n; returns the status and the events used. */
function stepwise(
  world: World,
  kind: AccessKind,
  between: (event: number) => void,
  unit: AArch64TranslationUnit = world.unit,
): [TranslationStatus, number] {
  const { budget } = world;
  budget.exploring = true;
  for (let event = 0; ; event++) {
    if (event > 100) throw new Error("the access never ends");
    between(event);
    budget.left = 1;
    const status = unit.translate(VA, 0, kind, USER);
    if (status !== SUSPENDED) return [status, event + 1];
    expect(budget.left).toBe(0);
  }
}

test("with HA a read sets AF alone, with HD a write also clears AP[2] of a descriptor with DBM", () => {
  for (const granule of [12, 14, 16] as const) {
    for (const level of [2, 3]) {
      const world = new World({ granule });
      const slot = world.map(VA, 0, 0, CLEAN, TTD_HI_DBM, level);
      const flags = (): number => world.ram.read32(slot) & (TTD_AF | TTD_AP_RO);
      expect(world.unit.translate(VA, 0, READ, USER)).toBe(DONE);
      expect(flags()).toBe(TTD_AF | TTD_AP_RO);
      expect(world.unit.translate(VA, 0, WRITE, USER)).toBe(DONE);
      expect(flags()).toBe(TTD_AF);
      world.ram.write32(slot, world.ram.read32(slot) | TTD_AP_RO);
      expect(world.unit.translate(VA, 0, WRITE, USER)).toBe(DONE);
      expect(flags()).toBe(TTD_AF | TTD_AP_RO);
      world.unit.invalidate(ALL);
      expect(world.unit.translate(VA, 0, WRITE, USER)).toBe(DONE);
      expect(flags()).toBe(TTD_AF);
    }
  }
});

test("HD without HA, and features that the core lacks, change nothing", () => {
  for (const [hardwareUpdates, bits, read, write] of [
    ["access flag and dirty state", 0, "access-flag", "access-flag"],
    ["access flag and dirty state", TCR_HI_HD, "access-flag", "access-flag"],
    ["access flag and dirty state", TCR_HI_HA, "none", "protection"],
    ["access flag", TCR_HI_HA | TCR_HI_HD, "none", "protection"],
    ["none", TCR_HI_HA | TCR_HI_HD, "access-flag", "access-flag"],
  ] as const) {
    const world = new World({ profile: { hardwareUpdates } });
    world.unit.writeTcr(world.tcrLo, (world.tcrHi & ~(TCR_HI_HA | TCR_HI_HD)) | bits);
    world.map(VA, 0, world.frame(), CLEAN, TTD_HI_DBM);
    const cause = (kind: AccessKind): string =>
      world.unit.translate(VA, 0, kind, USER) === FAULT ? world.unit.fault.cause : "none";
    expect([cause(READ), cause(WRITE)]).toEqual([read, write]);
  }
});

test("each read, the update, the fill and the access are one event; a store needs one update for AF and AP[2]", () => {
  const world = new World();
  world.map(VA, 0, world.frame(), CLEAN, TTD_HI_DBM);
  // Cold: four reads, the update, the fill, the access.
  expect(stepwise(world, READ, () => {})).toEqual([DONE, 7]);
  expect(stepwise(world, READ, () => {})).toEqual([DONE, 1]);
  // A write through a clean entry: one read after the level 2 walk cache, the update, the fill, the access.
  expect(stepwise(world, WRITE, () => {})).toEqual([DONE, 4]);
  expect(stepwise(world, WRITE, () => {})).toEqual([DONE, 1]);
  world.unit.invalidate(ALL);
  expect(stepwise(world, WRITE, () => {})).toEqual([DONE, 6]);
});

/**
 * Every interleaving of a cold write with one foreign write to the leaf: the update lands on a descriptor that was valid
 * and writable at that moment, changes nothing but AF and AP[2], and the access goes where that descriptor led.
 */
test.each([
  { name: "unmapped", value: () => 0, hi: 0, late: "not-present" },
  { name: "write-protected", value: (old: number) => old | TTD_AP_RO, hi: 0, late: "protection" },
  {
    name: "moved",
    value: (_: number, other: number) => (other << 12) | CLEAN | 3,
    hi: TTD_HI_DBM,
    late: "done",
  },
  {
    name: "made clean and old",
    value: (old: number) => (old & ~TTD_AF) | TTD_AP_RO,
    hi: TTD_HI_DBM,
    late: "done",
  },
  { name: "moved out of the output size", value: (old: number) => old, hi: 1 << 10, late: "address-size" },
])("a leaf that is $name between any two steps of a write", ({ value, hi, late }) => {
  const outcomes = new Set<string>();
  for (let moment = 0; moment < 12; moment++) {
    const world = new World({ profile: { physicalBits: 40 } });
    const first = world.frame();
    const other = world.frame();
    const slot = world.map(VA, 0, first, CLEAN, TTD_HI_DBM);
    let written = false;
    let replaced = 0;
    const [status, events] = stepwise(world, WRITE, (event) => {
      if (event !== moment) return;
      replaced = world.ram.read32(slot);
      world.ram.write64(slot, value(replaced, other), hi);
      written = true;
    });
    if (!written) {
      expect(moment).toBeGreaterThanOrEqual(events);
      break;
    }
    const now = world.ram.read32(slot);
    const before = (replaced & TTD_AP_RO) === 0;
    expect(now & ~(TTD_AF | TTD_AP_RO)).toBe(value(replaced, other) & ~(TTD_AF | TTD_AP_RO));
    if (status === DONE) {
      const usedOld = world.unit.pa === first * 4096;
      if (!usedOld) expect(now & (TTD_AF | TTD_AP_RO)).toBe(TTD_AF);
      if (before) expect(now).toBe(value(replaced, other));
      outcomes.add(before ? "done before" : "done");
    } else {
      expect(before).toBe(false);
      expect(now).toBe(value(replaced, other));
      outcomes.add(world.unit.fault.cause);
    }
  }
  expect([...outcomes].sort()).toEqual(["done before", late].sort());
});

test("two cores that write at once, in every interleaving: each access has seen AP[2] clear in memory", () => {
  for (let order = 0; order < 2 ** 8; order++) {
    const world = new World({ cores: 2, ramBytes: 0x10_0000 });
    const slot = world.map(VA, 0, world.frame(), CLEAN, TTD_HI_DBM);
    for (const unit of world.units) unit.translate(VA + 0x1000, 0, READ, USER);
    world.budget.exploring = true;
    const done = [false, false];
    for (let step = 0; !(done[0] && done[1]); step++) {
      let core = (order >>> step) & 1;
      if (done[core]) core ^= 1;
      world.budget.left = 1;
      const status = world.units[core].translate(VA, 0, WRITE, USER);
      expect(status).not.toBe(FAULT);
      if (status !== DONE) continue;
      done[core] = true;
      expect(world.ram.read32(slot) & (TTD_AF | TTD_AP_RO)).toBe(TTD_AF);
    }
  }
});

test("descriptors that fault are never cached; what is cached is used although the descriptor is gone", () => {
  const world = new World();
  const { unit } = world;
  unit.writeTcr(world.tcrLo, world.tcrHi & ~TCR_HI_HA);
  const slot = world.slot(VA, 0, 3);
  const frame = world.frame();
  for (const flags of [0, TTD_VALID | USER_PAGE, TTD_VALID | TTD_TABLE | TTD_AP_EL0]) {
    world.write(slot, frame, flags);
    expect(unit.translate(VA, 0, READ, USER)).toBe(FAULT);
    unit.speculate(VA, 0);
  }
  world.write(slot, frame, TTD_VALID | TTD_TABLE | USER_PAGE);
  expect(unit.translate(VA, 0, READ, USER)).toBe(DONE);
  world.write(slot, 0, 0);
  expect(unit.translate(VA, 0, READ, USER)).toBe(DONE);
  expect(unit.translate(VA, 0, FETCH, USER)).toBe(DONE);
});

test("a permission fault by a cached entry recurs until an invalidation, however the descriptor has changed", () => {
  const world = new World();
  const slot = world.map(VA, 0, world.frame(), USER_PAGE | TTD_AP_RO);
  expect(world.unit.translate(VA, 0, READ, USER)).toBe(DONE);
  world.ram.write32(slot, world.ram.read32(slot) & ~TTD_AP_RO);
  for (let i = 0; i < 5; i++) {
    expect(world.unit.translate(VA, 0, WRITE, USER)).toBe(FAULT);
    expect(world.unit.fault.statusCode).toBe(0xf);
  }
  world.unit.invalidate(decodeTlbi("VALE1", "local", VA >>> 12, 1 << 16)!);
  expect(world.unit.translate(VA, 0, WRITE, USER)).toBe(DONE);
});

test("without break-before-make a block that replaces pages is a TLB conflict, until an invalidation", () => {
  const world = new World();
  const { unit } = world;
  const near = world.frame();
  world.map(VA, 0, near, USER_PAGE);
  expect(unit.translate(VA, 0, READ, USER)).toBe(DONE);
  expect(unit.fast.includes(VA)).toBe(true);
  world.map(VA, 0, 0x400, USER_PAGE, 0, 2);
  // Another address of the block fills it; the walk cache still leads to the old table.
  unit.invalidate(decodeTlbi("VAE1", "local", (VA + 0x1000) >>> 12, 1 << 16)!);
  expect(unit.translate(VA + 0x1000, 0, READ, USER)).toBe(DONE);
  expect(unit.pa).toBe(0x40_1000);
  // A backend that had the page in the fast TLB finds the conflict as well.
  expect(unit.fast.includes(VA)).toBe(false);
  expect(unit.translate(VA, 0, READ, USER)).toBe(FAULT);
  expect(unit.fault).toMatchObject({ cause: "tlb-conflict", statusCode: 0x30 });
  unit.invalidate(ALL);
  expect(unit.translate(VA, 0, READ, USER)).toBe(DONE);
  expect(unit.pa).toBe(0x40_0000);
});

test("pages of one contiguous group are no conflict, cached by themselves or together", () => {
  const world = new World({ policy: "adversarial", seed: 5 });
  for (let i = 0; i < 16; i++) world.map(VA + i * 4096, 0, 0x400 + i, USER_PAGE, TTD_HI_CONTIGUOUS);
  const shifts = new Set<number>();
  for (let i = 0; i < 300; i++) {
    const lo = VA + (((i * 7) % 16) << 12);
    expect(world.unit.translate(lo, 0, READ, USER)).toBe(DONE);
    expect(world.unit.pa).toBe(lo);
    for (const { shift, structure } of world.unit.cachedEntries()) {
      if (structure.startsWith("L")) shifts.add(shift);
    }
    world.unit.perturb();
    if (i % 9 === 0) world.unit.invalidate(ALL);
  }
  expect([...shifts].sort()).toEqual([12, 16]);
});

test("a Contiguous bit that is cleared in a live group is a conflict once a walk has found it", () => {
  const world = new World();
  const { unit } = world;
  const flags = CLEAN | TTD_AF;
  for (let i = 0; i < 16; i++) world.map(VA + i * 4096, 0, 0x400 + i, flags, TTD_HI_CONTIGUOUS | TTD_HI_DBM);
  expect(unit.translate(VA, 0, READ, USER)).toBe(DONE);
  world.map(VA, 0, 0x400, flags, TTD_HI_DBM);
  expect(unit.translate(VA, 0, READ, USER)).toBe(DONE);
  // A store through a clean entry walks.
  expect(unit.translate(VA, 0, WRITE, USER)).toBe(DONE);
  expect(unit.translate(VA, 0, READ, USER)).toBe(FAULT);
  expect(unit.fault.cause).toBe("tlb-conflict");
  expect(unit.translate(VA + 4096, 0, READ, USER)).toBe(DONE);
});

test("a broadcast invalidation in the middle of a walk makes it start again", () => {
  for (let moment = 1; moment < 6; moment++) {
    const world = new World();
    const slot = world.map(VA, 0, 0x400, USER_PAGE);
    const [status] = stepwise(world, READ, (event) => {
      if (event !== moment) return;
      world.write(slot, 0x500, TTD_VALID | TTD_TABLE | USER_PAGE);
      world.unit.invalidate(ALL);
    });
    expect(status).toBe(DONE);
    expect(world.unit.pa).toBe(0x50_0000);
  }
});
