import { beforeEach, expect, test } from "vitest";
import {
  CR0_PG,
  CR3_HI_NO_FLUSH,
  CR4_LA57,
  CR4_PCIDE,
  CR4_PGE,
  CR4_SMEP,
  DONE,
  EFER_LME,
  entryHi,
  entryLo,
  FAULT,
  FETCH,
  INVPCID_ADDRESS,
  INVPCID_ALL,
  INVPCID_ALL_BUT_GLOBAL,
  INVPCID_SINGLE_CONTEXT,
  PTE_G,
  READ,
  SUPERVISOR,
} from "../../../mmu/index.ts";
import { CR0_DEFAULT, EFER_DEFAULT, OPEN, World } from "./world.ts";

/**
 * Two contexts, PCID 1 and 2, each with page A, page B of the same 2 MiB, page C under another PDPTE, and a global
 * page. After all are cached the leaves move to new frames, so an access tells whether the old translation was used.
 */
const A = 0x40_0000;
const B = 0x40_1000;
const C = 0x4040_0000;
const GLOBAL = 0x50_0000;
const PAGES = { A, B, C, GLOBAL } as const;
type Page = keyof typeof PAGES;

let world: World;
let roots: number[];

function load(pcid: number, flush: "flush" | "keep"): boolean {
  return world.unit.writeCr3(
    entryLo(roots[pcid], pcid),
    entryHi(roots[pcid], flush === "keep" ? CR3_HI_NO_FLUSH : 0),
  );
}

/** Maps every page of both contexts to a fresh frame; the global one leads to the same frame in both. */
function mapAll(): void {
  const global = world.frame();
  for (const root of roots.slice(1)) {
    for (const va of [A, B, C]) world.map(va, 0, world.frame(), OPEN, 0, 12, root);
    world.map(GLOBAL, 0, global, OPEN | PTE_G, 0, 12, root);
  }
}

beforeEach(() => {
  world = new World();
  if (!world.unit.setControls(CR0_DEFAULT, world.cr4(CR4_PCIDE), EFER_DEFAULT)) throw new Error("no PCIDs");
  roots = [0, world.frame(), world.frame()];
  mapAll();
  for (const pcid of [1, 2]) {
    load(pcid, "flush");
    for (const va of Object.values(PAGES)) {
      if (pcid === 2 && va === GLOBAL) continue;
      world.unit.translate(va, 0, READ, SUPERVISOR);
      world.unit.translate(va, 0, FETCH, SUPERVISOR);
    }
  }
  mapAll();
});

/** Pages whose old translation a context still uses, for data or instructions. */
function stale(pcid: number): Page[] {
  load(pcid, "keep");
  const found: Page[] = [];
  for (const [name, va] of Object.entries(PAGES)) {
    const fresh = world.ram.read32(world.slot(va, 0, 1, roots[pcid])) >>> 12;
    const used = [READ, FETCH].map((kind) => {
      expect(world.unit.translate(va, 0, kind as 0 | 2, SUPERVISOR)).toBe(DONE);
      return Math.floor(world.unit.pa / 4096);
    });
    expect(used[0] === fresh).toBe(used[1] === fresh);
    if (used[0] !== fresh) found.push(name as Page);
  }
  return found;
}

test("everything stays cached without an invalidation, and a global page serves both contexts", () => {
  expect(stale(1)).toEqual(["A", "B", "C", "GLOBAL"]);
  expect(stale(2)).toEqual(["A", "B", "C", "GLOBAL"]);
});

test("INVLPG drops the page of the current PCID, and of no other", () => {
  load(1, "keep");
  world.unit.invlpg(A + 0x123, 0);
  expect(stale(1)).toEqual(["B", "C", "GLOBAL"]);
  expect(stale(2)).toEqual(["A", "B", "C", "GLOBAL"]);
});

test("INVLPG drops a global page under whatever PCID it was filled", () => {
  load(2, "keep");
  world.unit.invlpg(GLOBAL, 0);
  expect(stale(1)).toEqual(["A", "B", "C"]);
});

test("INVLPG of a non-canonical address does nothing", () => {
  load(1, "keep");
  const before = world.unit.cachedEntries();
  world.unit.invlpg(0, 0x8000);
  expect(world.unit.cachedEntries()).toEqual(before);
});

