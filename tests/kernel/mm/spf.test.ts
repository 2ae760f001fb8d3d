import { describe, expect, test } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import { spinLock, spinUnlock } from "../../../kernel/locking/index.ts";
import { SpfMm } from "../../../kernel/mm/designs/index.ts";
import type { FaultState } from "../../../kernel/mm/fault-state.ts";
import { grabUsersOfMm, mprotect } from "../../../kernel/mm/index.ts";
import { PTL } from "../../../kernel/mm/locks.ts";
import { mmMmapSeq, mmUsers } from "../../../kernel/mm/mm-struct.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED } from "../../../kernel/mm/mmap.ts";
import { mmapWriteLock, mmapWriteUnlock } from "../../../kernel/mm/mmap-lock.ts";
import { mmuNotifierRegister } from "../../../kernel/mm/mmu-notifier.ts";
import { findPteSlot, NO_SLOT, ptlOf, walkToPmd } from "../../../kernel/mm/page-table.ts";
import * as events from "../../../kernel/mm/vm-events.ts";
import { vmAnonVma } from "../../../kernel/mm/vma.ts";
import { findVma } from "../../../kernel/mm/vma-tree.ts";
import { type KPtr, NULL } from "../../../kernel/struct.ts";
import { halves, load, MmMachine, mapPages, store, userFault } from "./support/mm-machine.ts";

const BASE = 0x7_0000_0000;
const FIXED = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
const ABORTS = [
  "SPF_ABORT_ODD",
  "SPF_ABORT_UNMAPPED",
  "SPF_ABORT_NO_SPECULATE",
  "SPF_ABORT_VMA_COPY",
  "SPF_ABORT_ACCESS_ERROR",
  "SPF_ABORT_PUD",
  "SPF_ABORT_PMD",
  "SPF_ABORT_ANON_VMA",
  "SPF_ABORT_PTE_MAP_LOCK_SEQ1",
  "SPF_ABORT_PTE_MAP_LOCK_PMD",
  "SPF_ABORT_PTE_MAP_LOCK_PTL",
  "SPF_ABORT_PTE_MAP_LOCK_SEQ2",
  "SPF_ABORT_USERFAULTFD",
  "SPF_ABORT_FAULT",
  "SPF_ABORT_SWAP",
] as const;

/** A design in which another party acts right before or after one step. */
class Interfered extends SpfMm {
  before: Partial<
    Record<"begin" | "copy" | "walk" | "seq1" | "lock" | "seq2", (k: Context, f: FaultState) => void>
  > = {};

  override begin(k: Context, f: FaultState): boolean {
    this.before.begin?.(k, f);
    return super.begin(k, f);
  }
  override copyBegin(k: Context, f: FaultState, vma: KPtr): KPtr {
    this.before.copy?.(k, f);
    return super.copyBegin(k, f, vma);
  }
  override access(k: Context, f: FaultState): boolean {
    const permitted = super.access(k, f);
    this.before.walk?.(k, f);
    return permitted;
  }
  override seq1(k: Context, f: FaultState): boolean {
    this.before.seq1?.(k, f);
    return super.seq1(k, f);
  }
  override lockPte(k: Context, f: FaultState): boolean {
    this.before.lock?.(k, f);
    return super.lockPte(k, f);
  }
  override seq2(k: Context, f: FaultState): boolean {
    this.before.seq2?.(k, f);
    return super.seq2(k, f);
  }
}

/** What a writer of mmap_lock leaves behind. */
function writerPassed(k: Context, f: FaultState): void {
  mmMmapSeq.add(k.ram, f.mm, 2);
}

