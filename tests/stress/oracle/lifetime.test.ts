/** Lifetimes: what a freed object, a freed table or a gap is touched by is reported, and correct runs are silent. */
import { describe, expect, it } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import { Classic, type FaultDesign, SpfMm } from "../../../kernel/mm/designs/index.ts";
import { FAULT_FLAG_SPECULATIVE } from "../../../kernel/mm/fault-state.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, memoryOf } from "../../../kernel/mm/index.ts";
import { VMA_BYTES } from "../../../kernel/mm/vma.ts";
import type { KPtr } from "../../../kernel/struct.ts";
import { ObservedMemory } from "../../../mmu/index.ts";
import { Lifetime } from "../../../stress/oracle/lifetime.ts";
import { observerOf } from "../../../stress/oracle/part.ts";
import { type Violation, violationText } from "../../../stress/oracle/violation.ts";
import {
  type KernelCode,
  MmMachine,
  mapPages,
  store,
  unmapPages,
  userFault,
} from "../../kernel/mm/support/mm-machine.ts";
import { duel, waitUntil } from "./support/duel.ts";
import { type ProgramResult, runProgram } from "./support/program-run.ts";

/** A14: VMAs die at once. */
class NoGracePeriod extends SpfMm {
  override freeVma(k: Context, vma: KPtr): void {
    memoryOf(k).vmaCache.free(k, vma);
  }
}

/** The look-up is no RCU reader. */
class NoReadSection extends SpfMm {
  override rcuBegin(): void {}
  override rcuEnd(): void {}
}

/** A02: the tables are believed to be there still. */
class NoFirstCheck extends SpfMm {
  override seq1(): boolean {
    return true;
  }
}

function runWithLifetime(program: string, design: FaultDesign, seed: number): ProgramResult {
  return runProgram({ program, design, seed, parts: (world) => [new Lifetime(world)] });
}

function* idle(): Work {}

/** Kernel functions as tasks of one address space, watched; the violations. */
function watch(
  first: KernelCode,
  second: KernelCode = idle,
  design: FaultDesign = new Classic(),
): Violation[] {
  const machine = new MmMachine({
    design,
    cpus: 2,
    memory: (ramBytes, engineBytes) => new ObservedMemory(ramBytes, engineBytes),
  });
  const violations: Violation[] = [];
  const { kernel, memory } = machine;
  const part = new Lifetime({ kernel, memory, report: (violation) => violations.push(violation) });
  kernel.observer = observerOf([part.events]);
  (machine.machine.ram as ObservedMemory).sink = part;
  machine.run(first, second);
  return violations;
}

/** A place whose tables no other mapping shares. */
const ALONE = 0x4_0000_0000;
const FIXED = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

/** A fault whose tables go away from the n-th point of its attempt on. */
function tablesFreed(design: SpfMm, points: number): Violation[] {
  return duel({
    design,
    points,
    *before(k) {
      yield* mapPages(k, ALONE, 4, 3, FIXED);
      yield* store(k, ALONE, 1);
    },
    page: ALONE + 1,
    kind: "write",
    *after(k) {
      yield* unmapPages(k, ALONE, 4);
    },
    part: (world) => new Lifetime(world),
  });
}

describe("programs under the random scheduler", () => {
  it.each([
    ["mmaprace", SpfMm],
    ["mremap", SpfMm],
    ["stack", SpfMm],
    ["processes", SpfMm],
    ["cow", Classic],
    ["mapfixed", Classic],
  ])("%s touches nothing that is not alive", (program, Design) => {
    const { reason, violations } = runWithLifetime(program, new Design(), 3);
    expect(violations.map(violationText)).toEqual([]);
    expect(reason.status).toBe(0);
  });

  it("a VMA freed without a grace period is caught when a reader still copies it", () => {
    const { violations } = runWithLifetime("mmaprace", new NoGracePeriod(), 1);
    expect(violations[0]).toMatchObject({
      invariant: "I11",
      earlier: { what: "free of vm_area_struct" },
      later: { what: "read of a freed object" },
    });
  });

  it("a reader outside a read section is caught at an object that waits for its grace period", () => {
    const { violations } = runWithLifetime("mmaprace", new NoReadSection(), 1);
    expect(violations[0]).toMatchObject({
      invariant: "I11",
      earlier: { what: "call_rcu of vm_area_struct" },
    });
  });
});

