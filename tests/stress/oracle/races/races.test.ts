/** Data races of kernel code: unguarded accesses are reported with both sites, guarded and marked ones are not. */
import { describe, expect, it } from "vitest";
import { X86_MACHINES } from "../../../../emu/machines/x86-64.ts";
import { Pct } from "../../../../emu/schedulers/index.ts";
import type { Context, Work } from "../../../../kernel/context.ts";
import { spinLock, spinUnlock } from "../../../../kernel/locking/index.ts";
import { Classic, type FaultDesign, SpfMm } from "../../../../kernel/mm/designs/index.ts";
import type { FaultState } from "../../../../kernel/mm/fault-state.ts";
import { PAGE_TABLE_LOCK } from "../../../../kernel/mm/locks.ts";
import { mmPageTableLock, mmTotalVm, mmUsers } from "../../../../kernel/mm/mm-struct.ts";
import {
  mmapReadLock,
  mmapReadUnlock,
  mmapWriteLock,
  mmapWriteUnlock,
} from "../../../../kernel/mm/mmap-lock.ts";
import { expandDownwards } from "../../../../kernel/mm/stack.ts";
import { vmFlags } from "../../../../kernel/mm/vma.ts";
import { findVma } from "../../../../kernel/mm/vma-tree.ts";
import { synchronizeRcu } from "../../../../kernel/rcu.ts";
import { type KPtr, kptrOf } from "../../../../kernel/struct.ts";
import { ObservedMemory } from "../../../../mmu/index.ts";
import { observerOf } from "../../../../stress/oracle/part.ts";
import { Races } from "../../../../stress/oracle/races/index.ts";
import { type Violation, violationText } from "../../../../stress/oracle/violation.ts";
import { findScenario, readScenario, scenarioMachine } from "../../../../stress/scenarios/index.ts";
import { World } from "../../../../stress/world/index.ts";
import {
  type KernelCode,
  MmMachine,
  mapPages,
  store,
  unmapPages,
  userFault,
} from "../../../kernel/mm/support/mm-machine.ts";
import { waitUntil } from "../support/duel.ts";

const PAGE = 0x4_0000_0000;
const PRIVATE_FIXED = 0x32;
const GROWSDOWN = 0x100;

interface Meeting {
  readonly design?: FaultDesign;
  readonly before?: KernelCode;
  readonly first: KernelCode;
  readonly second: KernelCode;
}

/** Two tasks of one address space that run at once under the random scheduler; what is reported. */
function meet({ design = new Classic(), before, first, second }: Meeting, seed: number): Violation[] {
  const machine = new MmMachine({
    design,
    cpus: 2,
    seed,
    scheduler: "random",
    memory: (ramBytes, engineBytes) => new ObservedMemory(ramBytes, engineBytes),
  });
  const { kernel, memory } = machine;
  const violations: Violation[] = [];
  const part = new Races({ kernel, memory, report: (violation) => violations.push(violation) });
  kernel.observer = observerOf([part.events]);
  (machine.machine.ram as ObservedMemory).sink = part;
  let isReady = false;
  let left = 2;
  machine.run(
    function* (k) {
      if (before !== undefined) yield* before(k);
      part.mark();
      part.start();
      isReady = true;
      yield* first(k);
      if (--left === 0) part.atEnd();
    },
    function* (k) {
      yield* waitUntil(k, () => isReady);
      yield* second(k);
      if (--left === 0) part.atEnd();
    },
  );
  return violations;
}

/** The first report of ten schedules, or null. */
function raceOf(meeting: Meeting): Violation | null {
  for (let seed = 1; seed <= 10; seed++) {
    const [violation] = meet(meeting, seed);
    if (violation !== undefined) return violation;
  }
  return null;
}

function mmOf(k: Context): KPtr {
  return k.task!.mm;
}