/** Counters that one fault changes, by name. */
function* countersOf(k: Context, machine: MmMachine, page: number, kind: "read" | "write"): Work<string[]> {
  const { events: counts } = machine.memory;
  const names = events.EVENT_NAMES;
  const interesting = names
    .map((name, event) => ({ name, event }))
    .filter(({ name }) => name.toLowerCase().startsWith("spf") || name === "pgfault");
  const before = interesting.map(({ event }) => counts.total(event));
  yield* userFault(k, page, kind);
  return interesting
    .filter(({ event }, index) => counts.total(event) !== before[index])
    .map(({ name }) => name);
}

/** A table, an anon_vma and a second user, so that nothing but the case under test stops an attempt. */
function* prepare(k: Context): Work {
  yield* mapPages(k, BASE, 16, 3, FIXED);
  yield* store(k, BASE, 1);
  grabUsersOfMm(k, k.task!.mm);
}

function run(work: (k: Context, machine: MmMachine, design: Interfered) => Work): MmMachine {
  const design = new Interfered();
  const machine = new MmMachine({ design });
  machine.run(function* (k: Context): Work {
    yield* prepare(k);
    yield* work(k, machine, design);
    mmUsers.add(k.ram, k.task!.mm, -1);
  });
  expect(machine.kernel.reports).toEqual([]);
  expect(machine.signals).toEqual([]);
  return machine;
}

const HANDLED = ["pgfault", "spf_attempt", "SPF_ATTEMPT_ANON", "spf_handled"];

test("a write to a mapped page without an entry is handled without mmap_lock", () => {
  const machine = run(function* (k, machine) {
    const reads = machine.memory.events.total(events.MMAP_LOCK_READ);
    expect(yield* countersOf(k, machine, BASE + 1, "write")).toEqual(HANDLED);
    expect(yield* countersOf(k, machine, BASE + 2, "read")).toEqual(HANDLED);
    expect(machine.memory.events.total(events.MMAP_LOCK_READ)).toBe(reads);
    expect(yield* load(k, BASE + 1)).toBe(0);
  });
  expect(machine.machine.ledger!.violations).toEqual([]);
});

test("a page that was read becomes a page of its own, behind the notifier lock", () => {
  run(function* (k, machine) {
    yield* userFault(k, BASE + 3, "read");
    const counters = yield* countersOf(k, machine, BASE + 3, "write");
    expect(counters).toEqual(["pgfault", "spf_attempt", "SPF_ATTEMPT_PTE", "SPF_ATTEMPT_WP", "spf_handled"]);
    // Nobody is left inside: registration does not wait.
    yield* mmuNotifierRegister(k, k.task!.mm);
    yield* userFault(k, BASE + 4, "read");
    yield* userFault(k, BASE + 4, "write");
  });
});

test("a single user makes no attempt, and none is counted", () => {
  run(function* (k, machine) {
    mmUsers.set(k.ram, k.task!.mm, 1);
    expect(yield* countersOf(k, machine, BASE + 1, "write")).toEqual(["pgfault"]);
    mmUsers.set(k.ram, k.task!.mm, 2);
  });
});

test("kernel code that faults makes no attempt", () => {
  run(function* (k, machine) {
    const attempts = machine.memory.events.total(events.SPF_ATTEMPT);
    expect(yield* store(k, BASE + 5, 1)).toBe(true);
    expect(machine.memory.events.total(events.SPF_ATTEMPT)).toBe(attempts);
  });
});

interface AbortCase {
  readonly event: (typeof ABORTS)[number];
  readonly page: number;
  readonly kind: "read" | "write";
  /** How the attempt is made to fail. */
  arrange(k: Context, machine: MmMachine, design: Interfered): Work;
  /** Undoes what would stop the fault under mmap_lock as well. */
  relieve?(k: Context, machine: MmMachine): void;
}