test("MOV to CR3 drops the new PCID's entries but globals; with bit 63 it drops nothing", () => {
  load(1, "keep");
  expect(stale(1)).toEqual(["A", "B", "C", "GLOBAL"]);
  load(1, "flush");
  expect(stale(1)).toEqual(["GLOBAL"]);
  expect(stale(2)).toEqual(["A", "B", "C", "GLOBAL"]);
});

test.each([
  { type: INVPCID_ADDRESS, first: ["B", "C", "GLOBAL"], second: ["A", "B", "C", "GLOBAL"] },
  { type: INVPCID_SINGLE_CONTEXT, first: ["GLOBAL"], second: ["A", "B", "C", "GLOBAL"] },
  { type: INVPCID_ALL, first: [], second: [] },
  { type: INVPCID_ALL_BUT_GLOBAL, first: ["GLOBAL"], second: ["GLOBAL"] },
])("INVPCID type $type on PCID 1 from PCID 2", ({ type, first, second }) => {
  load(2, "keep");
  expect(world.unit.invpcid(type, 1, A, 0)).toBe(true);
  expect(stale(1)).toEqual(first);
  expect(stale(2)).toEqual(second);
});

test("INVPCID type 0 leaves a global translation of the address alone", () => {
  load(1, "keep");
  world.unit.invpcid(INVPCID_ADDRESS, 1, GLOBAL, 0);
  expect(stale(1)).toEqual(["A", "B", "C", "GLOBAL"]);
});

test("INVPCID refuses what is #GP", () => {
  const before = world.unit.cachedEntries();
  expect(world.unit.invpcid(4, 1, 0, 0)).toBe(false);
  expect(world.unit.invpcid(-1, 1, 0, 0)).toBe(false);
  expect(world.unit.invpcid(1, 0x1000, 0, 0)).toBe(false);
  expect(world.unit.invpcid(0, 1, 0, 0x8000)).toBe(false);
  expect(world.unit.cachedEntries()).toEqual(before);
  const plain = new World();
  expect(plain.unit.invpcid(0, 1, 0, 0)).toBe(false);
  expect(plain.unit.invpcid(1, 1, 0, 0)).toBe(false);
  expect(plain.unit.invpcid(1, 0, 0, 0)).toBe(true);
  expect(plain.unit.invpcid(3, 0, 0, 0)).toBe(true);
});

test("a change of CR4.PGE, and clearing CR4.PCIDE, drop everything, globals included", () => {
  for (const cr4 of [world.cr4(CR4_PCIDE) & ~CR4_PGE, world.cr4()]) {
    load(1, "keep");
    world.unit.setControls(CR0_DEFAULT, world.cr4(CR4_PCIDE), EFER_DEFAULT);
    world.unit.translate(A, 0, READ, SUPERVISOR);
    expect(world.unit.setControls(CR0_DEFAULT, cr4, EFER_DEFAULT)).toBe(true);
    expect(world.unit.cachedEntries()).toEqual([]);
    load(1, "flush");
    world.unit.writeCr3(entryLo(roots[1], 0), 0);
    world.unit.setControls(CR0_DEFAULT, world.cr4(CR4_PCIDE), EFER_DEFAULT);
  }
});

test("setting CR4.SMEP drops the current PCID and leaves others; clearing it drops nothing", () => {
  load(1, "keep");
  world.unit.setControls(CR0_DEFAULT, world.cr4(CR4_PCIDE | CR4_SMEP), EFER_DEFAULT);
  const left = world.unit.cachedEntries();
  expect(left.length).toBeGreaterThan(0);
  expect(left.every((entry) => entry.pcid === 2)).toBe(true);
  world.unit.setControls(CR0_DEFAULT, world.cr4(CR4_PCIDE), EFER_DEFAULT);
  expect(world.unit.cachedEntries()).toEqual(left);
});

