import { describe, expect, test } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import { EEXIST, EINVAL, ENOMEM, EPERM } from "../../../kernel/errno.ts";
import { brk, mprotect, mremap } from "../../../kernel/mm/index.ts";
import { mmBrk, mmMapCount, mmMmapBase, mmRssAnon, mmStartBrk } from "../../../kernel/mm/mm-struct.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_GROWSDOWN,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
} from "../../../kernel/mm/mmap.ts";
import { vmStart } from "../../../kernel/mm/vma.ts";
import { findVma } from "../../../kernel/mm/vma-tree.ts";
import { halves, load, MmMachine, mapPages, store, unmapPages, userFault } from "./support/mm-machine.ts";

const PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS;
const FIXED = PRIVATE | MAP_FIXED;
const BASE = 0x7_0000_0000;
const WINDOW_END = 2 ** 35 - 1;

function run(work: (k: Context, machine: MmMachine) => Work, levels: 4 | 5 = 4): MmMachine {
  const machine = new MmMachine({ levels });
  machine.run((k) => work(k, machine));
  expect(machine.kernel.reports).toEqual([]);
  return machine;
}

describe("where mappings go", () => {
  test("without a hint: downwards from mmap_base, next to each other", () => {
    run(function* (k) {
      const base = mmMmapBase.get(k.ram, k.task!.mm);
      expect(yield* mapPages(k, 0, 3, 3, PRIVATE)).toBe(base - 3);
      expect(yield* mapPages(k, 0, 2, 1, PRIVATE)).toBe(base - 5);
      yield* unmapPages(k, base - 3, 3);
      // The lowest gap that fits is not taken, the highest is.
      expect(yield* mapPages(k, 0, 2, 3, PRIVATE)).toBe(base - 2);
      expect(yield* mapPages(k, 0, 2, 3, PRIVATE)).toBe(base - 7);
    });
  });

  test("a hint is taken if it is free, and is only a hint if it is not", () => {
    run(function* (k) {
      expect(yield* mapPages(k, BASE, 4, 3, PRIVATE)).toBe(BASE);
      expect(yield* mapPages(k, BASE + 4, 4, 1, PRIVATE)).toBe(BASE + 4);
      const elsewhere = yield* mapPages(k, BASE + 6, 4, 3, PRIVATE);
      expect(elsewhere).toBe(mmMmapBase.get(k.ram, k.task!.mm) - 4);
      expect(yield* mapPages(k, 3, 1, 1, PRIVATE)).toBe(16);
    });
  });

  test.each([
    ["below 2^47 though the hint is free above", 4, 2 ** 43, (page: number) => page < WINDOW_END],
    ["at a hint above 2^47", 5, 2 ** 43, (page: number) => page === 2 ** 43],
    ["at a hint above 2^53", 5, 2 ** 43 + 12345, (page: number) => page === 2 ** 43 + 12345],
    ["below 2^47 if the hint is below", 5, BASE, (page: number) => page === BASE],
    ["below 2^47 without a hint", 5, 0, (page: number) => page < WINDOW_END],
  ] as const)("%s", (_name, levels, hint, holds) => {
    run(function* (k) {
      const page = yield* mapPages(k, hint, 2, 3, PRIVATE);
      expect(page).toBeGreaterThan(0);
      expect(holds(page)).toBe(true);
      expect(yield* store(k, page + 1, 5)).toBe(true);
      expect(yield* load(k, page + 1)).toBe(5);
    }, levels);
  });

  test("a hint above the window that is taken leads to the top of the upper part", () => {
    run(function* (k) {
      const first = yield* mapPages(k, 2 ** 43, 2, 3, PRIVATE);
      const second = yield* mapPages(k, 2 ** 43 + 1, 2, 1, PRIVATE);
      expect(first).toBe(2 ** 43);
      expect(second).toBeGreaterThan(2 ** 43);
    }, 5);
  });

  test("MAP_FIXED_NOREPLACE refuses what MAP_FIXED replaces", () => {
    run(function* (k) {
      yield* mapPages(k, BASE, 4, 3, FIXED);
      yield* store(k, BASE + 1, 7);
      expect(yield* mapPages(k, BASE + 3, 2, 3, PRIVATE | MAP_FIXED_NOREPLACE)).toBe(-EEXIST);
      expect(yield* mapPages(k, BASE + 4, 2, 3, PRIVATE | MAP_FIXED_NOREPLACE)).toBe(BASE + 4);
      expect(yield* load(k, BASE + 1)).toBe(7);
      expect(yield* mapPages(k, BASE + 1, 1, 3, FIXED)).toBe(BASE + 1);
      expect(yield* load(k, BASE + 1)).toBe(0);
    });
  });

  test.each([
    ["length 0", 0, 0, PRIVATE, -EINVAL],
    ["neither private nor shared", BASE, 1, MAP_ANONYMOUS, -EINVAL],
    ["both", BASE, 1, MAP_ANONYMOUS | 3, -EINVAL],
    ["a shared mapping that grows", BASE, 1, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -EINVAL],
    ["fixed at page 0", 0, 1, FIXED, -EPERM],
    ["fixed past user space", WINDOW_END, 1, FIXED, -ENOMEM],
    ["fixed across its end", WINDOW_END - 1, 2, FIXED, -ENOMEM],
    ["longer than user space", 0, 2 ** 36, PRIVATE, -ENOMEM],
    ["more than there is memory", 0, 2 ** 30, PRIVATE, -ENOMEM],
    ["the same shared", 0, 2 ** 30, MAP_SHARED | MAP_ANONYMOUS, -ENOMEM],
  ] as const)("mmap error: %s", (_name, page, pages, flags, expected) => {
    run(function* (k) {
      expect(yield* mapPages(k, page, pages, 3, flags)).toBe(expected);
    });
  });

  test("without a reservation or without writing more may be mapped than there is", () => {
    run(function* (k) {
      expect(yield* mapPages(k, 0, 2 ** 30, 3, PRIVATE | MAP_NORESERVE)).toBeGreaterThan(0);
      expect(yield* mapPages(k, 0, 2 ** 30, 1, PRIVATE)).toBeGreaterThan(0);
    });
  });

  test("MAP_POPULATE has the pages there before the first access", () => {
    run(function* (k) {
      yield* mapPages(k, BASE, 5, 3, FIXED | MAP_POPULATE);
      expect(mmRssAnon.get(k.ram, k.task!.mm)).toBe(5);
    });
  });
});

