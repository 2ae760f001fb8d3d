import { beforeEach, describe, expect, test } from "vitest";
import {
  DONE,
  decodeTlbi,
  FAULT,
  FETCH,
  type GranuleShift,
  READ,
  SUPERVISOR,
  type TlbiName,
  type TlbiOperation,
  TTD_HI_CONTIGUOUS,
  USER,
} from "../../../mmu/index.ts";
import { KERNEL_PAGE, USER_PAGE, World } from "./world.ts";

/**
 * Two ASIDs, 1 and 2, each with page A, page B of the same level 2 entry, page C under another level 1 entry, and a global
 * page of the kernel's half. After all are cached the leaves move to new frames, so an access tells whether the old
 * translation was used.
 */
const A = [0x40_0000, 0] as const;
const B = [0x40_1000, 0] as const;
const C = [0x4040_0000, 0] as const;
const GLOBAL = [0x50_0000, -1] as const;
const PAGES = { A, B, C, GLOBAL } as const;
type Page = keyof typeof PAGES;

let world: World;
let roots: number[];

function mapAll(): void {
  for (const root of roots.slice(1)) {
    for (const [lo, hi] of [A, B, C]) world.map(lo, hi, world.frame(), USER_PAGE, 0, 3, root);
  }
  world.map(...GLOBAL, world.frame(), KERNEL_PAGE);
}

beforeEach(() => {
  world = new World();
  roots = [0, world.frame(), world.frame()];
  mapAll();
  for (const asid of [1, 2]) {
    world.load(asid, world.unit, roots[asid]);
    for (const [lo, hi] of Object.values(PAGES)) {
      world.unit.translate(lo, hi, READ, SUPERVISOR);
      world.unit.translate(lo, hi, FETCH, hi < 0 ? SUPERVISOR : USER);
    }
  }
  mapAll();
});

/** Pages whose old translation an ASID still uses, for data or instructions. */
function stale(asid: number): string {
  world.load(asid, world.unit, roots[asid]);
  const found: Page[] = [];
  for (const [name, [lo, hi]] of Object.entries(PAGES)) {
    const slot = hi < 0 ? world.slot(lo, hi, 3) : world.slot(lo, hi, 3, roots[asid]);
    const fresh = world.ram.read32(slot) >>> 12;
    const used = [READ, FETCH].map((kind) => {
      const privilege = hi < 0 ? SUPERVISOR : USER;
      expect(world.unit.translate(lo, hi, kind as 0 | 2, privilege)).toBe(DONE);
      return Math.floor(world.unit.pa / 4096);
    });
    expect(used[0] === fresh).toBe(used[1] === fresh);
    if (used[0] !== fresh) found.push(name as Page);
  }
  return found.join(" ");
}

/** The register operand of a TLBI by address. */
function operand(asid: number, lo: number, hi: number, ttl = 0): [number, number] {
  return [(lo >>> 12) | (hi << 20), (asid << 16) | (ttl << 12) | ((hi >>> 12) & 0xfff)];
}

function tlbi(name: TlbiName, lo = 0, hi = 0): number {
  return world.unit.invalidate(decodeTlbi(name, "inner", lo, hi)!);
}

test("nothing is invalidated by a change of TTBR0_EL1", () => {
  expect(stale(2)).toBe("A B C GLOBAL");
  expect(stale(1)).toBe("A B C GLOBAL");
});

test.each([
  { name: "VAE1", asid: 1, page: A, one: "B C GLOBAL", two: "A B C GLOBAL" },
  { name: "VALE1", asid: 1, page: A, one: "B C GLOBAL", two: "A B C GLOBAL" },
  { name: "VAE1", asid: 3, page: A, one: "A B C GLOBAL", two: "A B C GLOBAL" },
  { name: "VAE1", asid: 3, page: GLOBAL, one: "A B C", two: "A B C" },
  { name: "VALE1", asid: 2, page: GLOBAL, one: "A B C", two: "A B C" },
  { name: "VAAE1", asid: 3, page: B, one: "A C GLOBAL", two: "A C GLOBAL" },
  { name: "VAALE1", asid: 0, page: GLOBAL, one: "A B C", two: "A B C" },
  { name: "ASIDE1", asid: 2, page: A, one: "A B C GLOBAL", two: "GLOBAL" },
  { name: "VMALLE1", asid: 0, page: A, one: "", two: "" },
] as const)("$name of ASID $asid", ({ name, asid, page, one, two }) => {
  tlbi(name, ...operand(asid, page[0], page[1]));
  expect([stale(1), stale(2)]).toEqual([one, two]);
});

