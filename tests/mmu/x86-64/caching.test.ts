import { expect, test } from "vitest";
import {
  CR4_PCIDE,
  DONE,
  entryLo,
  FAULT,
  FETCH,
  PTE_A,
  PTE_P,
  PTE_PS,
  PTE_RW,
  PTE_US,
  READ,
  SKYLAKE,
  SUPERVISOR,
  USER,
  WRITE,
} from "../../../mmu/index.ts";
import { CR0_DEFAULT, EFER_DEFAULT, OPEN, World } from "./world.ts";

const VA = 0x40_0000;

test("an entry that is not present, reserved or denied leaves nothing cached below it", () => {
  for (const [flags, hi] of [
    [0, 0],
    [OPEN, 1 << 18],
    [PTE_P, 0],
  ] as const) {
    const world = new World();
    const slot = world.map(VA, 0, world.frame(), flags, hi);
    expect(world.unit.translate(VA, 0, WRITE, USER)).toBe(FAULT);
    expect(world.unit.cachedEntries()).toEqual([]);
    world.write(slot, world.frame(), OPEN);
    expect(world.unit.translate(VA, 0, WRITE, USER)).toBe(DONE);
  }
});

test("a fault at an upper level leaves nothing cached for that address, and other paths alone", () => {
  const world = new World();
  world.map(VA, 0, world.frame(), OPEN);
  world.unit.translate(VA, 0, READ, USER);
  const before = world.unit.cachedEntries().filter((entry) => entry.structure !== "PML4E");
  // Another PDPTE of the same PML4E, not present: only the shared PML4E entry goes.
  expect(world.unit.translate(VA, 1, READ, USER)).toBe(FAULT);
  expect(world.unit.fault.level).toBe(3);
  expect(world.unit.cachedEntries()).toEqual(before);
});

test("speculation fills valid entries with A set and leaves rights and D unchecked", () => {
  const world = new World();
  const slot = world.map(VA, 0, world.frame(), PTE_P);
  world.unit.speculate(VA, 0);
  expect(world.ram.read32(slot) & (PTE_A | 0x40)).toBe(PTE_A);
  expect(world.unit.cachedEntries().filter((entry) => entry.structure === "L1D 4K")).toHaveLength(1);
  expect(world.unit.translate(VA, 0, READ, SUPERVISOR)).toBe(DONE);
  expect(world.unit.translate(VA, 0, READ, USER)).toBe(FAULT);
  const invalid = new World();
  invalid.unit.speculate(VA, 0);
  invalid.unit.speculate(0, 0x8000);
  expect(invalid.unit.cachedEntries()).toEqual([]);
});

test("raising rights costs at most one spurious fault, which evicts the entry", () => {
  const world = new World();
  const frame = world.frame();
  const slot = world.map(VA, 0, frame, PTE_P | PTE_US);
  expect(world.unit.translate(VA, 0, READ, USER)).toBe(DONE);
  world.write(slot, frame, OPEN);
  expect(world.unit.translate(VA, 0, WRITE, USER)).toBe(FAULT);
  expect(world.unit.fault).toMatchObject({ cause: "protection", errorCode: 7, level: 1 });
  expect(world.unit.translate(VA, 0, WRITE, USER)).toBe(DONE);
});

test("a page fault evicts a global entry of the page too", () => {
  const world = new World();
  const slot = world.map(VA, 0, world.frame(), PTE_P | PTE_US | (1 << 8));
  world.unit.translate(VA, 0, READ, USER);
  world.unit.translate(VA, 0, FETCH, USER);
  world.write(slot, world.frame(), OPEN);
  world.unit.translate(VA, 0, WRITE, USER);
  expect(world.unit.cachedEntries().filter((entry) => entry.shift === 12)).toEqual([]);
});

test("lowering rights has no effect on a cached entry until it is invalidated", () => {
  const world = new World();
  const frame = world.frame();
  const slot = world.map(VA, 0, frame, OPEN);
  world.unit.translate(VA, 0, WRITE, USER);
  world.write(slot, frame, PTE_P | PTE_US);
  expect(world.unit.translate(VA, 0, WRITE, USER)).toBe(DONE);
  world.unit.invlpg(VA, 0);
  expect(world.unit.translate(VA, 0, WRITE, USER)).toBe(FAULT);
});

test("an unlinked table stays reachable for new pages until its walk-cache entry goes", () => {
  const world = new World();
  world.map(VA, 0, world.frame(), OPEN);
  const other = world.map(VA + 0x1000, 0, world.frame(), OPEN);
  world.unit.translate(VA, 0, READ, USER);
  const pde = world.slot(VA, 0, 2);
  const table = Math.floor(other / 4096);
  world.ram.write64(pde, 0, 0);
  // The page was never translated: only the cached PDE leads to it.
  expect(world.unit.translate(VA + 0x1000, 0, READ, USER)).toBe(DONE);
  expect(world.unit.cachedEntries().filter((entry) => entry.structure === "PDE")[0].frame).toBe(table);
  // INVLPG of any address drops every walk-cache entry of the PCID.
  world.unit.invlpg(0x7000_0000, 0);
  expect(world.unit.translate(VA + 0x2000, 0, READ, USER)).toBe(FAULT);
  expect(world.unit.fault.level).toBe(2);
  // The leaves are cached still: INVLPG named another page.
  expect(world.unit.translate(VA + 0x1000, 0, READ, USER)).toBe(DONE);
});