describe("merging", () => {
  test("neighbours with equal rights become one, rights set equal again merge again", () => {
    run(function* (k) {
      const { mm } = k.task!;
      yield* mapPages(k, BASE, 2, 3, FIXED);
      yield* mapPages(k, BASE + 4, 2, 3, FIXED);
      expect(mmMapCount.get(k.ram, mm)).toBe(2);
      yield* mapPages(k, BASE + 2, 2, 3, FIXED);
      expect(mmMapCount.get(k.ram, mm)).toBe(1);
      yield* store(k, BASE, 1);
      yield* mprotect(k, ...halves(BASE + 2), ...halves(2), 1, -1);
      expect(mmMapCount.get(k.ram, mm)).toBe(3);
      yield* mprotect(k, ...halves(BASE + 2), ...halves(2), 3, -1);
      expect(mmMapCount.get(k.ram, mm)).toBe(1);
      yield* mprotect(k, ...halves(BASE), ...halves(2), 1, -1);
      yield* mprotect(k, ...halves(BASE + 2), ...halves(2), 1, -1);
      expect(mmMapCount.get(k.ram, mm)).toBe(2);
    });
  });

  test("a mapping that grows in place stays one", () => {
    run(function* (k) {
      yield* mapPages(k, BASE, 2, 3, FIXED);
      yield* store(k, BASE + 1, 9);
      const [lo, hi] = halves(BASE);
      const [oldLengthLo, oldLengthHi] = halves(2);
      const [newLengthLo, newLengthHi] = halves(6);
      const request = {
        lo,
        hi,
        oldLengthLo,
        oldLengthHi,
        newLengthLo,
        newLengthHi,
        flags: 0,
        newLo: 0,
        newHi: 0,
      };
      expect(yield* mremap(k, request)).toBe(BASE);
      expect(mmMapCount.get(k.ram, k.task!.mm)).toBe(1);
      expect(yield* load(k, BASE + 1)).toBe(9);
      expect(yield* load(k, BASE + 5)).toBe(0);
    });
  });
});

describe("the break", () => {
  test("grows by whole pages, shrinks, and stays where it cannot move", () => {
    run(function* (k) {
      const { mm } = k.task!;
      const start = 0x4000_0000;
      mmStartBrk.set(k.ram, mm, start);
      mmBrk.set(k.ram, mm, start);
      expect(yield* brk(k, 0)).toBe(start);
      expect(yield* brk(k, start + 10_000)).toBe(start + 10_000);
      expect(yield* store(k, start / 4096 + 2, 1)).toBe(true);
      expect(yield* store(k, start / 4096 + 3, 1)).toBe(false);
      expect(yield* brk(k, start - 1)).toBe(start + 10_000);
      expect(yield* brk(k, start + 100)).toBe(start + 100);
      expect(yield* store(k, start / 4096 + 1, 1)).toBe(false);
      yield* mapPages(k, start / 4096 + 8, 1, 3, FIXED);
      expect(yield* brk(k, start + 9 * 4096)).toBe(start + 100);
      expect(yield* brk(k, start + 7 * 4096)).toBe(start + 7 * 4096);
    });
  });
});

describe("a stack", () => {
  const STACK = PRIVATE | MAP_FIXED | MAP_GROWSDOWN;

  test("grows down to the faulting page, and no further", () => {
    const machine = run(function* (k) {
      yield* mapPages(k, BASE, 2, 3, STACK);
      yield* userFault(k, BASE - 20, "write");
      const vma = findVma(k.ram, k.task!.mm, BASE);
      expect(vmStart.get(k.ram, vma)).toBe(BASE - 20);
      expect(yield* load(k, BASE - 1)).toBe(0);
    });
    expect(machine.signals).toEqual([]);
  });

  test("does not grow into the guard gap of what lies below", () => {
    const machine = run(function* (k) {
      yield* mapPages(k, BASE - 300, 4, 3, FIXED);
      yield* mapPages(k, BASE, 2, 3, STACK);
      yield* userFault(k, BASE - 40, "write");
      expect(stackStart(k)).toBe(BASE - 40);
      yield* userFault(k, BASE - 41, "write");
      expect(stackStart(k)).toBe(BASE - 40);
    });
    expect(machine.signals.map(({ signo, code }) => [signo, code])).toEqual([[11, 1]]);
  });

  test("may not be placed so close that the gap is gone, and mmap keeps clear of it", () => {
    run(function* (k) {
      yield* mapPages(k, BASE, 2, 3, STACK);
      // A hint inside the gap is not taken.
      expect(yield* mapPages(k, BASE - 100, 2, 3, PRIVATE)).not.toBe(BASE - 100);
      expect(yield* mapPages(k, BASE - 258, 2, 3, PRIVATE)).toBe(BASE - 258);
    });
  });

  function stackStart(k: Context): number {
    return vmStart.get(k.ram, findVma(k.ram, k.task!.mm, BASE));
  }
});
