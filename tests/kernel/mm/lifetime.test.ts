import { expect, test } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import { SpfMm } from "../../../kernel/mm/designs/index.ts";
import { allocateMm, dropUsersOfMm, mprotect } from "../../../kernel/mm/index.ts";
import { committedAs } from "../../../kernel/mm/memory.ts";
import { mmPgtablesBytes, mmRssAnon } from "../../../kernel/mm/mm-struct.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED } from "../../../kernel/mm/mmap.ts";
import { synchronizeRcu } from "../../../kernel/rcu.ts";
import { NULL } from "../../../kernel/struct.ts";
import { halves, inMm, MmMachine, mapPages, store, unmapPages } from "./support/mm-machine.ts";

const BASE = 0x7_0000_0000;
const FIXED = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

test("what an address space took comes back when its last user goes", () => {
  const machine = new MmMachine();
  const { memory } = machine;
  machine.run(function* (k: Context): Work {
    const life = function* (): Work {
      const mm = yield* allocateMm(k);
      expect(mm).not.toBe(NULL);
      yield* inMm(k, mm, function* () {
        for (let part = 0; part < 40; part++) {
          yield* mapPages(
            k,
            BASE + part * 700,
            5,
            3,
            part % 5 === 0 ? MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED : FIXED,
          );
          yield* store(k, BASE + part * 700 + 1, part);
          if (part % 3 === 0) yield* mprotect(k, ...halves(BASE + part * 700 + 2), ...halves(1), 1, -1);
        }
      });
      yield* dropUsersOfMm(k, mm);
    };
    yield* life();
    const frames = machine.freeFrames();
    const objects = [
      memory.mmCache,
      memory.vmaCache,
      memory.anonVmaCache,
      memory.avcCache,
      memory.shmemCache,
    ];
    const inUse = objects.map((cache) => cache.inUse);
    const committed = committedAs.get(k.ram, memory.globals);
    for (let round = 0; round < 3; round++) yield* life();
    expect(objects.map((cache) => cache.inUse)).toEqual(inUse);
    expect(committedAs.get(k.ram, memory.globals)).toBe(committed);
    expect(machine.freeFrames()).toBe(frames);
  });
  expect(machine.kernel.reports).toEqual([]);
  expect(machine.machine.ledger!.violations).toEqual([]);
});

test("tables go with the last mapping that they serve", () => {
  const machine = new MmMachine();
  machine.run(function* (k: Context): Work {
    const mm = k.task!.mm;
    yield* mapPages(k, BASE, 2, 3, FIXED);
    yield* mapPages(k, BASE + 300, 2, 3, FIXED);
    yield* mapPages(k, BASE + 512, 1, 3, FIXED);
    for (const page of [0, 300, 512]) yield* store(k, BASE + page, 1);
    const three = mmPgtablesBytes.get(k.ram, mm);
    yield* unmapPages(k, BASE, 2);
    expect(mmPgtablesBytes.get(k.ram, mm)).toBe(three);
    yield* unmapPages(k, BASE + 300, 2);
    expect(mmPgtablesBytes.get(k.ram, mm)).toBe(three - 4096);
    yield* unmapPages(k, BASE + 512, 1);
    expect(mmPgtablesBytes.get(k.ram, mm)).toBe(0);
    expect(mmRssAnon.get(k.ram, mm)).toBe(0);
  });
  expect(machine.kernel.reports).toEqual([]);
});

test("with other users a VMA of spf-mm is freed after a grace period", () => {
  const machine = new MmMachine({ design: new SpfMm(), cpus: 2 });
  const { vmaCache } = machine.memory;
  machine.run(
    function* (k: Context): Work {
      yield* mapPages(k, BASE, 1, 3, FIXED);
      const before = vmaCache.inUse;
      yield* unmapPages(k, BASE, 1);
      // Both tasks are users of the address space, so the object waits.
      expect(vmaCache.inUse).toBe(before);
      yield* synchronizeRcu(k);
      yield* synchronizeRcu(k);
      expect(vmaCache.inUse).toBe(before - 1);
    },
    function* (k: Context): Work {
      yield* synchronizeRcu(k);
      yield* synchronizeRcu(k);
    },
  );
});
