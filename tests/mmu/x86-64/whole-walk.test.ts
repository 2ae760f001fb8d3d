/**
 * The walk in one go against the step machine. A ledger makes a unit walk step by step and changes nothing else, so two
 * worlds that differ in it must agree on every word, on RAM, on what observers are told, and on every result.
 */
import { describe, expect, test } from "vitest";
import {
  type AccessKind,
  CR3_HI_NO_FLUSH,
  CR4_PCIDE,
  CR4_PKE,
  CR4_SMAP,
  CR4_SMEP,
  DONE,
  entryHi,
  entryLo,
  type Privilege,
  PTE_A,
  PTE_D,
  PTE_G,
  PTE_HI_KEY_SHIFT,
  PTE_HI_XD,
  PTE_P,
  PTE_PS,
  PTE_RW,
  PTE_US,
  SKYLAKE,
  type TranslationObserver,
  type X86TranslationProfile,
} from "../../../mmu/index.ts";
import { ARRAYS, regionBit, S_LARGE, S_WALK } from "../../../mmu/x86-64/layout.ts";
import { CR0_DEFAULT, EFER_DEFAULT, World } from "./world.ts";

const ONE_SET: X86TranslationProfile = {
  ...SKYLAKE,
  name: "one set",
  source: "tests",
  l1d4k: { name: "L1D 4K", sets: 1, ways: 3 },
  l1i4k: { name: "L1I 4K", sets: 1, ways: 2 },
  stlb: { name: "STLB", sets: 2, ways: 3 },
  pml4e: { name: "PML4E", sets: 1, ways: 1 },
  pdpte: { name: "PDPTE", sets: 1, ways: 2 },
  pde: { name: "PDE", sets: 2, ways: 1 },
};

class Log implements TranslationObserver {
  readonly lines: string[] = [];
  fill(core: number, structure: number, lo: number, hi: number, frame: number): void {
    this.lines.push(`fill ${core} ${structure} ${hi}:${lo} ${frame}`);
  }
  evict(core: number, structure: number, lo: number, hi: number): void {
    this.lines.push(`evict ${core} ${structure} ${hi}:${lo}`);
  }
  invalidate(core: number, scope: string, lo: number, hi: number, entries: number): void {
    this.lines.push(`${scope} ${core} ${hi}:${lo} ${entries}`);
  }
}

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

/** Words but the walk records, whose content means nothing between walks. */
function lasting(words: Int32Array): Buffer {
  const kept = words.slice();
  kept.fill(0, S_WALK, ARRAYS);
  return Buffer.from(kept.buffer);
}

/** Tables: root 1, then 3 frames for each level below; data frames, and some beyond RAM. */
function randomEntry(below: (bound: number) => number, level: number, one: World): readonly [number, number] {
  const flags =
    (below(20) ? PTE_P : 0) |
    (below(4) ? PTE_RW : 0) |
    (below(4) ? PTE_US : 0) |
    (below(3) ? PTE_A : 0) |
    (below(3) ? PTE_D : 0) |
    (below(4) ? 0 : PTE_G) |
    (below(level === 1 ? 4 : 6) ? 0 : PTE_PS);
  const flagsHi = (below(4) ? 0 : PTE_HI_XD) | (below(3) << PTE_HI_KEY_SHIFT) | (below(80) ? 0 : 1 << 17);
  const isLarge = level > 1 && (flags & PTE_PS) !== 0;
  if (isLarge) return [entryLo(below(3) ? 0 : 8, flags), entryHi(0, flagsHi)];
  if (below(80) === 0) return [entryLo(one.ram.frames + below(9), flags), entryHi(0, flagsHi)];
  const frame = level === 1 ? 0x80 + below(0x40) : 0x10 * (level - 1) + below(3);
  return [entryLo(frame, flags), entryHi(below(99) ? 0 : 2 ** 32, flagsHi)];
}

const CASES = [SKYLAKE, ONE_SET].flatMap((profile) =>
  ([4, 5] as const).flatMap((levels) =>
    [1, 2, 3].map((seed) => ({ profile, name: profile.name, levels, seed })),
  ),
);