test("INVPCID of one address drops the walk-cache entries of that address alone", () => {
  const world = new World();
  const far = 0x4000_0000;
  for (const va of [VA, VA + 0x1000, far, far + 0x1000]) world.map(va, 0, world.frame(), OPEN);
  for (const va of [VA, far]) world.unit.translate(va, 0, READ, USER);
  for (const va of [VA, far]) world.ram.write64(world.slot(va, 0, 2), 0, 0);
  world.unit.invpcid(0, 0, VA + 0x1000, 0);
  expect(world.unit.translate(VA + 0x1000, 0, READ, USER)).toBe(FAULT);
  expect(world.unit.translate(far + 0x1000, 0, READ, USER)).toBe(DONE);
});

test("walk-cache entries of other PCIDs survive INVLPG and serve their own PCID alone", () => {
  const world = new World();
  world.unit.setControls(CR0_DEFAULT, world.cr4(CR4_PCIDE), EFER_DEFAULT);
  const second = world.frame();
  world.map(VA, 0, world.frame(), OPEN);
  world.map(VA + 0x1000, 0, world.frame(), OPEN);
  world.unit.writeCr3(entryLo(world.root, 1), 0);
  world.unit.translate(VA, 0, READ, USER);
  world.ram.write64(world.slot(VA, 0, 2), 0, 0);
  world.unit.writeCr3(entryLo(second, 2), 0);
  expect(world.unit.translate(VA, 0, READ, USER)).toBe(FAULT);
  expect(world.unit.fault.level).toBe(4);
  world.unit.invlpg(VA, 0);
  world.unit.writeCr3(entryLo(world.root, 1), 1 << 31);
  expect(world.unit.translate(VA + 0x1000, 0, READ, USER)).toBe(DONE);
});

test("rights of an upper entry stay as they were cached, and apply to leaves walked later", () => {
  const world = new World();
  world.map(VA, 0, world.frame(), OPEN);
  world.map(VA + 0x1000, 0, world.frame(), OPEN);
  const pde = world.slot(VA, 0, 2);
  const table = world.ram.read32(pde) >>> 12;
  world.write(pde, table, PTE_P | PTE_US);
  expect(world.unit.translate(VA, 0, READ, USER)).toBe(DONE);
  world.write(pde, table, OPEN);
  expect(world.unit.translate(VA + 0x1000, 0, WRITE, USER)).toBe(FAULT);
  // The fault dropped the path of that address, so the retry reads the tables.
  expect(world.unit.translate(VA + 0x1000, 0, WRITE, USER)).toBe(DONE);
});

test("a large page and the small pages that replace it without a clear may both be cached", () => {
  const world = new World();
  world.map(VA, 0, 0x200, OPEN, 0, 21);
  world.unit.translate(VA, 0, READ, USER);
  const table = world.frame();
  world.write(world.slot(VA, 0, 2), table, OPEN);
  world.ram.write64(table * 4096, entryLo(7, OPEN), 0);
  world.unit.translate(VA, 0, FETCH, USER);
  const used = [world.unit.pa];
  world.unit.invlpg(VA, 0);
  world.unit.translate(VA, 0, READ, USER);
  used.push(world.unit.pa);
  expect(used).toEqual([0x20_0000, 0x7000]);
});

test("a self-mapped entry serves as PDE and PTE, and each use needs its own invalidation", () => {
  const world = new World();
  const frame = world.frame();
  world.map(VA, 0, frame, OPEN);
  const pde = world.slot(VA, 0, 2);
  // Entry 511 of the PML4 leads to the PML4: the PDE of VA is the PTE of this address.
  world.write(world.root * 4096 + 511 * 8, world.root, OPEN);
  const alias = { lo: 0x2000, hi: 0xffff_ff80 | 0 };
  expect(world.unit.translate(alias.lo, alias.hi, READ, SUPERVISOR)).toBe(DONE);
  expect(world.unit.pa).toBe((world.ram.read32(pde) >>> 12) * 4096);
  expect(world.unit.translate(VA, 0, READ, USER)).toBe(DONE);
  world.ram.write64(pde, 0, 0);
  world.unit.invpcid(0, 0, VA, 0);
  expect(world.unit.translate(VA, 0, READ, USER)).toBe(FAULT);
  expect(world.unit.translate(alias.lo, alias.hi, READ, SUPERVISOR)).toBe(DONE);
});

