import { expect, test } from "vitest";
import {
  type AArch64TranslationProfile,
  type AccessKind,
  DONE,
  decodeTlbi,
  FAST_ADDEND,
  FAST_EXEC,
  FAST_INVALID,
  FAST_READ,
  FAST_REGIME_WORDS,
  FAST_WORDS,
  FAST_WRITE,
  FAULT,
  FETCH,
  type GranuleShift,
  type Privilege,
  READ,
  SUPERVISOR,
  SUSPENDED,
  TLBI_NAMES,
  TTD_AF,
  TTD_AP_EL0,
  TTD_AP_RO,
  TTD_ATTR_SHIFT,
  TTD_HI_DBM,
  TTD_HI_PXN,
  TTD_HI_UXN,
  TTD_NG,
  USER,
  WRITE,
} from "../../../mmu/index.ts";
import { World, type WorldOptions } from "./world.ts";

/** A tiny geometry, so that evictions happen all the time. */
const TINY: Partial<AArch64TranslationProfile> = {
  l1d: { name: "L1D", sets: 2, ways: 3 },
  l1i: { name: "L1I", sets: 1, ways: 3 },
  l2: { name: "L2", sets: 2, ways: 4 },
  level0: { name: "walk 0", sets: 1, ways: 1 },
  level1: { name: "walk 1", sets: 1, ways: 2 },
  level2: { name: "walk 2", sets: 2, ways: 1 },
};

