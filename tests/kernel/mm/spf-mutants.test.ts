/**
 * Broken variants of spf-mm, each a subclass that overrides one step. Two cores are led to the moment that the step is
 * there for: a fault has its copy of a VMA, a writer takes write permission away. Once the writer has returned, no entry
 * may grant it.
 */
import { describe, expect, test } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import { seqRead } from "../../../kernel/locking/index.ts";
import { SpfMm } from "../../../kernel/mm/designs/index.ts";
import type { FaultState } from "../../../kernel/mm/fault-state.ts";
import { mprotect } from "../../../kernel/mm/index.ts";
import { mmMmapSeq } from "../../../kernel/mm/mm-struct.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE } from "../../../kernel/mm/mmap.ts";
import { findPteSlot, NO_SLOT } from "../../../kernel/mm/page-table.ts";
import type { KPtr } from "../../../kernel/struct.ts";
import { halves, MmMachine, mapPages, store, userFault } from "./support/mm-machine.ts";

const BASE = 0x7_0000_0000;
/** The page of the fault: mapped, without an entry. */
const PAGE: number = BASE + 2;
const FIXED = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

/** A01: no check under the page-table lock. */
class NoSecondCheck extends SpfMm {
  override seq2(): boolean {
    return true;
  }
}

/** A03: an attempt may begin inside a writer's section. */
class OddAccepted extends SpfMm {
  override begin(k: Context, f: FaultState): boolean {
    f.seq = seqRead(k, f.mm, mmMmapSeq);
    return true;
  }
}

/** A05: the count is even again before the writer changes anything. */
class EvenAtOnce extends SpfMm {
  override *afterWriteLock(k: Context, mm: KPtr): Work {
    yield* super.afterWriteLock(k, mm);
    yield* super.beforeWriteUnlock(k, mm);
  }
  override *beforeWriteUnlock(): Work {}
}

/** When the writer runs: while the fault stands before the lock, or around all of the fault but its begin. */
type Stage = "between-checks" | "around-attempt";

function* until(k: Context, holds: () => boolean): Work {
  while (!holds()) if (k.point(20)) yield;
}

/** Leads the two through the stage; whether the entry is writable after mprotect() took the right away. */
function leftWritable(design: SpfMm, stage: Stage): { writable: boolean; signals: number } {
  const machine = new MmMachine({ design, cpus: 2, memoryMb: 16 });
  const reached = {
    ready: false,
    locked: false,
    atLock: false,
    changed: false,
    attempted: false,
    returned: false,
  };
  let writable = false;
  const { lockPte, endAttempt, afterWriteLock, beforeWriteUnlock } = design;
  // The first attempt on the lock is taken to have failed, and the second waits for the stage.
  design.lockPte = () => false;
  design.lockContended = function* (k, f) {
    reached.atLock = true;
    yield* until(k, () => (stage === "between-checks" ? reached.returned : reached.changed));
    return lockPte.call(design, k, f);
  };
  design.endAttempt = (k, f, result) => {
    if (reached.ready) reached.attempted = true;
    return endAttempt.call(design, k, f, result);
  };
  design.afterWriteLock = function* (k, mm) {
    yield* afterWriteLock.call(design, k, mm);
    if (!reached.ready || reached.locked) return;
    reached.locked = true;
    yield* until(k, () => reached.atLock || reached.attempted);
  };
  design.beforeWriteUnlock = function* (k, mm) {
    if (reached.locked && !reached.changed) {
      reached.changed = true;
      if (stage === "around-attempt") yield* until(k, () => reached.attempted);
    }
    yield* beforeWriteUnlock.call(design, k, mm);
  };
  machine.run(
    function* (k: Context): Work {
      yield* mapPages(k, BASE, 4, 3, FIXED);
      yield* store(k, BASE, 1);
      reached.ready = true;
      if (stage === "between-checks") yield* until(k, () => reached.atLock);
      yield* mprotect(k, ...halves(PAGE), ...halves(1), 1, -1);
      reached.returned = true;
      yield* until(k, () => reached.attempted);
      const slot = findPteSlot(machine.memory, k.task!.mm, PAGE);
      writable = slot !== NO_SLOT && machine.memory.format.isWritable(k.ram.read32(slot), 0);
    },
    function* (k: Context): Work {
      yield* until(k, () => (stage === "between-checks" ? reached.ready : reached.locked));
      yield* userFault(k, PAGE, "write");
    },
  );
  expect(reached.returned).toBe(true);
  return { writable, signals: machine.signals.length };
}

describe("write permission that was taken away is gone", () => {
  test.each(["between-checks", "around-attempt"] as const)("under the whole design, writer %s", (stage) => {
    // The fault goes on under mmap_lock, where the store is refused.
    expect(leftWritable(new SpfMm(), stage)).toEqual({ writable: false, signals: 1 });
  });

  test.each([
    ["NoSecondCheck", () => new NoSecondCheck(), "between-checks"],
    ["OddAccepted", () => new OddAccepted(), "around-attempt"],
    ["EvenAtOnce", () => new EvenAtOnce(), "around-attempt"],
  ] as const)("not under the mutant %s", (_name, create, stage) => {
    expect(leftWritable(create(), stage)).toEqual({ writable: true, signals: 0 });
  });
});