test("the second level serves what the first has lost, and costs cycles", () => {
  const world = new World();
  // 16 sets of 4 ways: five pages of one set.
  for (let i = 0; i < 5; i++) world.map(VA + i * 0x1_0000, 0, world.frame(), OPEN);
  for (let i = 0; i < 5; i++) world.unit.translate(VA + i * 0x1_0000, 0, READ, USER);
  const first = () =>
    world.unit
      .cachedEntries()
      .filter((entry) => entry.structure === "L1D 4K")
      .map((entry) => entry.lo);
  expect(first()).not.toContain(VA);
  world.ram.write64(world.slot(VA, 0, 1), 0, 0);
  world.unit.stallCycles = 0;
  expect(world.unit.translate(VA, 0, READ, USER)).toBe(DONE);
  expect(world.unit.stallCycles).toBe(SKYLAKE.stlbHitCycles);
  expect(first()).toContain(VA);
  world.unit.stallCycles = 0;
  expect(world.unit.translate(VA, 0, READ, USER)).toBe(DONE);
  expect(world.unit.stallCycles).toBe(0);
});

test("a hit changes no modelled state", () => {
  const world = new World();
  world.map(VA, 0, world.frame(), OPEN);
  world.unit.translate(VA, 0, WRITE, USER);
  const before = world.unit.hash(0);
  for (const kind of [READ, WRITE] as const) world.unit.translate(VA, 0, kind, USER);
  world.unit.emptyFast();
  for (const kind of [READ, WRITE] as const) world.unit.translate(VA, 0, kind, USER);
  expect(world.unit.hash(0)).toBe(before);
});

test("addresses above 2^53 translate with 5 levels, and their non-canonical neighbours do not", () => {
  const world = new World({ levels: 5 });
  for (const [lo, hi] of [
    [0xffff_f000, 0x00ff_ffff],
    [0x0000_0000, 0xff00_0000],
    [0x1234_5000, 0x0022_1100],
  ]) {
    const frame = world.frame();
    world.map(lo | 0, hi | 0, frame, OPEN);
    expect(world.unit.translate(lo | 0xabc, hi | 0, WRITE, USER)).toBe(DONE);
    expect(world.unit.pa).toBe(frame * 4096 + 0xabc);
    expect(world.unit.probe(lo | 0xabc, hi | 0)).toBe(frame * 4096 + 0xabc);
  }
  for (const hi of [0x0100_0000, 0xfeff_ffff, 0x7fff_ffff, 0x8000_0000]) {
    expect(world.unit.translate(0, hi | 0, READ, USER)).toBe(FAULT);
    expect(world.unit.fault).toMatchObject({ cause: "not-canonical", errorCode: 0, hi: hi | 0 });
    expect(world.unit.probe(0, hi | 0)).toBe(-1);
  }
  const four = new World();
  for (const hi of [0x8000, 0xffff_7fff, 0x00ff_ffff]) {
    expect(four.unit.translate(0, hi | 0, READ, USER)).toBe(FAULT);
    expect(four.unit.fault.cause).toBe("not-canonical");
  }
});

test("tables and pages outside RAM read as all ones", () => {
  const world = new World({ maxPhysBits: 52 });
  // A leaf far outside RAM is a translation like any other, but no fast one.
  world.map(VA, 0, 2 ** 38, OPEN);
  expect(world.unit.translate(VA + 0x10, 0, WRITE, USER)).toBe(DONE);
  expect(world.unit.pa).toBe(2 ** 50 + 0x10);
  // A page table there: its entries are all ones, valid with MAXPHYADDR 52, but XD.
  world.write(world.slot(0x4000_0000, 0, 2), 2 ** 30, OPEN);
  expect(world.unit.translate(0x4000_0000, 0, READ, USER)).toBe(DONE);
  expect(world.unit.pa).toBe(2 ** 52 - 4096);
  expect(world.unit.translate(0x4000_0000, 0, FETCH, USER)).toBe(FAULT);
  // A page directory there: all ones is a large leaf with reserved bits set.
  world.write(world.slot(0, 1, 3), 2 ** 30, OPEN);
  expect(world.unit.translate(0, 1, READ, USER)).toBe(FAULT);
  expect(world.unit.fault.cause).toBe("reserved-bit");
});

test("probe finds what the tables in memory say, whatever is cached", () => {
  const world = new World();
  world.map(0x4000_0000, 0, 0x4_0000, OPEN, 0, 30);
  world.map(0x20_0000, 0, 0x200, OPEN | (1 << 12), 0, 21);
  expect(world.unit.probe(0x4123_4567, 0)).toBe(0x4123_4567);
  expect(world.unit.probe(0x23_4567, 0)).toBe(0x23_4567);
  world.unit.translate(0x23_4567, 0, READ, USER);
  expect(world.unit.pa).toBe(0x23_4567);
  world.ram.write64(world.slot(0x20_0000, 0, 2), PTE_PS, 0);
  expect(world.unit.probe(0x23_4567, 0)).toBe(-1);
  expect(PTE_RW).toBe(2);
});