const CASES: readonly AbortCase[] = [
  {
    event: "SPF_ABORT_ODD",
    page: BASE + 1,
    kind: "write",
    *arrange(k, _machine, design) {
      // Another thread is a writer; it is gone when the fault takes the lock.
      const mm = k.task!.mm;
      design.before.begin = () => {
        mmMmapSeq.add(k.ram, mm, 1);
        design.before.begin = () => {};
      };
      yield* [];
    },
    relieve: (k) => mmMmapSeq.add(k.ram, k.task!.mm, 1),
  },
  {
    event: "SPF_ABORT_NO_SPECULATE",
    page: BASE + 100,
    kind: "write",
    *arrange(k) {
      yield* mapPages(k, BASE + 100, 2, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED);
    },
  },
  {
    event: "SPF_ABORT_VMA_COPY",
    page: BASE + 1,
    kind: "write",
    *arrange(_k, _machine, design) {
      design.before.copy = writerPassed;
      yield* [];
    },
  },
  {
    event: "SPF_ABORT_PUD",
    page: 0x1_0000_0000,
    kind: "read",
    *arrange(k) {
      yield* mapPages(k, 0x1_0000_0000, 2, 3, FIXED);
    },
  },
  {
    event: "SPF_ABORT_PMD",
    page: BASE + 512,
    kind: "read",
    *arrange(k) {
      yield* mapPages(k, BASE + 512, 2, 3, FIXED);
    },
  },
  {
    event: "SPF_ABORT_ANON_VMA",
    page: BASE + 32,
    kind: "write",
    *arrange(k) {
      yield* mapPages(k, BASE + 32, 2, 3, FIXED);
      expect(vmAnonVma.get(k.ram, findVma(k.ram, k.task!.mm, BASE + 32))).toBe(NULL);
    },
  },
  {
    event: "SPF_ABORT_PTE_MAP_LOCK_SEQ1",
    page: BASE + 1,
    kind: "write",
    *arrange(_k, _machine, design) {
      design.before.seq1 = writerPassed;
      yield* [];
    },
  },
  {
    event: "SPF_ABORT_PTE_MAP_LOCK_SEQ2",
    page: BASE + 1,
    kind: "write",
    *arrange(_k, _machine, design) {
      design.before.seq2 = writerPassed;
      yield* [];
    },
  },
];

describe("an attempt ends with its reason counted, and the fault is handled under mmap_lock", () => {
  test.each(CASES)("$event", ({ event, page, kind, arrange, relieve }) => {
    run(function* (k, machine, design) {
      yield* arrange(k, machine, design);
      const free = machine.freeFrames();
      const original = machine.memory.events.count.bind(machine.memory.events);
      machine.memory.events.count = (cpu, counted) => {
        original(cpu, counted);
        if (counted === events.SPF_ABORT) relieve?.(k, machine);
      };
      const faults = machine.memory.events.total(events.PGFAULT);
      const counters = yield* countersOf(k, machine, page, kind);
      expect(counters).toContain("spf_attempt");
      expect(counters).toContain("spf_abort");
      // The attempt and what came after it are one fault.
      expect(machine.memory.events.total(events.PGFAULT)).toBe(faults + 1);
      expect(counters).not.toContain("spf_handled");
      expect(counters.filter((name) => name.startsWith("SPF_ABORT_"))).toEqual([event]);
      // The page of the failed attempt went back: at most this fault's page and new tables are gone.
      expect(machine.freeFrames()).toBeGreaterThanOrEqual(free - 8);
      const slot = findPteSlot(machine.memory, k.task!.mm, page);
      expect(slot).not.toBe(NO_SLOT);
      expect(machine.memory.format.isPresent(k.ram.read32(slot), 0)).toBe(true);
    });
  });

  test("SPF_ABORT_PTE_MAP_LOCK_PTL", () => {
    run(function* (k, machine, design) {
      const ptl = ptlOf(machine.memory, yield* walkToPmd(k, k.task!.mm, BASE));
      const word = k.ram.read32(ptl);
      // Another core holds the lock while the attempt tries it.
      design.before.lock = () => k.ram.write32(ptl, (word + 0x1_0000) | 0);
      const original = machine.memory.events.count.bind(machine.memory.events);
      machine.memory.events.count = (cpu, counted) => {
        original(cpu, counted);
        if (counted === events.SPF_ABORT_PTE_MAP_LOCK_PTL) k.ram.write32(ptl, word);
      };
      const counters = yield* countersOf(k, machine, BASE + 1, "write");
      expect(counters).toContain("SPF_ABORT_PTE_MAP_LOCK_PTL");
      expect(counters).not.toContain("spf_handled");
      yield* spinLock(k, ptl, PTL);
      spinUnlock(k, ptl, PTL);
    });
  });

  test.each([
    ["SPF_ABORT_UNMAPPED", BASE + 900, 1],
    ["SPF_ABORT_ACCESS_ERROR", BASE + 8, 2],
  ] as const)("%s, and then SIGSEGV", (event, page, code) => {
    const machine = new MmMachine({ design: new SpfMm() });
    machine.run(function* (k: Context): Work {
      yield* prepare(k);
      yield* mprotect(k, ...halves(BASE + 8), ...halves(1), 1, -1);
      const counters = yield* countersOf(k, machine, page, "write");
      expect(counters).toEqual(["spf_attempt", "spf_abort", event]);
      expect(machine.signals.map((signal) => [signal.signo, signal.code])).toEqual([[11, code]]);
      mmUsers.add(k.ram, k.task!.mm, -1);
    });
    expect(machine.kernel.reports).toEqual([]);
  });

  test("every reason is tested or listed as unreachable", () => {
    const unreachable = [...events.UNREACHABLE_EVENTS.keys()].map((event) => events.EVENT_NAMES[event]);
    const tested = [
      ...CASES.map(({ event }) => event),
      "SPF_ABORT_PTE_MAP_LOCK_PTL",
      "SPF_ABORT_UNMAPPED",
      "SPF_ABORT_ACCESS_ERROR",
    ];
    for (const name of ABORTS) expect([...tested, ...unreachable]).toContain(name);
  });
});

