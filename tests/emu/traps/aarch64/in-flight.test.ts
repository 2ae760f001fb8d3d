/** What one agent of a core grants: invalidations that others broadcast to it, and its own late page-table stores. */
import { expect, test } from "vitest";
import { BroadcastBus, type BroadcastCore, Broadcasts } from "../../../../emu/interrupts/index.ts";
import { InFlight } from "../../../../emu/traps/aarch64/in-flight.ts";
import { FRAME_WATCHED, LateStoreBus, LateStores, PhysicalMemory } from "../../../../mmu/index.ts";

const TABLE = 5;
const SLOT = TABLE * 1024;

function cores(
  count: number,
): { inFlight: InFlight; late: LateStores; applied: number[]; ram: PhysicalMemory }[] {
  const ram = new PhysicalMemory(0x10000, 0x10000);
  ram.frameFlags[TABLE] = FRAME_WATCHED;
  const broadcastBus = new BroadcastBus(10, 10);
  const lateBus = new LateStoreBus(ram, () => 0);
  return Array.from({ length: count }, (_, id) => {
    const applied: number[] = [];
    const core: BroadcastCore = {
      id,
      clock: 0,
      isParked: false,
      isIdle: false,
      isInsideAccess: false,
      budget: { exploring: true },
      applyBroadcast: (code) => applied.push(code),
    };
    const words = new Int32Array(Broadcasts.words);
    const late = new LateStores(lateBus, new Int32Array(LateStores.words), 0);
    return {
      inFlight: new InFlight(new Broadcasts({ core, bus: broadcastBus, words, base: 0 }), late),
      late,
      applied,
      ram,
    };
  });
}

test("an invalidation goes before a store that was made earlier; both are counted", () => {
  const [first, second] = cores(2) as [ReturnType<typeof cores>[0], ReturnType<typeof cores>[0]];
  first.ram.write64(TABLE * 4096, 7, 0);
  second.inFlight.send(3, 0, 0);
  expect([first.inFlight.count, second.inFlight.count]).toEqual([2, 0]);
  expect([first.late.find(SLOT), second.late.find(SLOT)]).toEqual([true, true]);
  first.inFlight.applyFirst();
  expect([first.applied, first.inFlight.count, second.late.find(SLOT)]).toEqual([[3], 1, true]);
  first.inFlight.applyFirst();
  expect([first.inFlight.count, first.late.find(SLOT), second.late.find(SLOT)]).toEqual([0, false, false]);
});

test("a late store keeps no barrier waiting for other cores, and none is left without stores", () => {
  const [first] = cores(2) as [ReturnType<typeof cores>[0]];
  first.ram.write64(TABLE * 4096, 7, 0);
  expect([first.inFlight.complete(), first.inFlight.outstanding, first.inFlight.awaited]).toEqual([
    true,
    0,
    -1,
  ]);
  expect(first.inFlight.nextTime).toBe(Number.POSITIVE_INFINITY);
});

test("where no store is late the agent is the broadcasts' alone", () => {
  const broadcastBus = new BroadcastBus(10, 10);
  const core: BroadcastCore = {
    id: 0,
    clock: 0,
    isParked: false,
    isIdle: false,
    isInsideAccess: false,
    budget: { exploring: true },
    applyBroadcast: () => expect.fail("nothing was sent"),
  };
  const words = new Int32Array(Broadcasts.words);
  const inFlight = new InFlight(new Broadcasts({ core, bus: broadcastBus, words, base: 0 }), null);
  expect(inFlight.count).toBe(0);
  inFlight.applyFirst();
});
