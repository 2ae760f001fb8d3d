import { describe, expect, test } from "vitest";
import type { X86Cpu } from "../../../emu/hardware.ts";
import type { Context, Work } from "../../../kernel/context.ts";
import { EAGAIN, EINVAL, ENOMEM } from "../../../kernel/errno.ts";
import { dropUsersOfMm, duplicateMm, madvise } from "../../../kernel/mm/index.ts";
import { MAX_MAP_COUNT } from "../../../kernel/mm/limits.ts";
import * as advices from "../../../kernel/mm/madvise.ts";
import { mmMapCount, mmRssAnon } from "../../../kernel/mm/mm-struct.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED } from "../../../kernel/mm/mmap.ts";
import { findPteSlot, NO_SLOT } from "../../../kernel/mm/page-table.ts";
import { PGFAULT, PGLAZYFREE } from "../../../kernel/mm/vm-events.ts";
import { VM_DONTEXPAND, vmFlags, vmFlagsHi } from "../../../kernel/mm/vma.ts";
import { findVma } from "../../../kernel/mm/vma-tree.ts";
import { halves, inMm, load, MmMachine, mapPages, store, unmapPages } from "./support/mm-machine.ts";

const BASE = 0x7_0000_0000;
const FIXED = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
const SHARED = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED;

function run(work: (k: Context, machine: MmMachine) => Work): void {
  const machine = new MmMachine();
  machine.run((k) => work(k, machine));
  expect(machine.kernel.reports).toEqual([]);
}

function* advise(k: Context, page: number, pages: number, advice: number): Work<number> {
  return yield* madvise(k, ...halves(page), ...halves(pages), advice);
}

type Entry = "absent" | { readonly young: boolean; readonly writable: boolean };

function entryOf({ memory }: MmMachine, k: Context, page: number): Entry {
  const slot = findPteSlot(memory, k.task!.mm, page);
  const { format, ram } = memory;
  if (slot === NO_SLOT || !format.isPresent(ram.read32(slot), ram.read32(slot + 4))) return "absent";
  const entry = [ram.read32(slot), ram.read32(slot + 4)] as const;
  return { young: format.isYoung(...entry), writable: format.isWritable(...entry) };
}

/** What Linux 6.18 answered on an x86-64 host, except that it has what these advices need: see the last group. */
describe("what madvise answers", () => {
  const PLAIN = [0, 1, 2, 3, 4, 10, 11, 16, 17, 19, 20, 21] as const;
  const rows: [advice: number, priv: number, hole: number, shared: number, none: number][] = [
    ...PLAIN.map((advice): [number, number, number, number, number] => [advice, 0, -ENOMEM, 0, 0]),
    [8, 0, -ENOMEM, -EINVAL, 0],
    [18, 0, -ENOMEM, -EINVAL, 0],
    [22, 0, -ENOMEM, 0, -EINVAL],
    [23, 0, -ENOMEM, 0, -EINVAL],
    [9, -EINVAL, -EINVAL, 0, -EINVAL],
    ...[5, 6, 7, 26, 100, -1].map((advice): [number, number, number, number, number] => [
      ...([advice, -EINVAL, -EINVAL, -EINVAL, -EINVAL] as const),
    ]),
    // Without KSM, huge pages and memory failure.
    ...[12, 13, 14, 15, 101].map((advice): [number, number, number, number, number] => [
      ...([advice, -EINVAL, -EINVAL, -EINVAL, -EINVAL] as const),
    ]),
  ];

  test.each(rows)(
    "advice %i: private %i, across a hole %i, shared %i, PROT_NONE %i",
    (advice, ...expected) => {
      run(function* (k) {
        yield* mapPages(k, BASE, 10, 3, FIXED);
        yield* unmapPages(k, BASE + 4, 1);
        yield* mapPages(k, BASE + 20, 1, 3, SHARED);
        yield* mapPages(k, BASE + 30, 1, 0, FIXED);
        const got: number[] = [];
        for (const [page, pages] of [
          [BASE, 1],
          [BASE + 3, 3],
          [BASE + 20, 1],
          [BASE + 30, 1],
        ] as const) {
          got.push(yield* advise(k, page, pages, advice));
        }
        expect(got).toEqual(expected);
      });
    },
  );

  test("an address inside a page and a length that wraps are -EINVAL, no length is nothing", () => {
    run(function* (k) {
      yield* mapPages(k, BASE, 1, 3, FIXED);
      const [lo, hi] = halves(BASE);
      expect(yield* madvise(k, lo + 1, hi, 4096, 0, advices.MADV_COLD)).toBe(-EINVAL);
      expect(yield* madvise(k, lo, hi, -1, -1, advices.MADV_COLD)).toBe(-EINVAL);
      expect(yield* madvise(k, ...halves(BASE + 9), 0, 0, advices.MADV_COLD)).toBe(0);
    });
  });

  test("no room for another VMA is -EAGAIN", () => {
    run(function* (k) {
      const { mm } = k.task!;
      yield* mapPages(k, BASE, 3, 3, FIXED);
      const count = mmMapCount.get(k.ram, mm);
      mmMapCount.set(k.ram, mm, MAX_MAP_COUNT);
      expect(yield* advise(k, BASE + 1, 1, advices.MADV_DONTFORK)).toBe(-EAGAIN);
      mmMapCount.set(k.ram, mm, count);
    });
  });
});

