/** The witness on a machine: what breaks the order of a page's incarnations, results and signals is reported. */
import { describe, expect, it } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import { Classic, type FaultDesign, SpfMm } from "../../../kernel/mm/designs/index.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, memoryOf, mprotect } from "../../../kernel/mm/index.ts";
import { pageAllocation } from "../../../kernel/mm/page.ts";
import { findPteSlot, setPteAt } from "../../../kernel/mm/page-table.ts";
import { VM_WRITE, vmFlags } from "../../../kernel/mm/vma.ts";
import { findVma } from "../../../kernel/mm/vma-tree.ts";
import type { Syscall } from "../../../kernel/syscalls/syscall.ts";
import { observerOf } from "../../../stress/oracle/part.ts";
import { type Violation, violationText } from "../../../stress/oracle/violation.ts";
import { Witness } from "../../../stress/oracle/witness/witness.ts";
import {
  halves,
  MmMachine,
  mapPages,
  store,
  unmapPages,
  userFault,
} from "../../kernel/mm/support/mm-machine.ts";
import { runProgram } from "./support/program-run.ts";

const BASE = 0x7_0000;
const FIXED = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
const PROT_READ = 1;
const PROT_WRITE = 3;

/** A kernel function as a task under the witness, with BASE … BASE+3 mapped and written. */
function witnessed(
  work: (k: Context, guest: Guest) => Work,
  design: FaultDesign = new Classic(),
): readonly Violation[] {
  const machine = new MmMachine({ design });
  const violations: Violation[] = [];
  const { kernel, memory } = machine;
  const witness = new Witness({ kernel, memory, report: (violation) => violations.push(violation) });
  kernel.observer = observerOf([witness.events]);
  machine.run(function* (k) {
    yield* mapPages(k, BASE, 4, PROT_WRITE, FIXED);
    for (let page = BASE; page < BASE + 4; page++) yield* store(k, page, 1);
    witness.mark();
    yield* work(k, new Guest(k, witness));
    k.kernel.observer = null;
  });
  return violations;
}

/** What user code of the task would do. */
class Guest {
  readonly #k: Context;
  readonly #witness: Witness;

  constructor(k: Context, witness: Witness) {
    this.#k = k;
    this.#witness = witness;
  }