test("controls that are #GP are refused and change nothing", () => {
  load(1, "keep");
  const { unit } = world;
  const before = unit.hash(0);
  const pcide = world.cr4(CR4_PCIDE);
  expect(unit.setControls(CR0_DEFAULT & ~CR0_PG, pcide, EFER_DEFAULT)).toBe(false);
  expect(unit.setControls(CR0_DEFAULT, pcide | CR4_LA57, EFER_DEFAULT)).toBe(false);
  expect(unit.setControls(CR0_DEFAULT, pcide, EFER_DEFAULT & ~EFER_LME)).toBe(false);
  expect(unit.hash(0)).toBe(before);
  const plain = new World();
  plain.unit.writeCr3(entryLo(plain.root, 0x18), 0);
  expect(plain.unit.setControls(CR0_DEFAULT, plain.cr4(CR4_PCIDE), EFER_DEFAULT)).toBe(false);
});

test("MOV to CR3 refuses reserved bits, and bit 63 without PCIDE", () => {
  expect(world.unit.writeCr3(entryLo(roots[1], 1), 1 << (46 - 32))).toBe(false);
  expect(world.unit.writeCr3(entryLo(roots[1], 1), 1 << 30)).toBe(false);
  const plain = new World();
  expect(plain.unit.writeCr3(entryLo(plain.root, 0), CR3_HI_NO_FLUSH)).toBe(false);
  expect(world.unit.writeCr3(entryLo(roots[1], 1), CR3_HI_NO_FLUSH)).toBe(true);
  expect(world.unit.cr3Hi).toBe(0);
  expect(world.unit.pcid).toBe(1);
});

test("switching paging off drops everything, and addresses are then physical", () => {
  const plain = new World();
  plain.map(A, 0, plain.frame(), OPEN | PTE_G);
  plain.unit.translate(A, 0, READ, SUPERVISOR);
  expect(plain.unit.setControls(CR0_DEFAULT & ~CR0_PG, plain.cr4(), EFER_DEFAULT)).toBe(true);
  expect(plain.unit.cachedEntries()).toEqual([]);
  expect(plain.unit.translate(0xfee1_2345 | 0, 0, READ, SUPERVISOR)).toBe(DONE);
  expect(plain.unit.pa).toBe(0xfee1_2345);
  expect(plain.unit.cachedEntries()).toEqual([]);
  expect(plain.unit.translate(0, 1, READ, SUPERVISOR)).toBe(FAULT);
});

test("INVLPG inside a large page drops it whole, fragments in the instruction TLB included", () => {
  const plain = new World();
  plain.map(0x4000_0000, 0, 0, OPEN, 0, 30);
  plain.map(0x20_0000, 0, 0, OPEN, 0, 21);
  for (let offset = 0; offset < 8; offset++) {
    plain.unit.translate(0x4000_0000 + offset * 0x20_0000, 0, FETCH, SUPERVISOR);
    plain.unit.translate(0x20_0000 + offset * 4096, 0, FETCH, SUPERVISOR);
  }
  plain.unit.translate(0x4000_0000, 0, READ, SUPERVISOR);
  plain.unit.translate(0x20_0000, 0, READ, SUPERVISOR);
  const leaves = () =>
    plain.unit
      .cachedEntries()
      .filter((entry) => entry.structure.startsWith("L1") || entry.structure.startsWith("STLB"));
  expect(leaves().some((entry) => entry.structure === "L1I 2M" && entry.lo >>> 30 === 1)).toBe(true);
  plain.unit.invlpg(0x7fff_f000, 0);
  expect(leaves().filter((entry) => entry.lo >>> 30 === 1)).toEqual([]);
  expect(leaves().length).toBeGreaterThan(0);
  plain.unit.invlpg(0x3f_f000, 0);
  expect(leaves()).toEqual([]);
});

test("without CR4.PGE the G bit means nothing", () => {
  const plain = new World();
  plain.unit.setControls(CR0_DEFAULT, plain.cr4() & ~CR4_PGE, EFER_DEFAULT);
  plain.map(A, 0, plain.frame(), OPEN | PTE_G);
  plain.unit.translate(A, 0, READ, SUPERVISOR);
  expect(plain.unit.cachedEntries().some((entry) => entry.global)).toBe(false);
  plain.unit.writeCr3(plain.unit.cr3Lo, plain.unit.cr3Hi);
  expect(plain.unit.cachedEntries()).toEqual([]);
});
