import { describe, expect, test } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import { spinIsLocked } from "../../../kernel/locking/index.ts";
import { GATHER_BUNDLE } from "../../../kernel/mm/gather.ts";
import { mmTlbFlushPending } from "../../../kernel/mm/mm-struct.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_POPULATE, MAP_PRIVATE, MAP_SHARED } from "../../../kernel/mm/mmap.ts";
import { ptlOf, walkToPmd } from "../../../kernel/mm/page-table.ts";
import { MmMachine, mapPages, store, unmapPages } from "./support/mm-machine.ts";

const BASE = 0x7_0000_0000;
const POPULATED = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE;

interface Flush {
  readonly start: number;
  readonly end: number;
  readonly tables: string;
  /** The lock of the table that is being cleared was held. */
  readonly locked: boolean;
  /** Frames free at that moment: pages of the flushed range are not among them. */
  readonly free: number;
}

/** Unmaps `pages` pages with or without memory for batch pages; the flushes that it took. */
function flushesOf(pages: number, batches: "available" | "refused"): { flushes: Flush[]; freed: number } {
  const machine = new MmMachine();
  const flushes: Flush[] = [];
  let freed = 0;
  machine.run(function* (k: Context): Work {
    yield* mapPages(k, BASE, pages, 3, POPULATED);
    const ptl = ptlOf(machine.memory, yield* walkToPmd(k, k.task!.mm, BASE));
    const before = machine.freeFrames();
    if (batches === "refused") machine.memory.frames.failFallible = () => true;
    const { mmu } = machine;
    const flush = mmu.flushRange.bind(mmu);
    mmu.flushRange = function* (context, mm, start, end, level, tables): Work {
      flushes.push({
        start: start - BASE,
        end: end - BASE,
        tables,
        locked: spinIsLocked(k, ptl),
        free: machine.freeFrames(),
      });
      yield* flush(context, mm, start, end, level, tables);
    };
    yield* unmapPages(k, BASE, pages);
    mmu.flushRange = flush;
    freed = machine.freeFrames() - before;
    for (const { free } of flushes.slice(0, 1)) expect(free).toBeLessThanOrEqual(before);
  });
  expect(machine.kernel.reports).toEqual([]);
  expect(machine.machine.ledger!.violations).toEqual([]);
  return { flushes, freed };
}

describe("mmu_gather", () => {
  test("few pages and their tables are flushed once, together", () => {
    const { flushes, freed } = flushesOf(3, "available");
    expect(flushes.map(({ start, end, tables }) => ({ start, end, tables }))).toEqual([
      { start: expect.any(Number), end: 3, tables: "tables-freed" },
    ]);
    expect(freed).toBeGreaterThanOrEqual(3 + 3);
  });

  test("a batch page takes the pages beyond the first eight", () => {
    const { flushes } = flushesOf(40, "available");
    expect(flushes.length).toBe(1);
  });

  test("without a batch page every eight pages are flushed, under the table's lock", () => {
    const { flushes } = flushesOf(GATHER_BUNDLE * 3 + 2, "refused");
    const early = flushes.slice(0, 3);
    expect(early.map(({ start, end, locked }) => [start, end, locked])).toEqual([
      [0, 8, true],
      [8, 16, true],
      [16, 24, true],
    ]);
    expect(early.every(({ tables }) => tables === "tables-kept")).toBe(true);
    // Nothing of the eight pages is free before their flush.
    expect(early[1]!.free - early[0]!.free).toBe(GATHER_BUNDLE);
    expect(flushes.length).toBe(4);
  });

  test("dirty shared pages are flushed under the table's lock, all of a table at once", () => {
    const machine = new MmMachine();
    const flushes: [number, number, boolean][] = [];
    machine.run(function* (k: Context): Work {
      yield* mapPages(k, BASE, 6, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED);
      for (let page = 0; page < 6; page++) expect(yield* store(k, BASE + page, page)).toBe(true);
      const ptl = ptlOf(machine.memory, yield* walkToPmd(k, k.task!.mm, BASE));
      const { mmu } = machine;
      const flush = mmu.flushRange.bind(mmu);
      mmu.flushRange = function* (context, mm, start, end, level, tables): Work {
        if (tables === "tables-kept") flushes.push([start - BASE, end - BASE, spinIsLocked(k, ptl)]);
        yield* flush(context, mm, start, end, level, tables);
      };
      yield* unmapPages(k, BASE, 6);
      mmu.flushRange = flush;
    });
    expect(machine.kernel.reports).toEqual([]);
    expect(flushes).toEqual([[0, 6, true]]);
  });

  test("a batch page serves again after a flush in between, and is given back at the end", () => {
    const machine = new MmMachine();
    const TABLE = 512;
    let asked = 0;
    machine.run(function* (k: Context): Work {
      yield* mapPages(k, BASE, 2 * TABLE, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED);
      for (let page = 0; page < 20; page++) {
        yield* store(k, BASE + page, page);
        yield* store(k, BASE + TABLE + page, page);
      }
      const { frames } = machine.memory;
      frames.failFallible = () => {
        asked++;
        return false;
      };
      const before = machine.freeFrames();
      yield* unmapPages(k, BASE, 2 * TABLE);
      expect(machine.freeFrames()).toBeGreaterThanOrEqual(before + 40);
    });
    expect(asked).toBe(1);
    expect(machine.kernel.reports).toEqual([]);
  });

  test("a gather that ends while another is open flushes everything, for what it found empty", () => {
    const machine = new MmMachine();
    machine.run(function* (k: Context): Work {
      const mm = k.task!.mm;
      yield* mapPages(k, BASE, 2, 3, POPULATED);
      const calls: [number, number, string][] = [];
      const { mmu } = machine;
      const flush = mmu.flushRange.bind(mmu);
      mmu.flushRange = function* (context, which, start, end, level, tables): Work {
        calls.push([start, end, tables]);
        yield* flush(context, which, start, end, level, tables);
      };
      mmTlbFlushPending.add(k.ram, mm, 1);
      yield* unmapPages(k, BASE, 1);
      mmTlbFlushPending.add(k.ram, mm, -1);
      expect(calls).toEqual([[0, 0, "tables-freed"]]);
      mmu.flushRange = flush;
    });
    expect(machine.kernel.reports).toEqual([]);
  });
});
