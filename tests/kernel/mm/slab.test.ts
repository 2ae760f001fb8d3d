import { expect, test } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import { GFP_KERNEL } from "../../../kernel/mm/gfp.ts";
import { VMA_BYTES } from "../../../kernel/mm/vma.ts";
import type { KPtr } from "../../../kernel/struct.ts";
import { MmMachine } from "./support/mm-machine.ts";

test("objects do not overlap, whatever the order of frees", () => {
  const machine = new MmMachine();
  const cache = machine.memory.vmaCache;
  machine.run(function* (k: Context): Work {
    const base = cache.inUse;
    const held: KPtr[] = [];
    for (let step = 0; step < 1200; step++) {
      if (step % 7 < 4) {
        const object = yield* cache.allocateZeroed(k, GFP_KERNEL);
        expect(held.some((other) => Math.abs(other - object) < VMA_BYTES)).toBe(false);
        held.push(object);
      } else if (held.length > 0) {
        cache.free(k, held.splice((step * 31) % held.length, 1)[0]!);
      }
    }
    expect(cache.inUse - base).toBe(held.length);
    for (const object of held) cache.free(k, object);
    expect(cache.inUse).toBe(base);
  });
  expect(machine.kernel.reports).toEqual([]);
});

test("a freed object is poisoned and comes back first", () => {
  const machine = new MmMachine();
  const cache = machine.memory.vmaCache;
  machine.run(function* (k: Context): Work {
    const first = yield* cache.allocateZeroed(k, GFP_KERNEL);
    const second = yield* cache.allocateZeroed(k, GFP_KERNEL);
    cache.free(k, first);
    cache.free(k, second);
    expect(k.ram.read8(second)).toBe(0x6b);
    expect(k.ram.read8(second + 100)).toBe(0x6b);
    expect(k.ram.read8(second + VMA_BYTES - 1)).toBe(0xa5);
    expect(yield* cache.allocate(k, GFP_KERNEL)).toBe(second);
    expect(yield* cache.allocate(k, GFP_KERNEL)).toBe(first);
    cache.free(k, first);
    cache.free(k, second);
  });
});

test("a slab without objects in use goes back to the frames", () => {
  const machine = new MmMachine();
  const cache = machine.memory.vmaCache;
  machine.run(function* (k: Context): Work {
    const before = machine.freeFrames();
    const held: KPtr[] = [];
    for (let count = 0; count < 600; count++) held.push(yield* cache.allocate(k, GFP_KERNEL));
    const low = machine.freeFrames();
    for (const object of held) cache.free(k, object);
    expect(low).toBeLessThan(before - 20);
    expect(machine.freeFrames()).toBeGreaterThan(before - 8);
  });
});
