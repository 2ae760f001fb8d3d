import { expect, test } from "vitest";
import {
  type AccessKind,
  CR0_AM,
  CR0_WP,
  CR3_HI_NO_FLUSH,
  CR4_PCIDE,
  CR4_PKE,
  CR4_SMAP,
  CR4_SMEP,
  DONE,
  dropFastWrites,
  entryHi,
  entryLo,
  FAST_ADDEND,
  FAST_EXEC,
  FAST_INVALID,
  FAST_READ,
  FAST_REGIME_WORDS,
  FAST_WORDS,
  FAST_WRITE,
  FETCH,
  FRAME_CODE,
  FRAME_DIRTY,
  FRAME_WATCHED,
  type Privilege,
  PTE_G,
  PTE_HI_KEY_SHIFT,
  PTE_HI_XD,
  PTE_P,
  PTE_RW,
  PTE_US,
  READ,
  SUPERVISOR,
  SUSPENDED,
  type TlbPolicy,
  USER,
  WRITE,
  type X86TranslationProfile,
} from "../../../mmu/index.ts";
import { CR0_DEFAULT, EFER_DEFAULT, OPEN, World } from "./world.ts";

/** A tiny geometry, so that evictions happen all the time. */
const TINY: X86TranslationProfile = {
  name: "tiny",
  source: "tests",
  l1d4k: { name: "L1D 4K", sets: 2, ways: 2 },
  l1d2m: { name: "L1D 2M", sets: 1, ways: 2 },
  l1d1g: { name: "L1D 1G", sets: 1, ways: 1 },
  l1i4k: { name: "L1I 4K", sets: 1, ways: 3 },
  l1i2m: { name: "L1I 2M", sets: 1, ways: 2 },
  stlb: { name: "STLB", sets: 2, ways: 3 },
  stlb1g: { name: "STLB 1G", sets: 1, ways: 1 },
  pml5e: { name: "PML5E", sets: 1, ways: 1 },
  pml4e: { name: "PML4E", sets: 1, ways: 1 },
  pdpte: { name: "PDPTE", sets: 1, ways: 2 },
  pde: { name: "PDE", sets: 2, ways: 1 },
  stlbHitCycles: 9,
  walkReadCycles: 8,
  updateCycles: 20,
};

/** Deterministic choices for a test. */
class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = (seed * 0x9e37_79b1) | 1;
  }
  below(bound: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % bound;
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }
}

interface PageOf {
  readonly lo: number;
  readonly hi: number;
  readonly shift: number;
}

const SMALL_PAGES: readonly PageOf[] = [
  0x40_0000, 0x40_1000, 0x40_2000, 0x60_0000, 0x60_1000, 0x4040_0000, 0x4060_1000,
].map((lo) => ({ lo, hi: 0, shift: 12 }));
/** 0x40_0000 + 512 pages shares its fast-TLB index; the negative one shares the low half. */
const PAGES: readonly PageOf[] = [
  ...SMALL_PAGES,
  { lo: 0x40_0000, hi: 1, shift: 12 },
  { lo: 0x40_0000, hi: -2, shift: 12 },
  { lo: 0x8000_0000 | 0, hi: 0, shift: 21 },
  { lo: 0xc000_0000 | 0, hi: 0, shift: 30 },
];

/** Every tag of the fast TLB must be a copy of a first-level entry that permits the access now. */
function expectSubset(world: World): void {
  const { unit, ram } = world;
  const entries = unit.cachedEntries();
  const { fast } = unit;
  for (let at = 0; at < FAST_WORDS; at += 8) {
    const regime: Privilege = at < FAST_REGIME_WORDS ? USER : SUPERVISOR;
    for (const tag of [FAST_READ, FAST_WRITE, FAST_EXEC]) {
      const lo = fast[at + tag];
      if (lo === FAST_INVALID) continue;
      const hi = fast[at + tag + 1];
      const pa = (lo + fast[at + FAST_ADDEND]) >>> 0;
      const prefix = tag === FAST_EXEC ? "L1I" : "L1D";
      const source = entries.find(
        (entry) =>
          entry.structure.startsWith(prefix) &&
          entry.hi === hi &&
          (lo & (-1 << entry.shift)) === entry.lo &&
          (entry.global || entry.pcid === unit.pcid) &&
          entry.frame * 4096 + (lo & ~(-1 << entry.shift)) === pa,
      );
      expect(source, `tag ${tag} of ${lo.toString(16)} has no first-level entry`).toBeDefined();
      if (tag === FAST_WRITE) {
        expect(source!.dirty).toBe(true);
        expect(ram.frameFlags[pa >>> 12]).toBe(FRAME_DIRTY);
      }
      if (tag === FAST_READ) expect(ram.frameFlags[pa >>> 12] & FRAME_WATCHED).toBe(0);
      const kind = tag === FAST_EXEC ? FETCH : tag === FAST_WRITE ? WRITE : READ;
      const before = unit.hash(0);
      expect(unit.translate(lo, hi, kind, regime)).toBe(DONE);
      expect(unit.pa).toBe(pa);
      expect(unit.hash(0)).toBe(before);
    }
  }
}