  /** The frame of a page and its allocation, to be used later through an old translation. */
  translation(page: number): { frame: number; allocation: number } {
    const m = memoryOf(this.#k);
    const slot = findPteSlot(m, this.#k.task!.mm, page);
    const frame = m.format.frame(m.ram.read32(slot), m.ram.read32(slot + 4));
    return { frame, allocation: pageAllocation.get(m.ram, m.frames.map.page(frame)) };
  }

  use(
    page: number,
    kind: "read" | "write",
    through: { frame: number; allocation: number } = this.translation(page),
    core = 0,
  ): void {
    const { pid, mm } = this.#k.task!;
    this.#witness.access(core, pid, mm, page, kind, through.frame, through.allocation);
  }

  /** A system call with its frame around it. */
  *call(name: string, args: readonly number[], work: Work<number>, answer?: number): Work {
    const call = {
      size: (index: number) => args[index] ?? 0,
      lo: (index: number) => (args[index] ?? 0) | 0,
      hi: (index: number) => Math.floor((args[index] ?? 0) / 2 ** 32),
    } as unknown as Syscall;
    const observer = this.#k.kernel.observer!;
    observer.syscallEnter(this.#k, name, call);
    const result = yield* work;
    observer.syscallExit(this.#k, name, call, answer ?? result);
  }

  *munmap(page: number, pages: number, answer?: number): Work {
    yield* this.call("munmap", [page * 4096, pages * 4096], unmapPages(this.#k, page, pages), answer);
  }

  *mprotect(page: number, pages: number, prot: number): Work {
    const work = mprotect(this.#k, ...halves(page), pages * 4096, 0, prot, -1);
    yield* this.call("mprotect", [page * 4096, pages * 4096, prot], work);
  }
}

describe("pages", () => {
  it("what is still mapped may be used, and a call that runs leaves its old entries usable", () => {
    const found = witnessed(function* (k, guest) {
      guest.use(BASE, "write");
      const old = guest.translation(BASE + 1);
      yield* guest.call(
        "munmap",
        [(BASE + 1) * 4096, 4096],
        (function* () {
          const result = yield* unmapPages(k, BASE + 1, 1);
          guest.use(BASE + 1, "read", old, 0);
          return result;
        })(),
      );
    });
    expect(found.map(violationText)).toEqual([]);
  });

  it("a load through an old entry after munmap() has returned is I4", () => {
    const [found] = witnessed(function* (_k, guest) {
      const old = guest.translation(BASE + 1);
      yield* guest.munmap(BASE + 1, 1);
      guest.use(BASE + 1, "read", old);
    });
    expect(found).toMatchObject({
      invariant: "I4",
      earlier: { what: "munmap() returns" },
      later: { what: "user load", va: `0x${(BASE + 1).toString(16)}000` },
    });
  });

  it("a store through an old entry after mprotect() has returned is I4, a load is none", () => {
    const storing = (kind: "read" | "write"): readonly Violation[] =>
      witnessed(function* (_k, guest) {
        const old = guest.translation(BASE);
        yield* guest.mprotect(BASE, 1, PROT_READ);
        guest.use(BASE, kind, old);
      });
    expect(storing("read")).toEqual([]);
    expect(storing("write")[0]).toMatchObject({ invariant: "I4", earlier: { what: "mprotect() returns" } });
  });

  it("a core that was in the new page and goes back to the old one is I7", () => {
    const [found] = witnessed(function* (k, guest) {
      const old = guest.translation(BASE);
      // A discarding call runs: one core has the new page, the other may have the old one, each for good.
      const observer = k.kernel.observer!;
      const call = { size: () => 0, lo: () => 0, hi: () => 0 } as unknown as Syscall;
      observer.syscallEnter(k, "madvise", call);
      const m = memoryOf(k);
      setPteAt(k, k.task!.mm, BASE, findPteSlot(m, k.task!.mm, BASE), 0, 0);
      yield* userFault(k, BASE, "write");
      guest.use(BASE, "read", old, 0);
      guest.use(BASE, "write", guest.translation(BASE), 0);
      guest.use(BASE, "read", old, 0);
    });
    expect(found).toMatchObject({ invariant: "I7" });
  });

  it("a frame that was never a page's, beside the one that is, is I7; where there is none it is I4", () => {
    const loading = (isMapped: boolean): readonly Violation[] =>
      witnessed(function* (_k, guest) {
        const foreign = guest.translation(BASE + 1);
        if (!isMapped) yield* guest.munmap(BASE, 1);
        guest.use(BASE, "read", foreign);
      });
    expect(loading(true)[0]).toMatchObject({ invariant: "I7", later: { what: "user load" } });
    expect(loading(false)[0]).toMatchObject({ invariant: "I4", earlier: { what: "entry cleared" } });
  });

  it("an entry that is exchanged in one step leaks the page that it led to: I13", () => {
    const [found] = witnessed(function* (k) {
      yield* noWork(k);
      const m = memoryOf(k);
      const { mm } = k.task!;
      const from = findPteSlot(m, mm, BASE);
      setPteAt(k, mm, BASE + 1, findPteSlot(m, mm, BASE + 1), m.ram.read32(from), m.ram.read32(from + 4));
    });
    expect(found).toMatchObject({ invariant: "I13", later: { what: "entry set" } });
  });

  it("a dirty entry that is overwritten by a clean one is I5", () => {
    const [found] = witnessed(function* (k) {
      yield* noWork(k);
      const m = memoryOf(k);
      const { mm } = k.task!;
      const slot = findPteSlot(m, mm, BASE);
      m.format.load(m.ram.read32(slot), m.ram.read32(slot + 4));
      m.format.mkClean();
      setPteAt(k, mm, BASE, slot, m.format.lo, m.format.hi);
    });
    expect(found).toMatchObject({ invariant: "I5" });
  });

  it("a store that leaves its entry clean is I5", () => {
    const [found] = witnessed(function* (k, guest) {
      yield* noWork(k);
      const m = memoryOf(k);
      const slot = findPteSlot(m, k.task!.mm, BASE);
      m.format.load(m.ram.read32(slot), m.ram.read32(slot + 4));
      m.format.mkClean();
      m.ram.write64(slot, m.format.lo, m.format.hi);
      guest.use(BASE, "write");
    });
    expect(found).toMatchObject({ invariant: "I5", later: { what: "user store" } });
  });

  it("a page that is written while it is copied is I6", () => {
    const design = new SpfMm();
    let copying: () => void = () => {};
    const { cowBegin } = design;
    design.cowBegin = function* (k, f) {
      copying();
      return yield* cowBegin.call(design, k, f);
    };
    const [found] = witnessed(function* (k, guest) {
      const m = memoryOf(k);
      const { mm } = k.task!;
      const old = guest.translation(BASE);
      // Read-only and shared, as fork leaves it; another core still has the old entry.
      const slot = findPteSlot(m, mm, BASE);
      m.format.load(m.ram.read32(slot), m.ram.read32(slot + 4));
      m.format.wrprotect();
      setPteAt(k, mm, BASE, slot, m.format.lo, m.format.hi);
      m.getPage(m.frames.map.page(old.frame));
      copying = () => guest.use(BASE, "write", old, 0);
      yield* userFault(k, BASE, "write", "present");
    }, design);
    expect(found).toMatchObject({ invariant: "I6", earlier: { what: "user store" } });
  });
});

describe("results and signals", () => {
  it("calls that return what the witness says are silent", () => {
    const found = witnessed(function* (_k, guest) {
      yield* guest.mprotect(BASE, 2, PROT_READ);
      yield* guest.munmap(BASE + 1, 1);
      yield* guest.mprotect(BASE, 2, PROT_WRITE);
      yield* guest.munmap(BASE + 1, 0);
    });
    expect(found.map(violationText)).toEqual([]);
  });

  it("a wrong result is I14", () => {
    const [found] = witnessed(function* (_k, guest) {
      yield* guest.munmap(BASE, 1, -12);
    });
    expect(found).toMatchObject({ invariant: "I14", earlier: { what: "munmap() begins" } });
  });

  it("success without a write section is I14", () => {
    const [found] = witnessed(function* (k, guest) {
      yield* guest.call("munmap", [BASE * 4096, 4096], noWork(k));
    });
    expect(found).toMatchObject({ invariant: "I14" });
  });

  it("a mapping that is not what the calls made of it is I14", () => {
    const [found] = witnessed(function* (k, guest) {
      const vma = findVma(k.ram, k.task!.mm, BASE + 2);
      vmFlags.set(k.ram, vma, vmFlags.get(k.ram, vma) & ~VM_WRITE);
      yield* guest.munmap(BASE, 1);
    });
    expect(found).toMatchObject({ invariant: "I14", later: { what: "end of a write section" } });
  });

  it("SIGSEGV for a page that is accessible all the time is I14", () => {
    const design = new Classic();
    const { pteMapLock } = design;
    design.pteMapLock = function* (k, f) {
      const signal = { signo: 11, code: 1, lo: f.lo, hi: f.hi, trap: 14, error: 0 } as const;
      k.kernel.observer?.signalForced(k, signal);
      return yield* pteMapLock.call(design, k, f);
    };
    const [found] = witnessed(function* (k) {
      yield* userFault(k, BASE, "write", "present");
    }, design);
    expect(found).toMatchObject({ invariant: "I14", later: { what: "SIGSEGV" } });
  });
});

describe("programs under the random scheduler, every access told", () => {
  it.each([
    ["mremap", SpfMm],
    ["mmaprace", SpfMm],
    ["stack", SpfMm],
    ["sigsegv", SpfMm],
    ["processes", Classic],
    ["dontneed", Classic],
    ["cow", Classic],
  ])("%s does what the witness says", (program, Design) => {
    const parts = (world: ConstructorParameters<typeof Witness>[0]): [Witness] => [new Witness(world)];
    const { reason, violations } = runProgram({ program, design: new Design(), seed: 4, parts });
    expect(violations.map(violationText)).toEqual([]);
    expect(reason.status).toBe(0);
  });

  it("a recycled context slot without a flush is caught (C12)", () => {
    const parts = (world: ConstructorParameters<typeof Witness>[0]): [Witness] => [new Witness(world)];
    const { violations } = runProgram({ program: "processes", design: "spf-mm+C12", seed: 1, parts });
    expect(violations[0]).toMatchObject({ invariant: "I4" });
  });
});

function* noWork(k: Context): Work<number> {
  if (k.point(1)) yield;
  return 0;
}