/** Marsaglia's xorshift32. */
function dice(seed: number): (bound: number) => number {
  let state = (seed * 0x9e37_79b1) | 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

interface Place {
  readonly lo: number;
  readonly hi: number;
  readonly level: number;
}

/** Pages and blocks of both halves; some share fast-TLB indices. */
const PLACES: readonly Place[] = [
  { lo: 0x40_0000, hi: 0, level: 3 },
  { lo: 0x41_0000, hi: 0, level: 3 },
  { lo: 0x42_0000, hi: 0, level: 3 },
  { lo: 0x60_0000, hi: 0, level: 3 },
  { lo: 0x40_0000, hi: 1, level: 3 },
  { lo: 0x40_0000, hi: -2, level: 3 },
  { lo: 0x8000_0000 | 0, hi: 0, level: 2 },
  { lo: 0x8000_0000 | 0, hi: -3, level: 2 },
];

function randomLeaf(world: World, below: (bound: number) => number, place: Place): void {
  const flags =
    (below(8) ? TTD_AF : 0) |
    (below(3) ? TTD_AP_EL0 : 0) |
    (below(2) ? TTD_AP_RO : 0) |
    (below(4) ? TTD_NG : 0) |
    (below(6) ? 0 : 1 << TTD_ATTR_SHIFT);
  const flagsHi = (below(3) ? 0 : TTD_HI_UXN) | (below(3) ? 0 : TTD_HI_PXN) | (below(2) ? TTD_HI_DBM : 0);
  const pages = 1 << (world.granule - 12);
  const frame = place.level === 3 ? 0x800 + below(16) * pages : 0;
  const slot = world.map(place.lo, place.hi, frame, flags, flagsHi, place.level);
  if (below(12) === 0) world.ram.write64(slot, 0, 0);
}

function randomTlbi(below: (bound: number) => number, place: Place) {
  const name = TLBI_NAMES[below(TLBI_NAMES.length)];
  const asid = below(3);
  if (name.startsWith("R")) {
    const tg = 1 + below(3);
    const shift = { 1: 12, 2: 14, 3: 16 }[tg]!;
    const base = (BigInt(place.hi) << 32n) | BigInt(place.lo >>> 0);
    const operand = BigInt.asUintN(37, base >> BigInt(shift)) | (BigInt(tg) << 46n) | (BigInt(asid) << 48n);
    const all = operand | (BigInt(below(8)) << 39n);
    return decodeTlbi(name, "local", Number(BigInt.asIntN(32, all)), Number(BigInt.asIntN(32, all >> 32n)));
  }
  return decodeTlbi(
    name,
    "local",
    (place.lo >>> 12) | (place.hi << 20),
    (asid << 16) | ((place.hi >>> 12) & 0xfff),
  );
}

interface Step {
  readonly choice: number;
  readonly place: Place;
  readonly offset: number;
  readonly kind: AccessKind;
  readonly privilege: Privilege;
}

function operate(world: World, below: (bound: number) => number, step: Step): void {
  const { unit } = world;
  if (step.choice < 4) randomLeaf(world, below, step.place);
  else if (step.choice === 4) world.load(1 + below(2));
  else if (step.choice < 8) {
    const operation = randomTlbi(below, step.place);
    if (operation !== null) unit.invalidate(operation);
  } else if (step.choice === 8) unit.setPan(below(2) as 0 | 1);
  else if (step.choice === 9) unit.perturb();
}

function randomStep(below: (bound: number) => number): Step {
  return {
    choice: below(36),
    place: PLACES[below(PLACES.length)],
    offset: below(4) * 4096 + below(256) * 8,
    kind: below(3) as AccessKind,
    privilege: below(3) as Privilege,
  };
}

/** Every tag of the fast TLB is a copy of a first-level entry that permits the access now, for Normal memory. */
function expectSubset(world: World): number {
  const { unit } = world;
  const { fast } = unit;
  const entries = unit.cachedEntries();
  let tags = 0;
  for (let at = 0; at < FAST_WORDS; at += 8) {
    const regime: Privilege = at < FAST_REGIME_WORDS ? USER : SUPERVISOR;
    for (const tag of [FAST_READ, FAST_WRITE, FAST_EXEC]) {
      const lo = fast[at + tag];
      if (lo === FAST_INVALID) continue;
      const hi = fast[at + tag + 1];
      const pa = (lo + fast[at + FAST_ADDEND]) >>> 0;
      const source = entries.find(
        (entry) =>
          entry.structure === (tag === FAST_EXEC ? "L1I" : "L1D") &&
          entry.hi === hi &&
          (lo & (-1 << entry.shift)) === entry.lo &&
          (entry.global || entry.asid === unit.asid) &&
          entry.frame * 4096 + (lo & ~(-1 << entry.shift)) === pa,
      );
      expect(source, `tag ${tag} of ${lo.toString(16)} has no first-level entry`).toBeDefined();
      if (tag === FAST_WRITE) expect(source!.dirty).toBe(true);
      if (tag !== FAST_EXEC) expect(source!.attributeIndex).toBe(0);
      const kind = tag === FAST_EXEC ? FETCH : tag === FAST_WRITE ? WRITE : READ;
      const before = unit.hash(0);
      expect(unit.translate(lo, hi, kind, regime)).toBe(DONE);
      expect(unit.pa).toBe(pa);
      expect(unit.hash(0)).toBe(before);
      tags++;
    }
  }
  return tags;
}

test.each([
  { policy: "typical", granule: 12, seed: 1 },
  { policy: "typical", granule: 14, seed: 2 },
  { policy: "typical", granule: 16, seed: 3 },
  { policy: "adversarial", granule: 12, seed: 4 },
  { policy: "adversarial", granule: 16, seed: 5 },
] as const)("the fast TLB is a subset of the first level ($policy, 2^$granule, $seed)", (options) => {
  const below = dice(options.seed);
  const world = new World({ ...options, profile: TINY });
  for (const place of PLACES) randomLeaf(world, below, place);
  let tags = 0;
  for (let i = 0; i < 3000; i++) {
    const step = randomStep(below);
    operate(world, below, step);
    const { lo, hi } = step.place;
    world.unit.translate(lo + step.offset, hi, step.kind, step.privilege);
    if (i % 10 === 0) tags += expectSubset(world);
  }
  expect(tags).toBeGreaterThan(300);
});

test.each([
  { policy: "typical", granule: 12 },
  { policy: "typical", granule: 14 },
  { policy: "adversarial", granule: 16 },
] as const)(
  "a run that is suspended at every step ends as one that is not ($policy, 2^$granule)",
  (options) => {
    const run = (grants: "one by one" | "all at once"): string[] => {
      const below = dice(9);
      const world = new World({ ...options, profile: TINY, ramBytes: 0x100_0000 });
      world.budget.exploring = true;
      world.budget.left = 1e9;
      const log: string[] = [];
      for (let i = 0; i < 3000; i++) {
        const step = randomStep(below);
        operate(world, below, step);
        const { lo, hi } = step.place;
        let status: number;
        do {
          world.budget.left = grants === "one by one" ? 1 : 1e9;
          status = world.unit.translate(lo + step.offset, hi, step.kind, step.privilege);
          if (grants === "one by one" && status !== SUSPENDED && step.kind !== FETCH) {
            expect(world.budget.left).toBe(0);
          }
        } while (status === SUSPENDED);
        const { fault } = world.unit;
        log.push(
          status === DONE ? `${world.unit.pa}` : `${fault.cause} ${fault.statusCode} ${fault.isReadFault}`,
        );
        log.push(`${world.unit.hash(0)} ${world.unit.stallCycles}`);
      }
      return log;
    };
    expect(run("one by one")).toEqual(run("all at once"));
  },
);

/** With every change followed by the right invalidation, what is cached never shows. */
test.each([
  { policy: "typical", granule: 12 },
  { policy: "adversarial", granule: 12 },
  { policy: "adversarial", granule: 14 },
] as const)("no access uses a translation older than its invalidation ($policy, 2^$granule)", (options) => {
  const below = dice(17);
  const world = new World({ ...(options as WorldOptions & { granule: GranuleShift }), profile: TINY });
  for (const place of PLACES) randomLeaf(world, below, place);
  let faults = 0;
  for (let i = 0; i < 6000; i++) {
    const step = randomStep(below);
    const { lo, hi, level } = step.place;
    if (step.choice < 6) {
      // Break before make: the slot is invalid while the entry is dropped.
      world.ram.write64(world.slot(lo, hi, level), 0, 0);
      expect(world.unit.probe(lo, hi)).toBe(-1);
      world.unit.perturb();
      const operand = [(lo >>> 12) | (hi << 20), (hi >>> 12) & 0xfff] as const;
      world.unit.invalidate(decodeTlbi("VAALE1", "local", ...operand)!);
      world.unit.perturb();
      expect(world.unit.translate(lo, hi, READ, SUPERVISOR)).toBe(FAULT);
      expect(world.unit.fault.cause).toBe("not-present");
      randomLeaf(world, below, step.place);
    } else if (step.choice === 6) world.load(1 + below(2));
    else if (step.choice < 12) world.unit.perturb();
    const status = world.unit.translate(lo + step.offset, hi, step.kind, step.privilege);
    if (status === DONE) expect(world.unit.pa).toBe(world.unit.probe(lo + step.offset, hi));
    else faults++;
    if (status === FAULT) expect(world.unit.fault.cause).not.toBe("tlb-conflict");
  }
  expect(faults).toBeLessThan(5000);
});
