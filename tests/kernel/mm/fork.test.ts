import { describe, expect, test } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import type { FaultDesign } from "../../../kernel/mm/designs/design.ts";
import { Classic, SpfMm } from "../../../kernel/mm/designs/index.ts";
import { dropUsersOfMm, duplicateMm, madvise } from "../../../kernel/mm/index.ts";
import { MADV_DONTFORK, MADV_WIPEONFORK } from "../../../kernel/mm/madvise.ts";
import { mmRssAnon, mmRssShmem, mmTotalVm } from "../../../kernel/mm/mm-struct.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED } from "../../../kernel/mm/mmap.ts";
import { pageMapcount, pageRefcount } from "../../../kernel/mm/page.ts";
import { findPteSlot } from "../../../kernel/mm/page-table.ts";
import { anonMappings } from "../../../kernel/mm/rmap.ts";
import { COW_COPY, COW_REUSE } from "../../../kernel/mm/vm-events.ts";
import { vmMm } from "../../../kernel/mm/vma.ts";
import { type KPtr, NULL } from "../../../kernel/struct.ts";
import { brokenInvariant } from "./support/invariants.ts";
import { halves, inMm, load, MmMachine, mapPages, store } from "./support/mm-machine.ts";

const BASE = 0x7_0000_0000;
const READ_WRITE = 3;
const PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS;
const SHARED = MAP_SHARED | MAP_ANONYMOUS;
const DESIGNS: readonly [string, () => FaultDesign][] = [
  ["classic", () => new Classic()],
  ["spf-mm", () => new SpfMm()],
];

/** struct page that an address maps. */
function pageAt(machine: MmMachine, mm: KPtr, page: number): KPtr {
  const { memory } = machine;
  const slot = findPteSlot(memory, mm, page);
  const lo = memory.ram.read32(slot);
  return memory.frames.map.page(memory.format.frame(lo, memory.ram.read32(slot + 4)));
}

