import { expect, test } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import { PAGE_POISON } from "../../../kernel/mm/frames.ts";
import { GFP_KERNEL, GFP_NOWAIT, GFP_ZERO } from "../../../kernel/mm/gfp.ts";
import { pageAllocation, pagePrivate } from "../../../kernel/mm/page.ts";
import { type KPtr, NULL } from "../../../kernel/struct.ts";
import { MmMachine } from "./support/mm-machine.ts";

/** A small generator of numbers 0 … limit-1. */
function numbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) % limit;
  };
}

test("no frame is handed out twice, and all of them come back", () => {
  const machine = new MmMachine({ memoryMb: 16 });
  const { frames } = machine.memory;
  machine.run(function* (k: Context): Work {
    const random = numbers(7);
    const before = machine.freeFrames();
    const held = new Map<KPtr, number>();
    const owned = new Set<number>();
    for (let step = 0; step < 3000; step++) {
      if (random(5) < 3 || held.size === 0) {
        const order = random(4) === 0 ? random(5) : 0;
        const page = yield* frames.allocateOrder(k, order, GFP_KERNEL);
        if (page === NULL) continue;
        const first = frames.map.pfn(page);
        expect(first % (1 << order)).toBe(0);
        for (let pfn = first; pfn < first + (1 << order); pfn++) {
          expect(owned.has(pfn)).toBe(false);
          owned.add(pfn);
        }
        held.set(page, order);
      } else {
        const page = [...held.keys()][random(held.size)]!;
        const order = held.get(page)!;
        held.delete(page);
        const first = frames.map.pfn(page);
        for (let pfn = first; pfn < first + (1 << order); pfn++) owned.delete(pfn);
        yield* frames.freeOrder(k, page, order);
      }
    }
    for (const [page, order] of held) yield* frames.freeOrder(k, page, order);
    expect(machine.freeFrames()).toBe(before);
  });
  expect(machine.kernel.reports).toEqual([]);
});

test("freed blocks merge with their buddies up to the largest order", () => {
  const machine = new MmMachine({ memoryMb: 16 });
  const { frames } = machine.memory;
  machine.run(function* (k: Context): Work {
    const singles: KPtr[] = [];
    for (let count = 0; count < 1500; count++) singles.push(yield* frames.allocate(k, GFP_KERNEL));
    for (const page of singles) yield* frames.freeOrder(k, page, 0);
    const block = yield* frames.allocateOrder(k, 9, GFP_KERNEL);
    expect(block).not.toBe(NULL);
    expect(pagePrivate.get(k.ram, block)).toBe(9);
    yield* frames.freeOrder(k, block, 9);
  });
});

test("a freed frame is poison until it is handed out zeroed, and every allocation has a number of its own", () => {
  const machine = new MmMachine();
  const { frames } = machine.memory;
  machine.run(function* (k: Context): Work {
    const page = yield* frames.allocate(k, GFP_KERNEL);
    const at = frames.physical(page);
    const number = pageAllocation.get(k.ram, page);
    yield* frames.freeOrder(k, page, 0);
    expect(k.ram.read8(at)).toBe(PAGE_POISON);
    expect(k.ram.read8(at + 4095)).toBe(PAGE_POISON);
    const again = yield* frames.allocate(k, GFP_KERNEL | GFP_ZERO);
    expect(again).toBe(page);
    expect(k.ram.read8(at)).toBe(0);
    expect(k.ram.read8(at + 4095)).toBe(0);
    expect(pageAllocation.get(k.ram, again)).toBe(number + 1);
    yield* frames.freeOrder(k, again, 0);
  });
});

test("an allocation that may not wait fails when memory is out, one that may asks the killer first", () => {
  const machine = new MmMachine({ memoryMb: 8 });
  const { frames } = machine.memory;
  machine.run(function* (k: Context): Work {
    let asked = 0;
    frames.outOfMemory = function* (context: Context): Work<boolean> {
      if (context.point(1)) yield;
      asked++;
      return asked < 3;
    };
    const held: KPtr[] = [];
    for (let page = yield* frames.allocate(k, GFP_NOWAIT); page !== NULL; ) {
      held.push(page);
      page = yield* frames.allocate(k, GFP_NOWAIT);
    }
    expect(asked).toBe(0);
    expect(yield* frames.allocate(k, GFP_KERNEL)).toBe(NULL);
    expect(asked).toBe(3);
    for (const page of held) yield* frames.freeOrder(k, page, 0);
    expect(yield* frames.allocate(k, GFP_NOWAIT)).not.toBe(NULL);
  });
});

test("freeing a frame that has references is reported as a bad page", () => {
  const machine = new MmMachine();
  machine.run(function* (k: Context): Work {
    const page = yield* machine.memory.frames.allocate(k, GFP_KERNEL);
    machine.memory.frames.free(k, page);
  });
  expect(machine.kernel.reports.join()).toContain("Bad page state");
});
