import { describe, expect, test } from "vitest";
import type { X86Cpu } from "../../../emu/hardware.ts";
import {
  isLazy,
  loadedMm,
  loadedMmAsid,
  nextAsid,
  SINGLE_PAGE_FLUSH_CEILING,
  slotCtxId,
  slotOf,
  slotTlbGen,
} from "../../../kernel/arch/x86/tlb.ts";
import type { Context, Work } from "../../../kernel/context.ts";
import { irqRestore, irqSave } from "../../../kernel/locking/index.ts";
import { allocateMm, dropUsersOfMm, duplicateMm } from "../../../kernel/mm/index.ts";
import { mmCpumask, mmCtxId, mmPgd, mmTlbGen } from "../../../kernel/mm/mm-struct.ts";
import {
  TLB_LOCAL_FLUSH_ALL,
  TLB_LOCAL_FLUSH_ONE,
  TLB_REMOTE_FLUSH,
  TLB_REMOTE_FLUSH_RECEIVED,
} from "../../../kernel/mm/vm-events.ts";
import { percpuOf, thisCpu } from "../../../kernel/percpu.ts";
import type { KPtr } from "../../../kernel/struct.ts";
import { inMm, MmMachine } from "./support/mm-machine.ts";

const PAGE = 0x7_0000_0000;
/** MSR of the interrupt command register. */
const X2APIC_ICR = 0x830;

function single(work: (k: Context, machine: MmMachine) => Work): MmMachine {
  const machine = new MmMachine();
  machine.run((k) => work(k, machine));
  expect(machine.kernel.reports).toEqual([]);
  return machine;
}

/** Two cores; the second has our mm loaded, or is made to look so: running it, or idle and lazy. */
function withPeer(
  peerIs: "running" | "lazy",
  work: (k: Context, machine: MmMachine, peer: KPtr) => Work,
): void {
  const machine = new MmMachine({ cpus: 2 });
  machine.run(function* (k: Context): Work {
    const peer = percpuOf(machine.kernel, 1 - k.cpu.id);
    const mm = k.task!.mm;
    loadedMm.set(k.ram, peer, mm);
    mmCpumask.add(k.ram, mm, 1 - k.cpu.id);
    const slot = slotOf(peer, loadedMmAsid.get(k.ram, peer));
    slotCtxId.set(k.ram, slot, mmCtxId.get(k.ram, mm));
    slotTlbGen.set(k.ram, slot, mmTlbGen.get(k.ram, mm));
    isLazy.set(k.ram, peer, peerIs === "lazy" ? 1 : 0);
    yield* work(k, machine, peer);
  });
  expect(machine.kernel.reports).toEqual([]);
}

/** What a flush of this core's mm does here, as counters: whole contexts and single pages. */
function* flushed(machine: MmMachine, work: () => Work): Work<{ all: number; one: number }> {
  const { events } = machine.memory;
  const all = events.total(TLB_LOCAL_FLUSH_ALL);
  const one = events.total(TLB_LOCAL_FLUSH_ONE);
  yield* work();
  return { all: events.total(TLB_LOCAL_FLUSH_ALL) - all, one: events.total(TLB_LOCAL_FLUSH_ONE) - one };
}

interface RuleCase {
  readonly name: string;
  /** Generations behind the mm's at which the core's slot stands before the flush bumps it. */
  readonly behind: number;
  readonly pages: number;
  readonly expected: { all: number; one: number };
}

const RULES: readonly RuleCase[] = [
  { name: "one page, up to date: that page", behind: 0, pages: 1, expected: { all: 0, one: 1 } },
  { name: "three pages: three", behind: 0, pages: 3, expected: { all: 0, one: 3 } },
  {
    name: "as many as the ceiling: each",
    behind: 0,
    pages: SINGLE_PAGE_FLUSH_CEILING,
    expected: { all: 0, one: SINGLE_PAGE_FLUSH_CEILING },
  },
  {
    name: "one more: everything",
    behind: 0,
    pages: SINGLE_PAGE_FLUSH_CEILING + 1,
    expected: { all: 1, one: 0 },
  },
  {
    name: "one page, but an earlier flush was missed: everything",
    behind: 1,
    pages: 1,
    expected: { all: 1, one: 0 },
  },
  { name: "one page, many missed: everything", behind: 5, pages: 1, expected: { all: 1, one: 0 } },
];