describe("page tables", () => {
  const moments = Array.from({ length: 30 }, (_, index) => 2 * index + 10);

  it("the walk of spf-mm touches no freed table", () => {
    for (const points of moments) expect(tablesFreed(new SpfMm(), points).map(violationText)).toEqual([]);
  });

  it("no check before the table is used again is caught in a freed table", () => {
    const found = moments.flatMap((points) => tablesFreed(new NoFirstCheck(), points));
    expect(found[0]).toMatchObject({ invariant: "I2", earlier: { what: "free of a page table" } });
  });

  it("a walk that goes on in a table that is something else by now is caught", () => {
    let walked = false;
    let recycled = false;
    let slot = 0;
    const design = new SpfMm();
    const { commitAttempt } = design;
    design.commitAttempt = function* (k, f) {
      if ((f.flags & FAULT_FLAG_SPECULATIVE) === 0) return yield* commitAttempt.call(design, k, f);
      slot = f.pmdSlot;
      walked = true;
      yield* waitUntil(k, () => recycled);
      k.ram.read32(slot);
      return yield* commitAttempt.call(design, k, f);
    };
    let mapped = false;
    const [violation] = watch(
      function* (k) {
        yield* mapPages(k, ALONE, 4, 3, FIXED);
        yield* store(k, ALONE, 1);
        mapped = true;
        yield* waitUntil(k, () => walked);
        yield* unmapPages(k, ALONE, 4);
        const m = memoryOf(k);
        const kept: number[] = [];
        while (!kept.includes(slot >>> 12)) kept.push(m.frames.map.pfn(yield* m.frames.allocate(k, 0)));
        recycled = true;
      },
      function* (k) {
        yield* waitUntil(k, () => mapped);
        yield* userFault(k, ALONE + 1, "write");
      },
      design,
    );
    expect(violation).toMatchObject({
      invariant: "I2",
      earlier: { what: "free of a page table" },
      later: { what: "read of a page table freed during its walk" },
    });
  });
});

describe("single accesses", () => {
  it("a read behind the end of an object is reported", () => {
    const [violation] = watch(function* (k) {
      const vma = yield* memoryOf(k).vmaCache.allocateZeroed(k, 0);
      // 4096 is no multiple of the size: a slab ends with a gap.
      k.ram.read32(Math.floor(vma / 4096) * 4096 + 4092);
    });
    expect(violation).toMatchObject({
      invariant: "I11",
      later: { what: "read of 4 bytes past the end of an object" },
    });
  });

  it("a second free is reported with the first", () => {
    const [violation] = watch(function* (k) {
      const { vmaCache } = memoryOf(k);
      const vma = yield* vmaCache.allocateZeroed(k, 0);
      vmaCache.free(k, vma);
      vmaCache.free(k, vma);
    });
    expect(violation).toMatchObject({
      invariant: "I11",
      earlier: { what: "free of vm_area_struct" },
      later: { what: "second free of an object" },
    });
  });

  it("a write to a freed frame is reported", () => {
    const [violation] = watch(function* (k) {
      const m = memoryOf(k);
      const page = yield* m.frames.allocate(k, 0);
      m.putPage(k, page);
      k.ram.write32(m.frames.physical(page) + 64, 1);
    });
    expect(violation).toMatchObject({ invariant: "I11", earlier: { what: "free of a frame" } });
  });

  it("the first and the last word of an object are its own", () => {
    const violations = watch(function* (k) {
      const vma = yield* memoryOf(k).vmaCache.allocateZeroed(k, 0);
      k.ram.write64(vma, 1, 1);
      k.ram.write64(vma + VMA_BYTES - 8, 1, 1);
      memoryOf(k).vmaCache.free(k, vma);
    });
    expect(violations).toEqual([]);
  });
});

describe("restoring", () => {
  it("start() forgets what a run changed", () => {
    const machine = new MmMachine({ memory: (ram, engine) => new ObservedMemory(ram, engine) });
    const violations: Violation[] = [];
    const { kernel, memory } = machine;
    const part = new Lifetime({ kernel, memory, report: (violation) => violations.push(violation) });
    kernel.observer = observerOf([part.events]);
    (machine.machine.ram as ObservedMemory).sink = part;
    machine.run(function* (k) {
      const page = yield* memoryOf(k).frames.allocate(k, 0);
      part.mark();
      const at = memoryOf(k).frames.physical(page);
      memoryOf(k).putPage(k, page);
      part.start();
      k.ram.write32(at, 1);
      expect(violations).toEqual([]);
      memoryOf(k).putPage(k, memoryOf(k).frames.map.page(at / 4096));
      yield* unmapPages(k, ALONE, 1);
    });
  });
});
