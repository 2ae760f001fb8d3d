/** Machines that break one rule of the manual: the litmus test of that rule must say so. */
import { describe, expect, it } from "vitest";
import type { X86Core } from "../../../emu/traps/x86-64/index.ts";
import { FAULT, PTE_RW } from "../../../mmu/index.ts";
import { holds } from "../../../stress/litmus/condition.ts";
import { DEFAULT_BOUNDS, explore } from "../../../stress/litmus/explore.ts";
import type { LitmusTest } from "../../../stress/litmus/index.ts";
import { truthIn } from "../../../stress/litmus/x86-64/observation.ts";
import { X86LitmusWorld } from "../../../stress/litmus/x86-64/world.ts";
import { litmusTests } from "./files.ts";

const tests = new Map(litmusTests("x86-64").map((test) => [test.name, test]));

interface Fault {
  readonly what: string;
  /** Litmus tests of forbidden outcomes that it makes reachable. */
  readonly seenBy: readonly string[];
  /** Overrides one operation of a core. */
  install(core: X86Core, world: X86LitmusWorld): void;
}

const FAULTS: readonly Fault[] = [
  {
    what: "INVLPG that does nothing",
    seenBy: [
      "clear-invlpg-load",
      "read-only-invlpg",
      "clear-accessed-invlpg",
      "clean-shootdown",
      "table-reuse",
    ],
    install: ({ mmu }) => {
      mmu.invlpg = () => {};
    },
  },
  {
    what: "INVLPG that spares the paging-structure caches",
    seenBy: ["pde-change-invlpg-any-address"],
    install: ({ mmu }) => {
      mmu.invlpg = (lo, hi) => mmu.evictPage(lo, hi);
    },
  },
  {
    what: "INVLPG that spares global pages",
    seenBy: ["global-invlpg"],
    install: ({ mmu }) => {
      mmu.invlpg = (lo, hi) => {
        mmu.invpcid(0, mmu.pcid, lo, hi);
      };
    },
  },
  {
    what: "INVPCID that spares its own PCID",
    seenBy: ["invpcid-of-this-pcid", "global-invpcid-2"],
    install: ({ mmu }) => {
      mmu.invpcid = () => true;
    },
  },
  {
    what: "an interrupt that is accepted with RFLAGS.IF clear",
    seenBy: ["software-walk-interrupts-off"],
    install: (core) => {
      core.interruptsEnabled = () => true;
      core.interruptDeliverable = () => core.interrupts.best >= 0;
    },
  },
  {
    what: "a page fault that keeps the read-only entry that caused it",
    seenBy: ["writable-second-fault"],
    install: ({ mmu, ram }, { layout }) => {
      const slot = layout.slot({ location: "x", level: 1, root: 0 });
      const translate = mmu.translate.bind(mmu);
      mmu.translate = (lo, hi, kind, privilege) => {
        const isReadOnly = mmu.cachedEntries().some((entry) => entry.shift === 12 && !entry.writable);
        const status = translate(lo, hi, kind, privilege);
        if (status === FAULT && isReadOnly) {
          // The fault has dropped it: it is read again from the entry as it was.
          const entry = ram.i32[slot]!;
          ram.i32[slot] = entry & ~PTE_RW;
          mmu.speculate(lo, hi);
          ram.i32[slot] = entry;
        }
        return status;
      };
    },
  },
];

function reaches(test: LitmusTest, fault: Fault | null): boolean {
  const world = new X86LitmusWorld(test);
  if (fault !== null) for (const { core } of world.drivers) fault.install(core, world);
  let reached = false;
  const { exceeded } = explore(world, DEFAULT_BOUNDS, () => {
    reached ||= holds(test.question, (atom) => truthIn(world, atom));
  });
  expect(exceeded).toBeNull();
  return reached;
}

describe("a machine with", () => {
  const cases = FAULTS.flatMap((fault) =>
    fault.seenBy.map((name): [string, string, Fault] => [fault.what, name, fault]),
  );
  it.each(cases)("%s is found by %s", (_, name, fault) => {
    const test = tests.get(name)!;
    expect(test.verdict).toBe("forbidden");
    expect(reaches(test, null)).toBe(false);
    expect(reaches(test, fault)).toBe(true);
  });
});
