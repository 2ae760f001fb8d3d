import { describe, expect, test } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import type { FaultDesign } from "../../../kernel/mm/designs/design.ts";
import { Classic, SpfMm } from "../../../kernel/mm/designs/index.ts";
import { dropUsersOfMm, duplicateMm, madvise, mprotect, mremap } from "../../../kernel/mm/index.ts";
import { MADV_DONTNEED, MADV_FREE } from "../../../kernel/mm/madvise.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED } from "../../../kernel/mm/mmap.ts";
import { MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE } from "../../../kernel/mm/mremap.ts";
import { checkVmas } from "../../../kernel/mm/vma-tree.ts";
import { NULL } from "../../../kernel/struct.ts";
import { brokenInvariant } from "./support/invariants.ts";
import { halves, load, MmMachine, mapPages, store, unmapPages, userFault } from "./support/mm-machine.ts";

/** Crosses a table's boundary, so that tables come and go. */
const BASE = 0x7_0000_0200 - 12;
const WINDOW = 24;
const WORKERS = 3;

/** Calls and accesses at random places of one window that all workers share. */
function* worker(k: Context, seed: number, steps: number): Work {
  let state = seed * 7919;
  const random = (limit: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) % limit;
  };
  for (let step = 0; step < steps; step++) {
    const page = BASE + random(WINDOW);
    const count = 1 + random(6);
    switch (random(12)) {
      case 0:
      case 1:
        yield* mapPages(k, page, count, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
        break;
      case 2:
        yield* mapPages(k, page, count, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED);
        break;
      case 3:
        yield* unmapPages(k, page, count);
        break;
      case 4:
        yield* mprotect(k, ...halves(page), ...halves(count), random(4), -1);
        break;
      case 5:
        yield* madvise(k, ...halves(page), ...halves(count), random(2) === 0 ? MADV_DONTNEED : MADV_FREE);
        break;
      case 6:
        yield* move(k, page, count, BASE + WINDOW + random(WINDOW), random(2));
        break;
      case 7:
        yield* forkOnce(k, page);
        break;
      case 8:
        yield* load(k, page);
        break;
      case 9:
        yield* store(k, page, step);
        break;
      default:
        yield* userFault(k, page, random(3) === 0 ? "read" : "write");
    }
  }
}

function* move(k: Context, page: number, count: number, target: number, how: number): Work {
  const [lo, hi] = halves(page);
  const [oldLengthLo, oldLengthHi] = halves(count);
  const [newLo, newHi] = halves(target);
  const flags = MREMAP_MAYMOVE | (how === 0 ? MREMAP_FIXED : MREMAP_DONTUNMAP);
  yield* mremap(k, {
    lo,
    hi,
    oldLengthLo,
    oldLengthHi,
    newLengthLo: oldLengthLo,
    newLengthHi: oldLengthHi,
    flags,
    newLo,
    newHi,
  });
}

function* forkOnce(k: Context, page: number): Work {
  const child = yield* duplicateMm(k, k.task!.mm);
  if (child === NULL) return;
  yield* store(k, page, -1);
  yield* dropUsersOfMm(k, child);
}

const DESIGNS: readonly [string, () => FaultDesign][] = [
  ["classic", () => new Classic()],
  ["spf-mm", () => new SpfMm()],
];

describe.each(DESIGNS)("calls and faults of three threads at once (%s)", (_name, design) => {
  test.each([1, 2, 3, 4, 5, 6])("leave an address space in order, seed %i", (seed) => {
    const machine = new MmMachine({ design: design(), cpus: WORKERS, scheduler: "random", seed });
    let running = WORKERS;
    const works = Array.from(
      { length: WORKERS },
      (_none, index) =>
        function* (k: Context): Work {
          yield* worker(k, seed * 10 + index, 60);
          running--;
          if (running > 0) return;
          expect(checkVmas(k.ram, k.task!.mm)).toBeNull();
          expect(brokenInvariant(machine.memory, k.task!.mm)).toBeNull();
        },
    );
    machine.run(...works);
    expect(running).toBe(0);
    expect(machine.kernel.reports).toEqual([]);
    expect(machine.machine.ledger!.violations).toEqual([]);
    expect(machine.memory.shmemCache.inUse).toBe(0);
    expect(machine.memory.anonVmaCache.inUse).toBe(0);
  });
});