describe("flush_tlb_func", () => {
  test.each(RULES)("$name", ({ behind, pages, expected }) => {
    single(function* (k, machine) {
      const mm = k.task!.mm;
      const slot = slotOf(thisCpu(k), loadedMmAsid.get(k.ram, thisCpu(k)));
      mmTlbGen.add(k.ram, mm, behind);
      const done = yield* flushed(machine, () =>
        machine.mmu.flushRange(k, mm, PAGE, PAGE + pages, 1, "tables-kept"),
      );
      expect(done).toEqual(expected);
      expect(slotTlbGen.get(k.ram, slot)).toBe(mmTlbGen.get(k.ram, mm));
    });
  });

  test("a core that is ahead of the flush, as a later one was served already, does nothing", () => {
    single(function* (k, machine) {
      const mm = k.task!.mm;
      const slot = slotOf(thisCpu(k), loadedMmAsid.get(k.ram, thisCpu(k)));
      slotTlbGen.set(k.ram, slot, mmTlbGen.get(k.ram, mm) + 1);
      const done = yield* flushed(machine, () =>
        machine.mmu.flushRange(k, mm, PAGE, PAGE + 1, 1, "tables-kept"),
      );
      expect(done).toEqual({ all: 0, one: 0 });
    });
  });

  test("a flush of another mm leaves this core's entries alone", () => {
    single(function* (k, machine) {
      const other = yield* allocateMm(k);
      const done = yield* flushed(machine, () =>
        machine.mmu.flushRange(k, other, PAGE, PAGE + 1, 1, "tables-kept"),
      );
      expect(done).toEqual({ all: 0, one: 0 });
      yield* dropUsersOfMm(k, other);
    });
  });

  test("the stride counts, not the pages, when tables are freed", () => {
    single(function* (k, machine) {
      const mm = k.task!.mm;
      const done = yield* flushed(machine, () =>
        machine.mmu.flushRange(k, mm, PAGE, PAGE + 4 * 512, 2, "tables-freed"),
      );
      expect(done).toEqual({ all: 0, one: 4 });
    });
  });
});

describe("flush_tlb_mm_range", () => {
  test("interrupts the others, flushes here, then waits; only the sender counts local flushes", () => {
    withPeer("running", function* (k, machine) {
      const { events } = machine.memory;
      const cpu = k.cpu as X86Cpu;
      const order: string[] = [];
      const invlpg = cpu.invlpg.bind(cpu);
      cpu.invlpg = (lo, hi) => {
        order.push("flush");
        invlpg(lo, hi);
      };
      const wrmsr = cpu.wrmsr.bind(cpu);
      cpu.wrmsr = (msr, lo, hi) => {
        if (msr === X2APIC_ICR) order.push("send");
        wrmsr(msr, lo, hi);
      };
      yield* machine.mmu.flushRange(k, k.task!.mm, PAGE, PAGE + 2, 1, "tables-kept");
      expect(order).toEqual(["send", "flush", "flush"]);
      expect(events.total(TLB_REMOTE_FLUSH_RECEIVED)).toBe(1);
      expect(events.total(TLB_LOCAL_FLUSH_ONE)).toBe(2);
    });
  });
});

describe("switch_mm", () => {
  test("coming back to an mm that nobody flushed keeps its entries, one that was flushed loses them", () => {
    single(function* (k) {
      const own = k.task!.mm;
      const other = yield* allocateMm(k);
      const cpu = k.cpu as X86Cpu;
      const writes: number[] = [];
      const write = cpu.writeCr3.bind(cpu);
      cpu.writeCr3 = (lo, hi) => {
        writes.push(hi);
        write(lo, hi);
      };
      const KEEP = 0x8000_0000 | 0;
      yield* inMm(k, other, function* () {
        yield* [];
      });
      // The first load of the other mm flushes its slot, the return to our own keeps it.
      expect(writes).toEqual([0, KEEP]);
      writes.length = 0;
      yield* inMm(k, other, function* () {
        mmTlbGen.add(k.ram, own, 1);
        yield* [];
      });
      expect(writes).toEqual([KEEP, 0]);
      yield* dropUsersOfMm(k, other);
    });
  });

  test("the mask holds the loaded mm alone, and the slot knows it", () => {
    single(function* (k) {
      const own = k.task!.mm;
      const other = yield* allocateMm(k);
      yield* inMm(k, other, function* () {
        expect(mmCpumask.has(k.ram, other, 0)).toBe(true);
        expect(mmCpumask.has(k.ram, own, 0)).toBe(false);
        const core = thisCpu(k);
        const slot = slotOf(core, loadedMmAsid.get(k.ram, core));
        expect(loadedMm.get(k.ram, core)).toBe(other);
        expect(slotCtxId.get(k.ram, slot)).toBe(mmCtxId.get(k.ram, other));
        expect((k.cpu as X86Cpu).cr3Lo >>> 12).toBe(mmPgd.get(k.ram, other) >>> 12);
        yield* [];
      });
      expect(mmCpumask.has(k.ram, own, 0)).toBe(true);
      expect(mmCpumask.has(k.ram, other, 0)).toBe(false);
      yield* dropUsersOfMm(k, other);
    });
  });

  test("the order is mask bit, generation, CR3, and the old mask bit last", () => {
    single(function* (k) {
      const own = k.task!.mm;
      const other = yield* allocateMm(k);
      const order: string[] = [];
      const cpu = k.cpu as X86Cpu;
      const write = cpu.writeCr3.bind(cpu);
      cpu.writeCr3 = (lo, hi) => {
        const bits = [own, other].map((mm) => (mmCpumask.has(k.ram, mm, 0) ? "in" : "out"));
        order.push(`cr3: own ${bits[0]}, other ${bits[1]}`);
        write(lo, hi);
      };
      yield* inMm(k, other, function* () {
        yield* [];
      });
      expect(order).toEqual(["cr3: own in, other in", "cr3: own in, other in"]);
      yield* dropUsersOfMm(k, other);
    });
  });

  test("a seventh mm takes the slot of the first, whose entries go", () => {
    single(function* (k) {
      const mms: KPtr[] = [];
      for (let count = 0; count < 7; count++) mms.push(yield* allocateMm(k));
      const asids: number[] = [];
      for (const mm of mms) {
        yield* inMm(k, mm, function* () {
          asids.push(loadedMmAsid.get(k.ram, thisCpu(k)));
          yield* [];
        });
      }
      for (const asid of asids) expect(asid).toBeLessThan(6);
      expect(new Set(asids).size).toBeGreaterThan(3);
      expect(nextAsid.get(k.ram, thisCpu(k))).toBeLessThanOrEqual(6);
      for (const mm of mms) yield* dropUsersOfMm(k, mm);
    });
  });
});