describe("a counter", () => {
  /** The first access behind the point is to something else. */
  function* bump(k: Context): Work {
    if (k.point(20)) yield;
    mmUsers.get(k.ram, mmOf(k));
    mmTotalVm.set(k.ram, mmOf(k), mmTotalVm.get(k.ram, mmOf(k)) + 1);
    if (k.point(20)) yield;
  }

  it("that two cores bump without a lock is reported with both sites", () => {
    const violation = raceOf({ first: bump, second: bump });
    expect(violation).toMatchObject({ invariant: "I15" });
    expect(violation!.text).toMatch(
      /^data race: plain (read|write) of mm_struct.total_vm \(guard: mmap_lock/,
    );
    expect(violation!.earlier!.what).toMatch(/^plain (read|write) of mm_struct.total_vm$/);
    expect(violation!.later.core).not.toBe(violation!.earlier!.core);
  });

  it("whose bump takes the lock is not", () => {
    function* locked(k: Context): Work {
      yield* mmapWriteLock(k, mmOf(k));
      yield* bump(k);
      yield* mmapWriteUnlock(k, mmOf(k));
    }
    expect(raceOf({ first: locked, second: locked })).toBeNull();
  });

  it("that is bumped under the read lock is reported, as readers exclude no reader", () => {
    function* reader(k: Context): Work {
      yield* mmapReadLock(k, mmOf(k));
      yield* bump(k);
      yield* mmapReadUnlock(k, mmOf(k));
    }
    expect(raceOf({ first: reader, second: reader })).not.toBeNull();
  });

  it("that is bumped under two different locks is reported", () => {
    function* other(k: Context): Work {
      const lock = kptrOf(mmPageTableLock.at(mmOf(k)));
      yield* spinLock(k, lock, PAGE_TABLE_LOCK);
      yield* bump(k);
      spinUnlock(k, lock, PAGE_TABLE_LOCK);
    }
    function* locked(k: Context): Work {
      yield* mmapWriteLock(k, mmOf(k));
      yield* bump(k);
      yield* mmapWriteUnlock(k, mmOf(k));
    }
    expect(raceOf({ first: locked, second: other })).not.toBeNull();
  });

  it("that is declared atomic, or whose two halves are marked, is not", () => {
    function* atomic(k: Context): Work {
      if (k.point(20)) yield;
      mmUsers.add(k.ram, mmOf(k), 1);
      mmUsers.add(k.ram, mmOf(k), -1);
    }
    function* marked(k: Context): Work {
      const mm = mmOf(k);
      if (k.point(20)) yield;
      const value = mmTotalVm.get(k.ram, mm);
      if (k.point(20)) yield;
      mmTotalVm.set(k.ram, mm, value + 1);
      if (k.point(20)) yield;
    }
    expect(raceOf({ first: atomic, second: atomic })).toBeNull();
    expect(raceOf({ first: marked, second: marked })).toBeNull();
  });
});

describe("a field of a VMA", () => {
  function* before(k: Context): Work {
    yield* mapPages(k, PAGE, 4, 3, PRIVATE_FIXED);
  }

  function* read(k: Context): Work {
    yield* mmapReadLock(k, mmOf(k));
    const vma = findVma(k.ram, mmOf(k), PAGE);
    vmFlags.get(k.ram, vma);
    yield* mmapReadUnlock(k, mmOf(k));
  }

  function* write(k: Context): Work {
    if (k.point(20)) yield;
    const vma = findVma(k.ram, mmOf(k), PAGE);
    if (k.point(20)) yield;
    vmFlags.set(k.ram, vma, vmFlags.get(k.ram, vma));
    if (k.point(20)) yield;
  }

  it("written outside its lock, marked even, is reported if somebody reads it plainly under the lock", () => {
    const violation = raceOf({ before, first: read, second: write });
    expect(violation!.text).toContain("of vm_area_struct.vm_flags (guard: mmap_lock (write))");
  });

  it("written under its lock is not", () => {
    function* locked(k: Context): Work {
      yield* mmapWriteLock(k, mmOf(k));
      yield* write(k);
      yield* mmapWriteUnlock(k, mmOf(k));
    }
    expect(raceOf({ before, first: read, second: locked })).toBeNull();
  });
});

describe("stack growth", () => {
  /** A17: two growers exclude each other no more. */
  class GrowsUnderReadLock extends Classic {
    override *growStack(k: Context, f: FaultState): Work<boolean> {
      if ((yield* expandDownwards(k, f.vma, f.page)) === 0) return true;
      yield* mmapReadUnlock(k, f.mm);
      return false;
    }
  }

  class GrowsWithoutLock extends Classic {
    override *growStack(k: Context, f: FaultState): Work<boolean> {
      yield* mmapReadUnlock(k, f.mm);
      const error = yield* expandDownwards(k, f.vma, f.page);
      if (error !== 0) return false;
      yield* mmapReadLock(k, f.mm);
      return true;
    }
  }

  const meeting: Meeting = {
    *before(k) {
      yield* mapPages(k, PAGE, 4, 3, PRIVATE_FIXED | GROWSDOWN);
      yield* store(k, PAGE, 1);
    },
    *first(k) {
      yield* userFault(k, PAGE - 1, "write");
    },
    *second(k) {
      yield* userFault(k, PAGE - 2, "write");
    },
  };

  it.each([GrowsUnderReadLock, GrowsWithoutLock])(
    "by a subclass that lacks the lock is reported",
    (Design) => {
      expect(raceOf({ ...meeting, design: new Design() })!.text).toMatch(/of vm_area_struct\./);
    },
  );

  it("as it is is not", () => {
    expect(raceOf({ ...meeting, design: new Classic() })).toBeNull();
  });
});

describe("a copy under a sequence count", () => {
  function* before(k: Context): Work {
    yield* mapPages(k, PAGE, 8, 3, PRIVATE_FIXED);
    yield* store(k, PAGE, 1);
  }
  const meeting = {
    before,
    *first(k: Context): Work {
      yield* unmapPages(k, PAGE + 4, 2);
    },
    *second(k: Context): Work {
      yield* userFault(k, PAGE + 1, "write");
    },
  };

  it("may be torn if the check throws it away", () => {
    expect(raceOf({ ...meeting, design: new SpfMm() })).toBeNull();
  });

  it("is reported if the writer does not change the count, and the check passes", () => {
    class NoCount extends SpfMm {
      override *afterWriteLock(): Work {}
      override *beforeWriteUnlock(): Work {}
    }
    let found: Violation | null = null;
    for (let seed = 1; seed <= 60 && found === null; seed++) {
      found = meet({ ...meeting, design: new NoCount() }, seed)[0] ?? null;
    }
    expect(found!.text).toMatch(/a copy/);
  });
});

describe("a grace period", () => {
  /** A reader looks at a word; then somebody else writes it. */
  function raceAfter(wait: KernelCode): Violation | null {
    let hasRead = false;
    return raceOf({
      *before(k) {
        hasRead = false;
        if (k.point(20)) yield;
      },
      *first(k) {
        yield* waitUntil(k, () => hasRead);
        yield* wait(k);
        if (k.point(20)) yield;
        mmUsers.get(k.ram, k.task!.mm);
        mmTotalVm.set(k.ram, k.task!.mm, 1);
      },
      *second(k) {
        if (k.point(20)) yield;
        mmUsers.get(k.ram, k.task!.mm);
        mmTotalVm.get(k.ram, k.task!.mm);
        hasRead = true;
      },
    });
  }

  it("orders its readers before what follows it", () => {
    expect(raceAfter(synchronizeRcu)).toBeNull();
  });

  it("that nobody waits for does not", () => {
    expect(raceAfter(function* () {})).not.toBeNull();
  });
});

describe("the whole kernel", () => {
  it.each([
    ["two-faults", "classic"],
    ["two-faults", "spf-mm"],
    ["fault-vs-munmap", "spf-mm"],
    ["two-stack-growths", "spf-mm"],
  ])("has no data race in %s under %s", (name, design) => {
    const found = runsOf(name, design, 60);
    expect(found).toEqual([]);
  });

  it.each([
    ["two-stack-growths", "spf-mm+A17"],
    ["fault-vs-stack-growth", "spf-mm+A17"],
  ])("has one in %s under %s", (name, design) => {
    expect(runsOf(name, design, 20)[0]).toMatch(/^I15: data race/);
  });
});

function runsOf(name: string, design: string, runs: number): string[] {
  const scenario = findScenario(name)!;
  const world = new World({
    model: X86_MACHINES.find((model) => model.name === scenarioMachine("x86-64", scenario))!,
    scenario,
    image: readScenario("x86-64", scenario),
    design,
    tlb: "typical",
    withoutParts: ["structure", "lifetime", "translations", "witness"],
  });
  const found: string[] = [];
  for (let seed = 1; seed <= runs; seed++) {
    const pct = new Pct({ seed, depth: 4, steps: 150, cores: world.machine.cores.length });
    const { judgement } = world.run(pct, { seed });
    if (judgement !== null) found.push(violationText(judgement));
  }
  return found;
}
