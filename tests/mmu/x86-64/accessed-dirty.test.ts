import { expect, test } from "vitest";
import {
  type AccessKind,
  DONE,
  FAULT,
  PTE_A,
  PTE_D,
  PTE_P,
  PTE_PS,
  PTE_RW,
  PTE_US,
  READ,
  SUSPENDED,
  type TranslationStatus,
  USER,
  WRITE,
} from "../../../mmu/index.ts";
import { OPEN, World } from "./world.ts";

const VA = 0x40_0000;

/** Grants events one by one, calling `between` before event number n; returns the status and the events used. */
function stepwise(
  world: World,
  kind: AccessKind,
  between: (event: number) => void,
): [TranslationStatus, number] {
  const { unit, budget } = world;
  budget.exploring = true;
  budget.left = 0;
  for (let event = 0; ; event++) {
    if (event > 100) throw new Error("the access never ends");
    between(event);
    budget.left = 1;
    const status = unit.translate(VA, 0, kind, USER);
    if (status !== SUSPENDED) return [status, event + 1];
    expect(budget.left).toBe(0);
  }
}

test("a read sets A in every entry used and D in none; a write sets D in the leaf alone", () => {
  for (const levels of [4, 5] as const) {
    for (const shift of [12, 21, 30]) {
      const world = new World({ levels });
      world.map(VA, 0, 0, OPEN, 0, shift);
      const entries = (): number[] => {
        const found = [];
        for (let level: number = levels; level >= (shift - 3) / 9; level--)
          found.push(world.ram.read32(world.slot(VA, 0, level)) & (PTE_A | PTE_D));
        return found;
      };
      expect(world.unit.translate(VA, 0, READ, USER)).toBe(DONE);
      expect(entries().every((bits) => bits === PTE_A)).toBe(true);
      expect(world.unit.translate(VA, 0, WRITE, USER)).toBe(DONE);
      expect(entries().pop()).toBe(PTE_A | PTE_D);
      expect(
        entries()
          .slice(0, -1)
          .every((bits) => bits === PTE_A),
      ).toBe(true);
    }
  }
});

test("A is set in upper entries of a walk that ends not-present, and not in a leaf that denies the access", () => {
  const world = new World();
  world.map(VA, 0, world.frame(), PTE_P | PTE_US);
  expect(world.unit.translate(VA, 0, WRITE, USER)).toBe(FAULT);
  expect(world.ram.read32(world.slot(VA, 0, 1)) & (PTE_A | PTE_D)).toBe(0);
  expect(world.unit.translate(VA + 4096, 0, READ, USER)).toBe(FAULT);
  for (const level of [2, 3, 4]) expect(world.ram.read32(world.slot(VA, 0, level)) & PTE_A).toBe(PTE_A);
});

test("a cached entry keeps A clear in memory if software clears it, until it is invalidated", () => {
  const world = new World();
  const slot = world.map(VA, 0, world.frame(), OPEN);
  world.unit.translate(VA, 0, READ, USER);
  world.ram.write32(slot, world.ram.read32(slot) & ~PTE_A);
  world.unit.translate(VA, 0, READ, USER);
  expect(world.ram.read32(slot) & PTE_A).toBe(0);
  world.unit.invlpg(VA, 0);
  world.unit.translate(VA, 0, READ, USER);
  expect(world.ram.read32(slot) & PTE_A).toBe(PTE_A);
});

test("a write with D cached does not set D again (the lost-dirty hole), and does after an invalidation", () => {
  const world = new World();
  const slot = world.map(VA, 0, world.frame(), OPEN);
  world.unit.translate(VA, 0, WRITE, USER);
  world.ram.write32(slot, world.ram.read32(slot) & ~PTE_D);
  world.unit.translate(VA, 0, WRITE, USER);
  expect(world.ram.read32(slot) & PTE_D).toBe(0);
  world.unit.invlpg(VA, 0);
  world.unit.translate(VA, 0, WRITE, USER);
  expect(world.ram.read32(slot) & PTE_D).toBe(PTE_D);
});

test("each read, update, fill and the access are one event", () => {
  const world = new World();
  world.map(VA, 0, world.frame(), OPEN);
  // Cold: four reads, four updates, the fill, the access.
  expect(stepwise(world, READ, () => {})).toEqual([DONE, 10]);
  // A hit is one event.
  expect(stepwise(world, READ, () => {})).toEqual([DONE, 1]);
  // A write through a clean entry: one read from the PDE cache, the update, the fill, the access.
  expect(stepwise(world, WRITE, () => {})).toEqual([DONE, 4]);
  expect(stepwise(world, WRITE, () => {})).toEqual([DONE, 1]);
  world.unit.invlpg(VA, 0);
  expect(stepwise(world, WRITE, () => {})).toEqual([DONE, 6]);
});

