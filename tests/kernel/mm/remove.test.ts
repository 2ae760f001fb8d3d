import { describe, expect, test } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import { EACCES, EINVAL } from "../../../kernel/errno.ts";
import { dropUsersOfMm, duplicateMm, madvise, mprotect, mremap } from "../../../kernel/mm/index.ts";
import { MADV_REMOVE } from "../../../kernel/mm/madvise.ts";
import { mmMmap, mmRssShmem } from "../../../kernel/mm/mm-struct.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED } from "../../../kernel/mm/mmap.ts";
import { shmemFirstVma } from "../../../kernel/mm/shmem.ts";
import { vmFile, vmNext, vmSharedNext } from "../../../kernel/mm/vma.ts";
import { findVma } from "../../../kernel/mm/vma-tree.ts";
import { type KPtr, NULL } from "../../../kernel/struct.ts";
import { brokenInvariant } from "./support/invariants.ts";
import { halves, inMm, load, MmMachine, mapPages, store, unmapPages } from "./support/mm-machine.ts";

const BASE = 0x7_0000_0000;
const READ_WRITE = 3;
const SHARED = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED;

function* remove(k: Context, page: number, pages: number): Work<number> {
  return yield* madvise(k, ...halves(page), ...halves(pages), MADV_REMOVE);
}

function* move(k: Context, from: number, to: number, pages: number): Work {
  const [lo, hi] = halves(from);
  const [newLo, newHi] = halves(to);
  const [oldLengthLo, oldLengthHi] = halves(pages);
  const lengths = { oldLengthLo, oldLengthHi, newLengthLo: oldLengthLo, newLengthHi: oldLengthHi };
  yield* mremap(k, { lo, hi, ...lengths, flags: 3, newLo, newHi });
}

/** The VMAs that an object's map has, and those of the address space that map it; both sorted. */
function mapOf(k: Context, object: KPtr): { map: KPtr[]; mapped: KPtr[] } {
  const map: KPtr[] = [];
  for (let vma = shmemFirstVma.get(k.ram, object); vma !== NULL; vma = vmSharedNext.get(k.ram, vma))
    map.push(vma);
  const mapped: KPtr[] = [];
  for (let vma = mmMmap.get(k.ram, k.task!.mm); vma !== NULL; vma = vmNext.get(k.ram, vma)) {
    if (vmFile.get(k.ram, vma) === object) mapped.push(vma);
  }
  return { map: map.sort(), mapped: mapped.sort() };
}

function run(work: (k: Context, machine: MmMachine) => Work): void {
  const machine = new MmMachine();
  machine.run((k) => work(k, machine));
  expect(machine.kernel.reports).toEqual([]);
  expect(machine.machine.ledger!.violations).toEqual([]);
}

describe("MADV_REMOVE", () => {
  test("takes the pages away from everybody who maps them, and zeros come back", () => {
    run(function* (k, machine) {
      const mm = k.task!.mm;
      yield* mapPages(k, BASE, 4, READ_WRITE, SHARED);
      for (let page = 0; page < 4; page++) yield* store(k, BASE + page, 10 + page);
      const child = yield* duplicateMm(k, mm);
      yield* inMm(k, child, function* () {
        for (let page = 0; page < 4; page++) expect(yield* load(k, BASE + page)).toBe(10 + page);
        expect(yield* remove(k, BASE + 1, 2)).toBe(0);
      });
      for (const each of [mm, child]) expect(mmRssShmem.get(k.ram, each)).toBe(2);
      for (const [page, value] of [10, 0, 0, 13].entries()) expect(yield* load(k, BASE + page)).toBe(value);
      yield* store(k, BASE + 1, 7);
      yield* inMm(k, child, function* () {
        expect(yield* load(k, BASE + 1)).toBe(7);
        expect(yield* load(k, BASE + 2)).toBe(0);
      });
      yield* dropUsersOfMm(k, child);
      expect(brokenInvariant(machine.memory, mm)).toBeNull();
    });
  });

  test("skips what the object never had, to the end of a large one", () => {
    run(function* (k) {
      const pages = 2 ** 21;
      yield* mapPages(k, BASE, pages, READ_WRITE, SHARED | 0x4000);
      yield* store(k, BASE, 1);
      yield* store(k, BASE + pages - 1, 2);
      expect(yield* remove(k, BASE, pages)).toBe(0);
      expect(yield* load(k, BASE + pages - 1)).toBe(0);
      expect(mmRssShmem.get(k.ram, k.task!.mm)).toBe(1);
    });
  });

  test("needs a shared mapping that may be written", () => {
    run(function* (k) {
      yield* mapPages(k, BASE, 1, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
      yield* mapPages(k, BASE + 2, 1, READ_WRITE, SHARED);
      yield* mprotect(k, ...halves(BASE + 2), ...halves(1), 1, -1);
      expect(yield* remove(k, BASE, 1)).toBe(-EINVAL);
      expect(yield* remove(k, BASE + 2, 1)).toBe(-EACCES);
    });
  });
});

describe("the map of a shared object", () => {
  test("has the VMAs that map it, after splits, merges, moves, forks and unmappings", () => {
    run(function* (k) {
      yield* mapPages(k, BASE, 8, READ_WRITE, SHARED);
      const object = vmFile.get(k.ram, findVma(k.ram, k.task!.mm, BASE));
      const same = (count: number): void => {
        const { map, mapped } = mapOf(k, object);
        expect(map).toEqual(mapped);
        expect(map.length).toBe(count);
      };
      same(1);
      yield* mprotect(k, ...halves(BASE + 2), ...halves(2), 1, -1);
      same(3);
      yield* mprotect(k, ...halves(BASE + 2), ...halves(2), READ_WRITE, -1);
      same(1);
      yield* move(k, BASE + 4, BASE + 64, 2);
      same(3);
      const child = yield* duplicateMm(k, k.task!.mm);
      expect(mapOf(k, object).map.length).toBe(6);
      yield* dropUsersOfMm(k, child);
      same(3);
      yield* unmapPages(k, BASE + 1, 1);
      same(4);
      yield* unmapPages(k, BASE + 2, 62);
      same(2);
    });
  });
});

describe("pages removed while others fault, move and unmap them", () => {
  test.each([1, 2, 3, 4, 5, 6])("leave nothing behind, seed %i", (seed) => {
    const machine = new MmMachine({ cpus: 3, scheduler: "random", seed });
    let ready = false;
    let done = 0;
    const begin = function* (k: Context): Work {
      while (!ready) if (k.point(100)) yield;
    };
    machine.run(
      function* (k: Context): Work {
        yield* mapPages(k, BASE, 8, READ_WRITE, SHARED);
        ready = true;
        for (let round = 0; round < 6; round++) yield* remove(k, BASE, 8);
        while (done < 2) if (k.point(100)) yield;
        expect(brokenInvariant(machine.memory, k.task!.mm)).toBeNull();
      },
      function* (k: Context): Work {
        yield* begin(k);
        for (let round = 0; round < 6; round++)
          for (let page = 0; page < 8; page++) yield* store(k, BASE + page, round);
        done++;
      },
      function* (k: Context): Work {
        yield* begin(k);
        for (let round = 0; round < 4; round++) {
          yield* move(k, BASE + 2, BASE + 32, 2);
          yield* store(k, BASE + 32, 1);
          yield* move(k, BASE + 32, BASE + 2, 2);
        }
        yield* unmapPages(k, BASE + 6, 2);
        done++;
      },
    );
    expect(machine.kernel.reports).toEqual([]);
    expect(machine.machine.ledger!.violations).toEqual([]);
  });
});