test("a writer that comes after the second check finds the entry under the lock", () => {
  // Faults on one core, mprotect and munmap on the others: entries always match the mappings at the end.
  const machine = new MmMachine({ design: new SpfMm(), cpus: 3, scheduler: "random", seed: 5 });
  const faulter = function* (k: Context): Work {
    for (let round = 0; round < 40; round++)
      yield* userFault(k, BASE + (round % 8), round % 3 === 0 ? "read" : "write");
  };
  machine.run(
    function* (k: Context): Work {
      for (let round = 0; round < 12; round++) {
        yield* mapPages(k, BASE, 8, round % 2 === 0 ? 3 : 1, FIXED);
        yield* mprotect(k, ...halves(BASE + 2), ...halves(3), 1, -1);
        yield* mmapWriteLock(k, k.task!.mm);
        yield* mmapWriteUnlock(k, k.task!.mm);
      }
      yield* mprotect(k, ...halves(BASE), ...halves(8), 1, -1);
      for (let page = BASE; page < BASE + 8; page++) {
        const slot = findPteSlot(machine.memory, k.task!.mm, page);
        const lo = slot === NO_SLOT ? 0 : k.ram.read32(slot);
        expect(machine.memory.format.isWritable(lo, 0)).toBe(false);
      }
    },
    faulter,
    faulter,
  );
  expect(machine.kernel.reports).toEqual([]);
  expect(machine.machine.ledger!.violations).toEqual([]);
});

test("mmap_seq is odd exactly while a writer holds mmap_lock", () => {
  run(function* (k) {
    const mm = k.task!.mm;
    const before = mmMmapSeq.get(k.ram, mm);
    expect(before % 2).toBe(0);
    yield* mmapWriteLock(k, mm);
    expect(mmMmapSeq.get(k.ram, mm)).toBe(before + 1);
    yield* mmapWriteUnlock(k, mm);
    expect(mmMmapSeq.get(k.ram, mm)).toBe(before + 2);
  });
});
