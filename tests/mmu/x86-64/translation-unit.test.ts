import { expect, test } from "vitest";
import { DONE, FAULT, FETCH, PTE_P, PTE_RW, PTE_US, READ, USER, WRITE } from "../../../mmu/index.ts";
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