describe.each(DESIGNS)("fork under %s", (_name, design) => {
  test("parent and child see their own stores and the values of before", () => {
    const machine = new MmMachine({ design: design() });
    machine.run(function* (k: Context): Work {
      yield* mapPages(k, BASE, 4, READ_WRITE, PRIVATE);
      for (let page = 0; page < 3; page++) yield* store(k, BASE + page, 100 + page);
      const child = yield* duplicateMm(k, k.task!.mm);
      expect(child).not.toBe(NULL);
      yield* store(k, BASE, 1);
      yield* inMm(k, child, function* () {
        expect(yield* load(k, BASE)).toBe(100);
        yield* store(k, BASE + 1, 2);
        yield* store(k, BASE + 3, 3);
      });
      expect(yield* load(k, BASE)).toBe(1);
      expect(yield* load(k, BASE + 1)).toBe(101);
      expect(yield* load(k, BASE + 2)).toBe(102);
      expect(yield* load(k, BASE + 3)).toBe(0);
      yield* dropUsersOfMm(k, child);
    });
    expect(machine.kernel.reports).toEqual([]);
    expect(machine.machine.ledger!.violations).toEqual([]);
  });

  test("a page is copied while both map it and taken over when one is left", () => {
    const machine = new MmMachine({ design: design() });
    const { events } = machine.memory;
    machine.run(function* (k: Context): Work {
      yield* mapPages(k, BASE, 2, READ_WRITE, PRIVATE);
      yield* store(k, BASE, 1);
      yield* store(k, BASE + 1, 2);
      const child = yield* duplicateMm(k, k.task!.mm);
      const shared = pageAt(machine, child, BASE);
      expect(pageRefcount.get(k.ram, shared)).toBe(2);
      expect(pageMapcount.get(k.ram, shared)).toBe(1);
      const copies = events.total(COW_COPY);
      yield* store(k, BASE, 3);
      expect(events.total(COW_COPY)).toBe(copies + 1);
      expect(pageRefcount.get(k.ram, shared)).toBe(1);
      expect(pageMapcount.get(k.ram, shared)).toBe(0);
      yield* dropUsersOfMm(k, child);
      const reuses = events.total(COW_REUSE);
      yield* store(k, BASE + 1, 4);
      expect(events.total(COW_REUSE)).toBe(reuses + 1);
      expect(events.total(COW_COPY)).toBe(copies + 1);
    });
    expect(machine.kernel.reports).toEqual([]);
  });

  test("the reverse map leads from a page to every address space that maps it", () => {
    const machine = new MmMachine({ design: design() });
    machine.run(function* (k: Context): Work {
      yield* mapPages(k, BASE, 4, READ_WRITE, PRIVATE);
      yield* store(k, BASE + 2, 7);
      const mms = [k.task!.mm];
      for (let generation = 0; generation < 3; generation++) {
        mms.push(yield* duplicateMm(k, mms[generation]!));
      }
      const page = pageAt(machine, k.task!.mm, BASE + 2);
      const found = anonMappings(k.ram, page);
      expect(found.map(({ page: at }) => at)).toEqual([BASE + 2, BASE + 2, BASE + 2, BASE + 2]);
      expect(new Set(found.map(({ vma }) => vmMm.get(k.ram, vma)))).toEqual(new Set(mms));
      // The child's own page leads to its own VMA and to those of its children alone.
      yield* inMm(k, mms[2]!, () => store(k, BASE + 2, 8));
      const own = anonMappings(k.ram, pageAt(machine, mms[2]!, BASE + 2));
      expect(new Set(own.map(({ vma }) => vmMm.get(k.ram, vma)))).toEqual(new Set([mms[2], mms[3]]));
      for (const mm of mms) expect(brokenInvariant(machine.memory, mm)).toBeNull();
      for (const mm of mms.slice(1)) yield* dropUsersOfMm(k, mm);
      expect(anonMappings(k.ram, page).map(({ vma }) => vmMm.get(k.ram, vma))).toEqual([mms[0]]);
    });
    expect(machine.kernel.reports).toEqual([]);
  });

  test("shared memory stays one memory", () => {
    const machine = new MmMachine({ design: design() });
    machine.run(function* (k: Context): Work {
      yield* mapPages(k, BASE, 3, READ_WRITE, SHARED);
      yield* store(k, BASE, 1);
      const child = yield* duplicateMm(k, k.task!.mm);
      yield* inMm(k, child, function* () {
        expect(yield* load(k, BASE)).toBe(1);
        yield* store(k, BASE + 1, 2);
        yield* store(k, BASE, 5);
      });
      expect(yield* load(k, BASE)).toBe(5);
      expect(yield* load(k, BASE + 1)).toBe(2);
      expect(mmRssShmem.get(k.ram, child)).toBe(2);
      expect(mmRssAnon.get(k.ram, child)).toBe(0);
      yield* dropUsersOfMm(k, child);
      expect(yield* load(k, BASE + 1)).toBe(2);
    });
    expect(machine.kernel.reports).toEqual([]);
    expect(machine.memory.shmemCache.inUse).toBe(0);
  });

  test("MADV_DONTFORK leaves a mapping out, MADV_WIPEONFORK gives the child zeroes", () => {
    const machine = new MmMachine({ design: design() });
    machine.run(function* (k: Context): Work {
      yield* mapPages(k, BASE, 3, READ_WRITE, PRIVATE);
      for (let page = 0; page < 3; page++) yield* store(k, BASE + page, 9);
      yield* madvise(k, ...halves(BASE), ...halves(1), MADV_DONTFORK);
      yield* madvise(k, ...halves(BASE + 1), ...halves(1), MADV_WIPEONFORK);
      const child = yield* duplicateMm(k, k.task!.mm);
      yield* inMm(k, child, function* () {
        expect(yield* load(k, BASE)).toBeNull();
        expect(yield* load(k, BASE + 1)).toBe(0);
        expect(yield* load(k, BASE + 2)).toBe(9);
      });
      expect(mmTotalVm.get(k.ram, child)).toBe(2);
      yield* dropUsersOfMm(k, child);
    });
    expect(machine.kernel.reports).toEqual([]);
  });

  test("memory that runs out in the middle leaves nothing behind", () => {
    const machine = new MmMachine({ design: design(), memoryMb: 8 });
    machine.run(function* (k: Context): Work {
      yield* mapPages(k, BASE, 64, READ_WRITE, PRIVATE);
      for (let page = 0; page < 64; page++) yield* store(k, BASE + page, page);
      const { frames } = machine.memory;
      const held: KPtr[] = [];
      for (let keep = 12; keep >= 0; keep -= 2) {
        while (machine.freeFrames() > keep) {
          const page = yield* frames.allocate(k, 0);
          if (page === NULL) break;
          held.push(page);
        }
        const before = machine.freeFrames();
        const child = yield* duplicateMm(k, k.task!.mm);
        if (child !== NULL) yield* dropUsersOfMm(k, child);
        expect(machine.freeFrames()).toBeGreaterThanOrEqual(before - 4);
      }
      for (const page of held) yield* frames.freeOrder(k, page, 0);
      for (let page = 0; page < 64; page++) expect(yield* load(k, BASE + page)).toBe(page);
    });
    expect(machine.kernel.reports).toEqual([]);
  });
});