function randomLeaf(world: World, dice: Dice, page: PageOf, root: number): void {
  const flags = (dice.below(8) ? PTE_P : 0) | (dice.below(3) ? PTE_RW : 0) | (dice.below(3) ? PTE_US : 0);
  const flagsHi = (dice.below(4) ? 0 : PTE_HI_XD) | (dice.below(3) << PTE_HI_KEY_SHIFT);
  const frame = page.shift === 12 ? 0x800 + dice.below(0x40) : page.shift === 21 ? dice.below(4) * 0x200 : 0;
  world.map(page.lo, page.hi, frame, flags | (dice.below(4) ? 0 : PTE_G), flagsHi, page.shift, root);
}

test.each([
  { policy: "typical", seed: 1 },
  { policy: "typical", seed: 2 },
  { policy: "adversarial", seed: 3 },
  { policy: "adversarial", seed: 4 },
] as const)(
  "the fast TLB is a subset of the first level after any operation ($policy, seed $seed)",
  ({ policy, seed }) => {
    const world = new World({ profile: TINY, policy, seed });
    const { unit, ram } = world;
    const dice = new Dice(seed);
    const roots = [world.root, world.frame()];
    for (const root of roots) for (const page of PAGES) randomLeaf(world, dice, page, root);
    let wp = 1;
    let am = 0;
    let cr4 = CR4_PCIDE;
    const controls = (): void => {
      unit.setControls(
        (wp ? CR0_DEFAULT : CR0_DEFAULT & ~CR0_WP) | (am ? CR0_AM : 0),
        world.cr4(cr4),
        EFER_DEFAULT,
      );
    };
    controls();
    for (let step = 0; step < 6000; step++) {
      const page = dice.pick(PAGES);
      const root = dice.pick(roots);
      const lo = (page.lo + (dice.below(4) ? 0 : dice.below(2 ** (page.shift - 12)) * 4096)) | 0;
      switch (dice.below(24)) {
        case 0:
          randomLeaf(world, dice, page, root);
          break;
        case 1:
          unit.invlpg(lo, page.hi);
          break;
        case 2:
          unit.invpcid(dice.below(4), dice.below(2), lo, page.hi);
          break;
        case 3:
          unit.writeCr3(
            entryLo(root, (cr4 & CR4_PCIDE) !== 0 ? dice.below(3) : 0),
            entryHi(root, (cr4 & CR4_PCIDE) !== 0 && dice.below(2) ? CR3_HI_NO_FLUSH : 0),
          );
          break;
        case 4:
          cr4 ^= dice.pick([CR4_SMEP, CR4_SMAP, CR4_PKE]);
          controls();
          break;
        case 5:
          wp ^= 1;
          if (dice.below(3) === 0) am ^= 1;
          controls();
          break;
        case 6:
          unit.setAc(dice.below(2) as 0 | 1);
          break;
        case 7:
          unit.setPkru(dice.below(16));
          break;
        case 8:
          unit.speculate(lo, page.hi);
          unit.perturb();
          break;
        case 9: {
          // What a backend and the machine do when a frame starts to hold code, is watched, or is clean again.
          const frame = 0x800 + dice.below(0x40);
          ram.frameFlags[frame] = dice.pick([
            0,
            FRAME_CODE,
            FRAME_CODE | FRAME_DIRTY,
            FRAME_WATCHED,
            FRAME_DIRTY,
          ]);
          if (ram.frameFlags[frame] & FRAME_WATCHED) unit.emptyFast();
          else dropFastWrites(unit.fast, frame);
          break;
        }
        case 10:
          unit.emptyFast();
          break;
        default: {
          const kind = dice.below(3) as AccessKind;
          unit.translate(lo | dice.below(4096), page.hi, kind, dice.below(3) as Privilege);
        }
      }
      if (step % 7 === 0) expectSubset(world);
    }
  },
);

