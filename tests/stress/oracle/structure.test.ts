/** Entries, reverse map and conservation: what breaks them is reported, and correct runs are silent. */
import { describe, expect, it } from "vitest";
import type { Context } from "../../../kernel/context.ts";
import { Classic, type FaultDesign, SpfMm } from "../../../kernel/mm/designs/index.ts";
import type { FaultState } from "../../../kernel/mm/fault-state.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, type Memory, mprotect } from "../../../kernel/mm/index.ts";
import { pageIsAnon } from "../../../kernel/mm/rmap.ts";
import { vmPgoff } from "../../../kernel/mm/vma.ts";
import type { KPtr } from "../../../kernel/struct.ts";
import { Structure } from "../../../stress/oracle/structure.ts";
import { type Violation, violationText } from "../../../stress/oracle/violation.ts";
import { halves, mapPages, store } from "../../kernel/mm/support/mm-machine.ts";
import { duel } from "./support/duel.ts";
import { type ProgramOptions, type ProgramResult, runProgram } from "./support/program-run.ts";

/** A01. */
class NoSecondCheck extends SpfMm {
  override seq2(): boolean {
    return true;
  }
}

/** The copy of the VMA is torn: its page offset belongs to other bounds. */
class TornCopy extends SpfMm {
  override validateCopy(k: Context, f: FaultState): boolean {
    vmPgoff.set(k.ram, f.vma, vmPgoff.get(k.ram, f.vma) + 1);
    return super.validateCopy(k, f);
  }
}

function run(
  program: string,
  design: FaultDesign,
  seed: number,
  prepare?: ProgramOptions["prepare"],
): ProgramResult {
  const parts: ProgramOptions["parts"] = (world) => [new Structure(world)];
  return runProgram({ program, design, seed, parts, ...(prepare === undefined ? {} : { prepare }) });
}

/** The first violation in runs with several seeds. */
function firstIn(program: string, design: () => FaultDesign, seeds: number): Violation | undefined {
  for (let seed = 1; seed <= seeds; seed++) {
    const { violations } = run(program, design(), seed);
    if (violations.length > 0) return violations[0];
  }
  return undefined;
}

describe("programs under the random scheduler", () => {
  it.each([
    ["mmaprace", SpfMm],
    ["mremap", SpfMm],
    ["dontneed", SpfMm],
    ["stack", SpfMm],
    ["processes", SpfMm],
    ["cow", Classic],
    ["mapfixed", Classic],
    ["mprotect", Classic],
  ])("%s leaves every address space in order and the books balanced", (program, Design) => {
    const { reason, violations } = run(program, new Design(), 2);
    expect(violations.map(violationText)).toEqual([]);
    expect(reason.status).toBe(0);
  });
});

describe("entries", () => {
  const PLACE = 0x4_0000_0000;
  const FIXED = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  const moments = Array.from({ length: 40 }, (_, index) => 3 * index + 1);

  /** A write fault while another thread takes the right to write away. */
  function protectedMeanwhile(design: SpfMm, points: number): Violation[] {
    return duel({
      design,
      points,
      *before(k) {
        yield* mapPages(k, PLACE, 4, 3, FIXED);
        yield* store(k, PLACE, 1);
      },
      page: PLACE + 1,
      kind: "write",
      *after(k) {
        yield* mprotect(k, ...halves(PLACE), 4 * 4096, 0, 1, -1);
      },
      part: (world) => new Structure(world),
    });
  }

  it("those of spf-mm are right whenever the writer comes", () => {
    for (const points of moments) {
      expect(protectedMeanwhile(new SpfMm(), points).map(violationText)).toEqual([]);
    }
  });

  it("one installed without the check under the lock is caught (A01)", () => {
    const found = moments.flatMap((points) => protectedMeanwhile(new NoSecondCheck(), points));
    expect(found[0]).toMatchObject({ invariant: "I1" });
  });

  it("a page with the wrong offset is caught when its entry is set", () => {
    expect(firstIn("storm", () => new TornCopy(), 3)).toMatchObject({
      invariant: "I9",
      later: { what: "entry installed" },
    });
  });
});

describe("conservation", () => {
  /** Breaks putPage() for one page of some kind. */
  function forgetOne(memory: Memory, which: (page: KPtr) => boolean): void {
    const { putPage } = memory;
    let forgotten = false;
    memory.putPage = (k, page) => {
      if (!forgotten && which(page)) forgotten = true;
      else putPage.call(memory, k, page);
    };
  }

  it("a page whose last reference is forgotten is found at the end", () => {
    const { violations } = run("storm", new SpfMm(), 1, (_kernel, memory) =>
      forgetOne(memory, (page) => pageIsAnon(memory.ram, page)),
    );
    expect(violations[0]).toMatchObject({ invariant: "I13" });
    expect(violations[0]!.text).toContain("1 references, but 0 are known");
  });

  it("an object that is never freed is found at the end", () => {
    const design = new Classic();
    const { freeVma } = design;
    let forgotten = false;
    design.freeVma = (k, vma) => {
      if (forgotten) freeVma.call(design, k, vma);
      forgotten = true;
    };
    const { violations } = run("mmaprace", design, 1);
    expect(violations[0]).toMatchObject({ invariant: "I13" });
    expect(violations[0]!.text).toContain("vm_area_struct");
  });
});