test.each([
  { name: "VAE1", walks: 0 },
  { name: "VAAE1", walks: 0 },
  { name: "VALE1", walks: 3 },
  { name: "VAALE1", walks: 3 },
  { name: "RVAE1", walks: 0 },
  { name: "RVALE1", walks: 3 },
  { name: "ASIDE1", walks: 0 },
] as const)("$name leaves $walks walk-cache entries of the address", ({ name, walks }) => {
  const small = new World();
  small.map(...A, small.frame(), USER_PAGE);
  small.unit.translate(...A, READ, USER);
  const [lo, hi] = name.startsWith("R") ? [A[0] >>> 12, (1 << 16) | (1 << 14)] : operand(1, ...A);
  small.unit.invalidate(decodeTlbi(name, "local", lo, hi)!);
  expect(small.unit.cachedEntries().filter(({ structure }) => structure.startsWith("walk"))).toHaveLength(
    walks,
  );
  expect(small.unit.cachedEntries()).toHaveLength(walks);
});

test("a replaced table is used until an operation that is not last-level only", () => {
  const small = new World();
  const { unit } = small;
  small.map(...A, small.frame(), USER_PAGE);
  small.map(...B, 0x300, USER_PAGE);
  unit.translate(...A, READ, USER);
  const table = small.frame();
  small.write(small.slot(...A, 2), table, 3);
  small.map(...B, 0x301, USER_PAGE);
  const [lo, hi] = operand(1, ...B);
  unit.invalidate(decodeTlbi("VALE1", "local", lo, hi)!);
  unit.translate(...B, READ, USER);
  expect(unit.pa).toBe(0x300_000);
  unit.invalidate(decodeTlbi("VAE1", "local", lo, hi)!);
  unit.translate(...B, READ, USER);
  expect(unit.pa).toBe(0x301_000);
});

test("a level hint that is not the entry's leaves the entry, one of another granule all", () => {
  const levels = [1, 2, 3].map((level) => {
    tlbi("VAE1", ...operand(1, ...A, 4 | level));
    return stale(1).split(" ").includes("A");
  });
  expect(levels).toEqual([true, true, false]);
  tlbi("VAE1", ...operand(1, ...C, 8 | 3));
  expect(stale(1)).toContain("C");
  tlbi("VAE1", ...operand(1, ...C, 0));
  expect(stale(1)).not.toContain("C");
});