describe("a walk in one go leaves what the step machine leaves", () => {
  test.each(CASES)("$name, $levels levels, seed $seed", ({ profile, levels, seed }) => {
    const logs = [new Log(), new Log()];
    const worlds = logs.map(
      (observer, i) =>
        new World({ levels, profile, observer, ledger: i === 0 ? null : {}, ramBytes: 0x10_0000 }),
    );
    const [one, two] = worlds as [World, World];
    const below = dice(seed);
    const indices = [0, 1, 511];
    const write = (level: number, table: number, index: number): void => {
      const [lo, hi] = randomEntry(below, level, one);
      for (const { ram } of worlds) ram.write64(table * 4096 + index * 8, lo, hi);
    };
    const tables = (level: number): number[] =>
      level === levels ? [one.root] : [0, 1, 2].map((i) => 0x10 * level + i);
    for (let level = 1; level <= levels; level++) {
      for (const table of tables(level)) for (const index of indices) write(level, table, index);
    }
    let cr4 = CR4_PCIDE;
    const results = { done: 0, faults: 0 };
    for (let step = 0; step < 4000; step++) {
      const pick = (): number => indices[below(3)]!;
      const [pt, pd, pdpt, pml4, pml5] = [pick(), pick(), pick(), pick(), pick()];
      const lo = (pt << 12) | (pd << 21) | (pdpt << 30) | below(4096);
      const high = (pdpt >>> 2) | (pml4 << 7) | (levels === 5 ? pml5 << 16 : 0);
      const unused = levels === 5 ? 7 : 16;
      const hi = below(60) ? (high << unused) >> unused : high ^ 0x4000_0000;
      const kind = below(3) as AccessKind;
      const privilege = below(3) as Privilege;
      const choice = below(40);
      const pcid = below(2);
      const level = 1 + below(levels);
      if (choice < 4) write(level, tables(level)[below(tables(level).length)]!, pick());
      if (choice === 4) cr4 ^= [CR4_SMEP, CR4_SMAP, CR4_PKE][below(3)]!;
      const keep = below(4) ? CR3_HI_NO_FLUSH : 0;
      const ac = below(2) as 0 | 1;
      const statuses = worlds.map(({ unit, root }) => {
        if (choice === 4) unit.setControls(CR0_DEFAULT, one.cr4(cr4), EFER_DEFAULT);
        else if (choice === 5) unit.writeCr3(entryLo(root, pcid), entryHi(root, keep));
        else if (choice === 6) unit.invlpg(lo, hi);
        else if (choice === 7) unit.invpcid(pcid * 2, pcid, lo, hi);
        else if (choice === 8) unit.setAc(ac);
        else if (choice === 9) unit.setPkru(pcid * 6);
        return unit.translate(lo, hi, kind, privilege);
      });
      expect(statuses[0]).toBe(statuses[1]);
      if (statuses[0] === DONE) expect(one.unit.pa).toBe(two.unit.pa);
      else expect(JSON.stringify(one.unit.fault)).toBe(JSON.stringify(two.unit.fault));
      expect(one.unit.stallCycles).toBe(two.unit.stallCycles);
      if (statuses[0] === DONE) results.done++;
      else results.faults++;
      if (step % 50 === 0) {
        expect(Buffer.compare(one.ram.u8, two.ram.u8)).toBe(0);
        expect(lasting(one.states[0]!).equals(lasting(two.states[0]!))).toBe(true);
        expect(logs[0]!.lines.join("\n")).toBe(logs[1]!.lines.join("\n"));
        for (const log of logs) log.lines.length = 0;
        const large = one.states[0]![S_LARGE]!;
        const unseen = one.unit
          .cachedEntries()
          .filter((entry) => entry.shift !== 12 && (large & regionBit(entry.lo, entry.hi)) === 0);
        expect(unseen.filter((entry) => /^L1|^STLB/.test(entry.structure))).toEqual([]);
      }
    }
    expect(results.done).toBeGreaterThan(300);
    expect(results.faults).toBeGreaterThan(300);
  });
});
