import { expect, test } from "vitest";
import {
  DONE,
  FAULT,
  FETCH,
  PTE_P,
  PTE_RW,
  PTE_US,
  READ,
  SUSPENDED,
  USER,
  WRITE,
} from "../../../mmu/index.ts";
import { World } from "./world.ts";

test("a mapped page translates, and an unmapped one faults not-present", () => {
  const world = new World();
  const frame = world.frame();
  world.map(0x40_0000, 0, frame, PTE_P | PTE_RW | PTE_US);
  expect(world.unit.translate(0x40_0123, 0, READ, USER)).toBe(DONE);
  expect(world.unit.pa).toBe(frame * 4096 + 0x123);
  expect(world.unit.translate(0x40_0128, 0, WRITE, USER)).toBe(DONE);
  expect(world.unit.translate(0x40_0128, 0, FETCH, USER)).toBe(DONE);
  expect(world.unit.translate(0x40_1000, 0, READ, USER)).toBe(FAULT);
  expect(world.unit.fault).toMatchObject({ cause: "not-present", lo: 0x40_1000, level: 1, errorCode: 4 });
});

test("in exploring runs a fetch that hits the first level takes no event, one that hits the second or walks does", () => {
  const world = new World();
  const { unit, budget } = world;
  const flags = PTE_P | PTE_RW | PTE_US;
  world.map(0x40_0000, 0, world.frame(), flags);
  world.map(0x8000_0000 | 0, 0, 0x200, flags, 0, 21);
  for (const lo of [0x40_0000, 0x8000_0000 | 0]) {
    budget.exploring = false;
    unit.translate(lo, 0, READ, USER);
    budget.exploring = true;
    budget.left = 0;
    // The second level holds the page, the first for instructions does not.
    expect(unit.translate(lo, 0, FETCH, USER)).toBe(SUSPENDED);
    budget.left = 1;
    expect(unit.translate(lo, 0, FETCH, USER)).toBe(DONE);
    expect(budget.left).toBe(0);
    expect(unit.translate(lo, 0, FETCH, USER)).toBe(DONE);
    expect(unit.translate(lo, 0, READ, USER)).toBe(SUSPENDED);
  }
  unit.writeCr3(unit.cr3Lo, unit.cr3Hi);
  budget.left = 5;
  expect(unit.translate(0x40_0000, 0, FETCH, USER)).toBe(SUSPENDED);
  budget.left = 1;
  // Four reads, the fill and the fetch.
  expect(unit.translate(0x40_0000, 0, FETCH, USER)).toBe(DONE);
  expect(budget.left).toBe(0);
});