describe("range operands", () => {
  const range = (
    asid: number,
    tg: number,
    scale: number,
    num: number,
    ttl: number,
    base: number,
    baseHi = 0,
  ): TlbiOperation | null => {
    const hi = (asid << 16) | (tg << 14) | (scale << 12) | (num << 7) | (ttl << 5) | (baseHi & 31);
    return decodeTlbi("RVAE1", "inner", base, hi);
  };

  test.each([
    { tg: 1, granule: 12 },
    { tg: 2, granule: 14 },
    { tg: 3, granule: 16 },
  ])("TG $tg is a granule of 2^$granule, and BaseADDR counts it", ({ tg, granule }) => {
    const found = range(7, tg, 2, 5, 3, 0x1234_5678, 0x1f)!;
    const base = BigInt.asIntN(64, (0x1f_1234_5678n - 2n ** 37n) << BigInt(granule));
    expect((BigInt(found.hi) << 32n) | BigInt(found.lo >>> 0)).toBe(base);
    expect(found).toMatchObject({ asid: 7, granule, hintedLevel: 3, levels: "any", shareability: "inner" });
    expect(found.pages).toBe(6 * 2 ** 11 * 2 ** (granule - 12));
  });

  test("the reserved TG names nothing", () => {
    expect(range(7, 0, 0, 0, 0, 0)).toBeNull();
  });

  test.each([
    { scale: 0, num: 0, start: 0x400, one: "C GLOBAL" },
    { scale: 0, num: 0, start: 0x401, one: "A C GLOBAL" },
    { scale: 0, num: 0, start: 0x402, one: "A B C GLOBAL" },
    { scale: 0, num: 0, start: 0x3fe, one: "A B C GLOBAL" },
    { scale: 0, num: 1, start: 0x3fd, one: "B C GLOBAL" },
    { scale: 3, num: 3, start: 0x0, one: "C GLOBAL" },
    { scale: 3, num: 7, start: 0x400, one: "GLOBAL" },
  ])("scale $scale, num $num, from page $start", ({ scale, num, start, one }) => {
    world.unit.invalidate(range(1, 1, scale, num, 0, start)!);
    expect([stale(1), stale(2)]).toEqual([one, "A B C GLOBAL"]);
  });

  test("of another granule, or with a hint that is not the entries' level, drops none of them", () => {
    world.unit.invalidate(range(1, 3, 3, 31, 0, 0)!);
    expect(stale(1)).toBe("A B C GLOBAL");
    world.unit.invalidate(range(1, 1, 3, 31, 2, 0)!);
    expect(stale(1)).toBe("A B C GLOBAL");
    world.unit.invalidate(range(1, 1, 3, 31, 3, 0)!);
    expect(stale(1)).toBe("GLOBAL");
  });
});

test("with TCR_EL1.AS = 0 or 8-bit ASIDs the upper half of an ASID does not count", () => {
  const narrow = new World({ profile: { asidBits: 8 } });
  narrow.map(...A, narrow.frame(), USER_PAGE);
  narrow.load(0x1234);
  expect(narrow.unit.asid).toBe(0x34);
  narrow.unit.translate(...A, READ, USER);
  const [lo, hi] = operand(0xff34, ...A);
  expect(narrow.unit.invalidate(decodeTlbi("VAE1", "local", lo, hi)!)).toBeGreaterThan(0);
});

test.each([12, 14, 16] as const)(
  "a contiguous group may be one entry; any of its addresses drops it (granule 2^%i)",
  (granule: GranuleShift) => {
    const group = new World({ granule });
    const { unit } = group;
    const pages = { 12: 16, 14: 128, 16: 32 }[granule];
    const base = 0x80_0000;
    const first = 0x1000;
    for (let i = 0; i < pages; i++) {
      const frame = first + i * (1 << (granule - 12));
      group.map(base + i * 2 ** granule, 0, frame, USER_PAGE, TTD_HI_CONTIGUOUS);
    }
    const last = base + (pages - 1) * 2 ** granule + 0x123;
    expect(unit.translate(last, 0, READ, USER)).toBe(DONE);
    expect(unit.pa).toBe(first * 4096 + last - base);
    for (let i = 0; i < pages; i++) group.ram.write64(group.slot(base + i * 2 ** granule, 0, 3), 0, 0);
    expect(unit.translate(base, 0, READ, USER)).toBe(DONE);
    expect(unit.pa).toBe(first * 4096);
    const [lo, hi] = operand(1, base + 2 ** granule, 0);
    unit.invalidate(decodeTlbi("VALE1", "local", lo, hi)!);
    expect(unit.translate(base, 0, READ, USER)).toBe(FAULT);
    // The core that caches pages by themselves keeps the others.
    const single = new World({ granule, profile: { contiguous: "single" } });
    for (let i = 0; i < 2; i++) {
      single.map(base + i * 2 ** granule, 0, first + i * (1 << (granule - 12)), USER_PAGE, TTD_HI_CONTIGUOUS);
      expect(single.unit.translate(base + i * 2 ** granule, 0, READ, USER)).toBe(DONE);
      single.ram.write64(single.slot(base + i * 2 ** granule, 0, 3), 0, 0);
    }
    single.unit.invalidate(decodeTlbi("VALE1", "local", lo, hi)!);
    expect(single.unit.translate(base, 0, READ, USER)).toBe(DONE);
    expect(single.unit.translate(base + 2 ** granule, 0, READ, USER)).toBe(FAULT);
  },
);