describe("what madvise does", () => {
  test("advice that is kept splits a VMA, and taking it back merges it again", () => {
    run(function* (k) {
      const { mm } = k.task!;
      yield* mapPages(k, BASE, 3, 3, FIXED);
      for (const [keep, drop] of [
        [advices.MADV_DONTFORK, advices.MADV_DOFORK],
        [advices.MADV_WIPEONFORK, advices.MADV_KEEPONFORK],
        [advices.MADV_DONTDUMP, advices.MADV_DODUMP],
        [advices.MADV_RANDOM, advices.MADV_NORMAL],
      ] as const) {
        expect(yield* advise(k, BASE + 1, 1, keep)).toBe(0);
        expect(mmMapCount.get(k.ram, mm)).toBe(3);
        expect(yield* advise(k, BASE + 1, 1, drop)).toBe(0);
        expect(mmMapCount.get(k.ram, mm)).toBe(1);
      }
      const vma = findVma(k.ram, mm, BASE);
      vmFlags.set(k.ram, vma, vmFlags.get(k.ram, vma) | VM_DONTEXPAND);
      expect(yield* advise(k, BASE, 3, advices.MADV_DODUMP)).toBe(-EINVAL);
    });
  });

  test("DOFORK and KEEPONFORK give a child what DONTFORK and WIPEONFORK would not", () => {
    run(function* (k) {
      yield* mapPages(k, BASE, 2, 3, FIXED);
      for (let page = 0; page < 2; page++) yield* store(k, BASE + page, 9);
      yield* advise(k, BASE, 1, advices.MADV_DONTFORK);
      yield* advise(k, BASE + 1, 1, advices.MADV_WIPEONFORK);
      yield* advise(k, BASE, 1, advices.MADV_DOFORK);
      yield* advise(k, BASE + 1, 1, advices.MADV_KEEPONFORK);
      const child = yield* duplicateMm(k, k.task!.mm);
      yield* inMm(k, child, function* () {
        expect(yield* load(k, BASE)).toBe(9);
        expect(yield* load(k, BASE + 1)).toBe(9);
      });
      yield* dropUsersOfMm(k, child);
    });
  });

  test.each([advices.MADV_COLD, advices.MADV_PAGEOUT])(
    "advice %i makes a page old, keeps what is in it, and leaves pages alone that others map",
    (advice) => {
      run(function* (k, machine) {
        yield* mapPages(k, BASE, 2, 3, FIXED);
        yield* store(k, BASE, 7);
        const child = yield* duplicateMm(k, k.task!.mm);
        yield* load(k, BASE);
        yield* store(k, BASE + 1, 8);
        yield* advise(k, BASE, 2, advice);
        expect(entryOf(machine, k, BASE)).toEqual({ young: true, writable: false });
        expect(entryOf(machine, k, BASE + 1)).toEqual({ young: false, writable: true });
        expect(yield* load(k, BASE + 1)).toBe(8);
        // The TLB entry went too: the access set the bit again.
        expect(entryOf(machine, k, BASE + 1)).toEqual({ young: true, writable: true });
        yield* dropUsersOfMm(k, child);
      });
    },
  );

  test("POPULATE_READ maps what is there, POPULATE_WRITE pages of its own, on both sides of a hole", () => {
    run(function* (k, machine) {
      const { mm } = k.task!;
      yield* mapPages(k, BASE, 5, 3, FIXED);
      yield* unmapPages(k, BASE + 2, 1);
      expect(yield* advise(k, BASE, 5, advices.MADV_POPULATE_READ)).toBe(-ENOMEM);
      expect(mmRssAnon.get(k.ram, mm)).toBe(0);
      for (const page of [0, 1, 3, 4]) {
        expect(entryOf(machine, k, BASE + page)).toMatchObject({ writable: false });
      }
      expect(yield* advise(k, BASE, 2, advices.MADV_POPULATE_WRITE)).toBe(0);
      expect(mmRssAnon.get(k.ram, mm)).toBe(2);
      expect(entryOf(machine, k, BASE)).toMatchObject({ writable: true });
      expect(entryOf(machine, k, BASE + 4)).toMatchObject({ writable: false });
    });
  });

  test.each([
    ["reading", 1, 0, -EINVAL],
    ["writing", 2, -EINVAL, 0],
    ["executing", 4, -EINVAL, -EINVAL],
  ] as const)("a mapping for %s alone is populated for that", (_name, rights, read, write) => {
    run(function* (k) {
      yield* mapPages(k, BASE, 1, rights, FIXED);
      expect(yield* advise(k, BASE, 1, advices.MADV_POPULATE_READ)).toBe(read);
      expect(yield* advise(k, BASE, 1, advices.MADV_POPULATE_WRITE)).toBe(write);
    });
  });

  test("a memory key that forbids the access forbids to populate", () => {
    run(function* (k) {
      yield* mapPages(k, BASE, 1, 3, FIXED);
      vmFlagsHi.set(k.ram, findVma(k.ram, k.task!.mm, BASE), 1);
      const cpu = k.cpu as X86Cpu;
      cpu.writePkru(0b1000);
      expect(yield* advise(k, BASE, 1, advices.MADV_POPULATE_READ)).toBe(0);
      expect(yield* advise(k, BASE, 1, advices.MADV_POPULATE_WRITE)).toBe(-EINVAL);
      cpu.writePkru(0b0100);
      expect(yield* advise(k, BASE, 1, advices.MADV_POPULATE_READ)).toBe(-EINVAL);
    });
  });
});

test("pglazyfree counts a page once, however often it is given up", () => {
  run(function* (k, machine) {
    const { events } = machine.memory;
    yield* mapPages(k, BASE, 4, 3, FIXED);
    for (let page = 0; page < 3; page++) yield* store(k, BASE + page, 1);
    expect(yield* advise(k, BASE, 4, advices.MADV_FREE)).toBe(0);
    expect(events.total(PGLAZYFREE)).toBe(3);
    expect(yield* advise(k, BASE, 4, advices.MADV_FREE)).toBe(0);
    expect(events.total(PGLAZYFREE)).toBe(3);
  });
});

test("pages that are populated count as faults", () => {
  run(function* (k, machine) {
    yield* mapPages(k, BASE, 4, 3, FIXED);
    const faults = machine.memory.events.total(PGFAULT);
    expect(yield* advise(k, BASE, 3, advices.MADV_POPULATE_WRITE)).toBe(0);
    expect(machine.memory.events.total(PGFAULT)).toBe(faults + 3);
  });
});