test("alignment checks keep user data pages out of the fast TLB, and implicit accesses never enter it", () => {
  const world = new World();
  world.map(0x40_0000, 0, world.frame(), OPEN);
  world.unit.setControls(CR0_DEFAULT | CR0_AM, world.cr4(), EFER_DEFAULT);
  const tags = () =>
    world.unit.fast.filter((word, i) => i % 8 < 6 && i % 2 === 0 && word !== FAST_INVALID).length;
  world.unit.setAc(1);
  world.unit.translate(0x40_0000, 0, WRITE, USER);
  expect(tags()).toBe(0);
  world.unit.translate(0x40_0000, 0, FETCH, USER);
  expect(tags()).toBe(1);
  world.unit.setAc(0);
  expect(tags()).toBe(0);
  world.unit.translate(0x40_0000, 0, READ, 2);
  expect(tags()).toBe(0);
  world.unit.translate(0x40_0000, 0, WRITE, USER);
  expect(tags()).toBe(2);
  world.unit.setAc(1);
  expect(tags()).toBe(0);
});

test("a first write marks its frame dirty and gets the tag; code keeps the write tag away", () => {
  const world = new World();
  const frame = world.frame();
  world.map(0x40_0000, 0, frame, OPEN);
  expect(world.ram.frameFlags[frame]).toBe(0);
  world.unit.translate(0x40_0000, 0, READ, USER);
  const write = () => world.unit.fast[(0x400 & 511) * 8 + FAST_WRITE];
  expect(write()).toBe(FAST_INVALID);
  world.unit.translate(0x40_0000, 0, WRITE, USER);
  expect(world.ram.frameFlags[frame]).toBe(FRAME_DIRTY);
  expect(write()).toBe(0x40_0000);
  world.ram.frameFlags[frame] |= FRAME_CODE;
  dropFastWrites(world.unit.fast, frame);
  world.unit.translate(0x40_0000, 0, WRITE, USER);
  expect(write()).toBe(FAST_INVALID);
});

/**
 * The translations that may be used: a page's leaf values since the last invalidation that covered it. Other levels
 * stay fixed here, so that the set is easy to state.
 */
test.each(["typical", "adversarial"] as const)(
  "no access uses a translation older than the last invalidation (%s)",
  (policy) => {
    let staleUses = 0;
    for (let seed = 1; seed <= 8; seed++) {
      const world = new World({ profile: TINY, policy, seed });
      const { unit } = world;
      const dice = new Dice(seed + 100);
      const allowed = new Map<number, Set<number>>();
      const write = (lo: number): void => {
        const frame = 0x800 + dice.below(0x400);
        world.map(lo, 0, frame, OPEN);
        if (!allowed.has(lo)) allowed.set(lo, new Set());
        allowed.get(lo)!.add(frame);
      };
      const current = (lo: number): number => world.ram.read32(world.slot(lo, 0, 1)) >>> 12;
      for (const { lo } of SMALL_PAGES) write(lo);
      for (let step = 0; step < 3000; step++) {
        const { lo } = dice.pick(SMALL_PAGES);
        switch (dice.below(8)) {
          case 0:
            write(lo);
            break;
          case 1:
            unit.invlpg(lo, 0);
            allowed.set(lo, new Set([current(lo)]));
            break;
          case 2:
            if (dice.below(10) === 0) {
              unit.writeCr3(unit.cr3Lo, unit.cr3Hi);
              for (const page of SMALL_PAGES) allowed.set(page.lo, new Set([current(page.lo)]));
            }
            break;
          case 3:
            unit.perturb();
            break;
          default: {
            expect(unit.translate(lo, 0, dice.below(3) as AccessKind, USER)).toBe(DONE);
            const used = Math.floor(unit.pa / 4096);
            expect(allowed.get(lo)!.has(used)).toBe(true);
            if (used !== current(lo)) staleUses++;
          }
        }
      }
    }
    // The test means something only if stale translations were used.
    expect(staleUses).toBeGreaterThan(100);
  },
);