/**
 * Every interleaving of a cold write with one foreign write to the leaf. What must hold in all: the update lands on an
 * entry that was valid and writable at that moment (litmus 23), it changes nothing but A and D, and the access goes to
 * the frame that the entry led to when D was set.
 */
test.each([
  { name: "unmapped", value: (_old: number, _other: number) => 0 },
  { name: "write-protected", value: (old: number) => old & ~PTE_RW },
  { name: "moved to another frame", value: (_old: number, other: number) => (other << 12) | OPEN },
  { name: "moved, with A set", value: (_old: number, other: number) => (other << 12) | OPEN | PTE_A },
  { name: "made clean and old", value: (old: number) => old & ~(PTE_A | PTE_D) },
  { name: "made reserved", value: (old: number) => old },
])("a leaf that is $name between any two steps of a write", ({ name, value }) => {
  const outcomes = new Set<string>();
  for (let moment = 0; moment < 12; moment++) {
    const world = new World();
    const first = world.frame();
    const other = world.frame();
    const slot = world.map(VA, 0, first, OPEN);
    const reserved = name === "made reserved" ? 1 << 18 : 0;
    let written = false;
    let replaced = 0;
    const [status, events] = stepwise(world, WRITE, (event) => {
      if (event !== moment) return;
      replaced = world.ram.read32(slot);
      world.ram.write64(slot, value(replaced, other), reserved);
      written = true;
    });
    const now = world.ram.read32(slot);
    if (!written) {
      expect(moment).toBeGreaterThanOrEqual(events);
      break;
    }
    // The foreign value stays, but for A and D.
    expect(now & ~(PTE_A | PTE_D)).toBe(value(replaced, other) & ~(PTE_A | PTE_D));
    const dirtyBefore = (replaced & PTE_D) !== 0;
    if (status === DONE) {
      // Dirty was set in the entry that the access used: before the foreign write, or in the new value.
      const usedOld = world.unit.pa === first * 4096;
      expect(usedOld ? dirtyBefore || (now & PTE_D) !== 0 : (now & PTE_D) !== 0).toBe(true);
      outcomes.add(dirtyBefore ? "done, before" : "done, after");
    } else {
      // No update after the entry stopped permitting the access.
      expect(dirtyBefore).toBe(false);
      expect(now).toBe(value(replaced, other));
      outcomes.add(world.unit.fault.cause);
    }
  }
  const faulting: Record<string, string> = {
    unmapped: "not-present",
    "write-protected": "protection",
    "made reserved": "reserved-bit",
  };
  const late = faulting[name] ?? "done, after";
  expect([...outcomes].sort()).toEqual(["done, before", late].sort());
});

test("an upper entry that changes between its read and its update is read again", () => {
  for (const level of [2, 3, 4]) {
    const seen = new Set<string>();
    for (let moment = 0; moment < 12; moment++) {
      const world = new World();
      const frame = world.frame();
      const slot = world.map(VA, 0, frame, OPEN);
      const upper = world.slot(VA, 0, level);
      // A second subtree that leads to another frame, and into which the foreign write switches.
      const otherFrame = world.frame();
      let table = world.frame();
      const newValue = (table << 12) | OPEN;
      for (let at = level - 1; at >= 1; at--) {
        const pa = table * 4096 + ((VA >>> (3 + 9 * at)) & (at > 2 ? 0 : 511)) * 8;
        if (at === 1) world.write(pa, otherFrame, OPEN);
        else world.write(pa, (table = world.frame()), OPEN);
      }
      let before = -1;
      const [status] = stepwise(world, READ, (event) => {
        if (event !== moment) return;
        before = world.ram.read32(upper);
        world.ram.write32(upper, newValue);
      });
      if (before < 0) break;
      expect(status).toBe(DONE);
      const usedOld = world.unit.pa === frame * 4096;
      // The old subtree was used iff A had been set through the old entry; A of the new one is set iff it was used.
      expect((before & PTE_A) !== 0).toBe(usedOld);
      expect((world.ram.read32(upper) & PTE_A) !== 0).toBe(!usedOld);
      if (!usedOld) expect(world.ram.read32(slot) & PTE_A).toBe(0);
      seen.add(usedOld ? "old" : "new");
    }
    expect([...seen].sort()).toEqual(["new", "old"]);
  }
});

test("a table that becomes a large leaf between read and update is judged as a leaf", () => {
  const world = new World();
  world.map(VA, 0, world.frame(), OPEN);
  const pde = world.slot(VA, 0, 2);
  // Events 0 to 4: reads and updates of levels 4 and 3, read of the PDE; then the PDE becomes a leaf.
  const [status] = stepwise(world, WRITE, (event) => {
    if (event === 5) world.ram.write32(pde, 0x20_0000 | OPEN | PTE_PS);
  });
  expect(status).toBe(DONE);
  expect(world.unit.pa).toBe(0x20_0000 | (VA & 0x1f_ffff));
  expect(world.ram.read32(pde) & (PTE_A | PTE_D)).toBe(PTE_A | PTE_D);
});