describe("lazy cores", () => {
  function withLazyPeer(work: (k: Context, machine: MmMachine, peer: KPtr) => Work): void {
    withPeer("lazy", work);
  }

  test("are not interrupted for pages", () => {
    withLazyPeer(function* (k, machine, peer) {
      const { events } = machine.memory;
      yield* machine.mmu.flushRange(k, k.task!.mm, PAGE, PAGE + 1, 1, "tables-kept");
      // nr_tlb_remote_flush counts flushes of an mm that another core has in its mask, whoever is then left out.
      expect(events.total(TLB_REMOTE_FLUSH)).toBe(1);
      expect(events.total(TLB_REMOTE_FLUSH_RECEIVED)).toBe(0);
      expect(loadedMm.get(k.ram, peer)).toBe(k.task!.mm);
    });
  });

  test("are interrupted when tables were freed, and leave the mm", () => {
    withLazyPeer(function* (k, machine, peer) {
      const { events } = machine.memory;
      yield* machine.mmu.flushRange(k, k.task!.mm, PAGE, PAGE + 1, 1, "tables-freed");
      expect(events.total(TLB_REMOTE_FLUSH)).toBe(1);
      expect(events.total(TLB_REMOTE_FLUSH_RECEIVED)).toBe(1);
      expect(loadedMm.get(k.ram, peer)).toBe(machine.memory.initMm);
      expect(mmCpumask.has(k.ram, k.task!.mm, 1 - k.cpu.id)).toBe(false);
      expect(isLazy.get(k.ram, peer)).toBe(0);
    });
  });

  test("are interrupted by the flush of a fork, which frees no tables", () => {
    withLazyPeer(function* (k, machine, peer) {
      const { events } = machine.memory;
      const child = yield* duplicateMm(k, k.task!.mm);
      expect(events.total(TLB_REMOTE_FLUSH_RECEIVED)).toBe(1);
      expect(loadedMm.get(k.ram, peer)).toBe(machine.memory.initMm);
      yield* dropUsersOfMm(k, child);
    });
  });

  test("leave a borrowed mm on request", () => {
    single(function* (k, machine) {
      const mm = k.task!.mm;
      const enabled = irqSave(k);
      machine.mmu.enterLazyTlb(k, mm);
      yield* machine.mmu.leaveMm(k);
      expect(loadedMm.get(k.ram, thisCpu(k))).toBe(machine.memory.initMm);
      expect(mmCpumask.has(k.ram, mm, 0)).toBe(false);
      yield* machine.mmu.switchMm(k, mm, mm);
      irqRestore(k, enabled);
    });
  });

  test("flush when they stop being lazy if the mm went on meanwhile, and not otherwise", () => {
    single(function* (k, machine) {
      const mm = k.task!.mm;
      const cpu = k.cpu as X86Cpu;
      let writes = 0;
      const write = cpu.writeCr3.bind(cpu);
      cpu.writeCr3 = (lo, hi) => {
        writes++;
        write(lo, hi);
      };
      for (const [bumps, expected] of [
        [0, 0],
        [1, 1],
      ] as const) {
        const enabled = irqSave(k);
        machine.mmu.enterLazyTlb(k, mm);
        mmTlbGen.add(k.ram, mm, bumps);
        writes = 0;
        yield* machine.mmu.switchMm(k, mm, mm);
        irqRestore(k, enabled);
        expect(writes).toBe(expected);
        expect(isLazy.get(k.ram, thisCpu(k))).toBe(0);
      }
    });
  });
});