/** One program of accesses, invalidations and foreign writes, run with or without suspension. */
function program(
  seed: number,
  policy: TlbPolicy,
  exploring: boolean,
): { hash: number; log: string; ram: string } {
  const world = new World({ profile: TINY, policy, seed });
  const { unit, budget } = world;
  const dice = new Dice(seed);
  for (const page of PAGES) randomLeaf(world, dice, page, world.root);
  budget.exploring = exploring;
  const log: string[] = [];
  for (let step = 0; step < 1500; step++) {
    const page = dice.pick(PAGES);
    const choice = dice.below(12);
    if (choice === 0) unit.invlpg(page.lo, page.hi);
    else if (choice === 1) randomLeaf(world, dice, page, world.root);
    else if (choice === 2) unit.perturb();
    else {
      const kind = dice.below(3) as AccessKind;
      const privilege = dice.below(3) as Privilege;
      budget.left = 0;
      let status = unit.translate(page.lo, page.hi, kind, privilege);
      let events = 0;
      while (status === SUSPENDED) {
        budget.left = 1 + (events++ % 3);
        status = unit.translate(page.lo, page.hi, kind, privilege);
      }
      log.push(status === DONE ? String(unit.pa) : unit.fault.cause + unit.fault.errorCode);
    }
  }
  return { hash: unit.hash(0), log: log.join(), ram: Buffer.from(world.ram.u8).toString("latin1") };
}

test.each(["typical", "adversarial"] as const)("a suspended run equals an unsuspended one (%s)", (policy) => {
  for (let seed = 1; seed <= 6; seed++) {
    const whole = program(seed, policy, false);
    const stepped = program(seed, policy, true);
    expect(stepped.log).toBe(whole.log);
    expect(stepped.hash).toBe(whole.hash);
    expect(stepped.ram === whole.ram).toBe(true);
    expect(program(seed, policy, false)).toEqual(whole);
  }
});

test("exploring runs put nothing into the fast TLB", () => {
  const world = new World();
  world.map(0x40_0000, 0, world.frame(), OPEN);
  world.budget.exploring = true;
  world.budget.left = 100;
  world.unit.translate(0x40_0000, 0, WRITE, USER);
  world.unit.translate(0x40_0000, 0, READ, USER);
  for (let at = 0; at < FAST_WORDS; at += 8) expect(world.unit.fast[at]).toBe(FAST_INVALID);
});

test("an abandoned walk leaves its A bits and nothing else, and another access may follow", () => {
  const world = new World();
  world.map(0x40_0000, 0, world.frame(), OPEN);
  world.map(0x60_0000, 0, world.frame(), OPEN);
  world.budget.exploring = true;
  world.budget.left = 3;
  expect(world.unit.translate(0x40_0000, 0, READ, USER)).toBe(SUSPENDED);
  expect(() => world.unit.translate(0x60_0000, 0, READ, USER)).toThrow("abandon");
  world.unit.abandon();
  world.budget.left = 100;
  expect(world.unit.translate(0x60_0000, 0, READ, USER)).toBe(DONE);
});

test("an invalidation by the core itself abandons its walk, so no older reading is filled", () => {
  const world = new World();
  const slot = world.map(0x40_0000, 0, world.frame(), OPEN);
  world.budget.exploring = true;
  world.budget.left = 8;
  expect(world.unit.translate(0x40_0000, 0, READ, USER)).toBe(SUSPENDED);
  const fresh = world.frame();
  world.write(slot, fresh, OPEN);
  world.unit.invlpg(0x40_0000, 0);
  world.budget.left = 100;
  expect(world.unit.translate(0x40_0000, 0, READ, USER)).toBe(DONE);
  expect(world.unit.pa).toBe(fresh * 4096);
});

test("saving and restoring the words restores the translation unit", () => {
  const world = new World({ profile: TINY, policy: "adversarial" });
  const dice = new Dice(9);
  for (const page of PAGES) randomLeaf(world, dice, page, world.root);
  const run = (): string[] => {
    const later = new Dice(10);
    return Array.from({ length: 400 }, () => {
      const page = later.pick(PAGES);
      world.unit.perturb();
      const status = world.unit.translate(
        page.lo,
        page.hi,
        later.below(3) as AccessKind,
        later.below(2) as Privilege,
      );
      return `${status} ${world.unit.pa} ${world.unit.hash(0)}`;
    });
  };
  run();
  const words = world.states[0].slice();
  const ram = world.ram.u8.slice();
  const first = run();
  world.states[0].set(words);
  world.ram.u8.set(ram);
  expect(run()).toEqual(first);
});
