/** May-sets over AArch64 tables: what hardware might hold, before and after TLBI operations of each scope. */
import { expect, test } from "vitest";
import {
  type AArch64TranslationProfile,
  type AccessKind,
  decodeTlbi,
  type MaySets,
  type Privilege,
  READ,
  type TlbiName,
  TTD_AF,
  TTD_AP_EL0,
  TTD_AP_RO,
  TTD_HI_DBM,
  TTD_HI_UXN,
  TTD_NG,
  TTD_TABLE,
  TTD_VALID,
  USER,
  WRITE,
} from "../../../mmu/index.ts";
import { USER_PAGE, World } from "./world.ts";

const VA = 0x40_0000;
const NEAR = 0x40_1000;

function frames(may: MaySets, asid: number, va: number = VA): number[] {
  return may
    .permits(0, asid, va, 0)
    .map(({ frame }) => frame)
    .sort();
}

function tlbi(world: World, name: TlbiName, asid: number, va: number = VA): void {
  world.unit.invalidate(decodeTlbi(name, "local", va >>> 12, asid << 16)!);
}

test("an old leaf is permitted until an operation of the right scope", () => {
  for (const [name, asid, remains] of [
    ["VAE1", 1, false],
    ["VALE1", 1, false],
    ["VAE1", 2, true],
    ["VAAE1", 7, false],
    ["VAALE1", 7, false],
    ["ASIDE1", 1, false],
    ["ASIDE1", 2, true],
    ["VMALLE1", 0, false],
  ] as const) {
    const world = new World({ maySets: {} });
    const may = world.maySets!;
    world.map(VA, 0, 0x300, USER_PAGE);
    expect(frames(may, 1)).toEqual([0x300]);
    world.map(VA, 0, 0x301, USER_PAGE);
    expect(frames(may, 1)).toEqual([0x300, 0x301]);
    tlbi(world, name, asid);
    expect(frames(may, 1)).toEqual(remains ? [0x300, 0x301] : [0x301]);
  }
});

test("a range operation drops the old leaves of its pages", () => {
  const world = new World({ maySets: {} });
  const may = world.maySets!;
  for (const va of [VA, NEAR, NEAR + 4096]) world.map(va, 0, 0x300, USER_PAGE);
  may.sync();
  for (const va of [VA, NEAR, NEAR + 4096]) world.map(va, 0, 0x301, USER_PAGE);
  world.unit.invalidate(decodeTlbi("RVALE1", "local", VA >>> 12, (1 << 16) | (1 << 14))!);
  expect([VA, NEAR, NEAR + 4096].map((va) => frames(may, 1, va).length)).toEqual([1, 1, 2]);
});

test("a replaced table is permitted until an operation that is not last-level only", () => {
  const world = new World({ maySets: {} });
  const may = world.maySets!;
  world.map(VA, 0, 0x300, USER_PAGE);
  may.sync();
  const table = world.frame();
  world.write(table * 4096, 0x301, TTD_VALID | TTD_TABLE | USER_PAGE);
  world.write(world.slot(VA, 0, 2), table, TTD_VALID | TTD_TABLE);
  expect(frames(may, 1)).toEqual([0x300, 0x301]);
  tlbi(world, "VALE1", 1);
  // The old table may be read again by a walk from a stale level 2 entry.
  expect(frames(may, 1)).toEqual([0x300, 0x301]);
  tlbi(world, "VAE1", 1);
  expect(frames(may, 1)).toEqual([0x301]);
});

test("a descriptor with AF = 0 permits nothing; one that is writable and clean permits a store after its update", () => {
  const world = new World({ maySets: {} });
  const may = world.maySets!;
  world.map(VA, 0, 0x300, TTD_AP_EL0 | TTD_NG | TTD_AP_RO, TTD_HI_DBM);
  expect(may.permits(0, 1, VA, 0)).toEqual([]);
  world.unit.translate(VA, 0, READ, USER);
  expect(may.permits(0, 1, VA, 0).map(({ rights }) => [rights.write, rights.dirty])).toEqual([[true, false]]);
  world.unit.translate(VA, 0, WRITE, USER);
  expect(may.permits(0, 1, VA, 0).some(({ rights }) => rights.write && rights.dirty)).toBe(true);
  expect(may.total).toBe(0);
});

const TINY: Partial<AArch64TranslationProfile> = {
  l1d: { name: "L1D", sets: 1, ways: 3 },
  l1i: { name: "L1I", sets: 1, ways: 3 },
  l2: { name: "L2", sets: 2, ways: 4 },
};

test.each([
  { policy: "typical", inputBits: 48, seed: 1 },
  { policy: "adversarial", inputBits: 48, seed: 2 },
  { policy: "adversarial", inputBits: 39, seed: 3 },
] as const)("no unit uses what its may-set does not permit ($policy, $inputBits bits, $seed)", (options) => {
  let state = (options.seed * 0x9e37_79b1) | 1;
  const below = (bound: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
  const world = new World({ ...options, profile: TINY, maySets: {}, ramBytes: 0x100_0000 });
  const pages = [0x40_0000, 0x40_1000, 0x60_0000, 0x4040_0000, 0x4040_1000];
  const names: TlbiName[] = ["VAE1", "VALE1", "VAAE1", "VAALE1", "ASIDE1", "RVAE1", "RVALE1"];
  for (let i = 0; i < 4000; i++) {
    const va = pages[below(pages.length)];
    const asid = 1 + below(2);
    const choice = below(30);
    if (choice < 6) {
      const flags =
        TTD_NG | (below(5) ? TTD_AF : 0) | (below(4) ? TTD_AP_EL0 : 0) | (below(2) ? TTD_AP_RO : 0);
      const slot = world.map(
        va,
        0,
        0x300 + below(16),
        flags,
        (below(2) ? TTD_HI_DBM : 0) | (below(2) ? TTD_HI_UXN : 0),
      );
      if (below(4) === 0) world.ram.write64(slot, 0, 0);
    } else if (choice < 9) world.load(asid);
    else if (choice < 13) {
      const name = names[below(names.length)];
      const operand = (asid << 16) | (name.startsWith("R") ? 1 << 14 : 0);
      world.unit.invalidate(decodeTlbi(name, "local", va >>> 12, operand)!);
    } else if (choice === 13) world.unit.perturb();
    world.unit.translate(va, 0, below(3) as AccessKind, below(3) as Privilege);
  }
  expect(world.maySets!.violations.filter(({ rule }) => rule === "outside-may")).toEqual([]);
});
