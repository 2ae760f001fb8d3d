/** The ledger's holdings over AArch64 units: what frees find in TLBs and walk caches, per scope of TLBI. */
import { expect, test } from "vitest";
import { decodeTlbi, READ, type TlbiName, USER } from "../../../mmu/index.ts";
import { KERNEL_PAGE, USER_PAGE, World } from "./world.ts";

const VA = 0x40_0000;

test("a frame that is freed while a TLB entry leads to it is reported, after its TLBI it is not", () => {
  for (const [name, reports] of [
    ["VALE1", 0],
    ["VAE1", 0],
    ["ASIDE1", 0],
    ["VMALLE1", 0],
    [null, 1],
  ] as const) {
    const world = new World({ ledger: {} });
    const slot = world.map(VA, 0, 0x300, USER_PAGE);
    world.unit.translate(VA, 0, READ, USER);
    world.ram.write64(slot, 0, 0);
    if (name !== null) world.unit.invalidate(decodeTlbi(name, "local", VA >>> 12, 1 << 16)!);
    world.ledger!.frameFreed(0x300);
    expect(world.ledger!.total).toBe(reports);
  }
});

test("a table that is freed after a last-level TLBI alone is still in a walk cache", () => {
  for (const [name, reports] of [
    ["VALE1", 1],
    ["VAE1", 0],
  ] as const satisfies readonly (readonly [TlbiName, number])[]) {
    const world = new World({ ledger: {} });
    const slot = world.map(VA, 0, 0x300, USER_PAGE);
    world.unit.translate(VA, 0, READ, USER);
    world.ram.write64(world.slot(VA, 0, 2), 0, 0);
    world.unit.invalidate(decodeTlbi(name, "local", VA >>> 12, 1 << 16)!);
    world.ledger!.tableFreed(Math.floor(slot / 4096));
    expect(world.ledger!.total).toBe(reports);
  }
});

test("what an ASID that is not loaded holds is condemned, and reported when the ASID is loaded again", () => {
  const world = new World({ ledger: {} });
  const slot = world.map(VA, 0, 0x300, USER_PAGE);
  world.unit.translate(VA, 0, READ, USER);
  world.load(2, world.unit, world.frame());
  world.ram.write64(slot, 0, 0);
  world.ledger!.frameFreed(0x300);
  expect(world.ledger!.total).toBe(0);
  world.load(1);
  expect(world.ledger!.total).toBe(1);
  expect(world.ledger!.violations[0]!.rule).toBe("condemned-loaded");
});

test("the halves may have granules of their own", () => {
  const world = new World({ ledger: {} });
  // The upper half keeps 4 KiB, the lower gets 64 KiB (TG0 = 1) with 48 bits: three levels of tables.
  world.unit.writeTcr(world.tcrLo | (1 << 14), world.tcrHi);
  world.map(VA, -1, 0x300, KERNEL_PAGE);
  const tables = [0x400, 0x410];
  world.load(1, world.unit, 0x3f0);
  world.write(0x3f0 * 4096, tables[0], 3);
  world.write(tables[0] * 4096, tables[1], 3);
  world.write(tables[1] * 4096 + (VA >>> 16) * 8, 0x500, 3 | USER_PAGE);
  world.unit.translate(VA + 0x8123, 0, READ, USER);
  expect(world.unit.pa).toBe(0x50_8123);
  world.unit.translate(VA + 0x123, -1, READ, 1);
  expect(world.unit.pa).toBe(0x30_0123);
  const sizes = world.unit.cachedEntries().filter(({ structure }) => structure === "L1D");
  expect(sizes.map(({ shift }) => shift).sort()).toEqual([12, 16]);
});
