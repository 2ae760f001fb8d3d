/** What each broken step of arm64 does where the whole kernel's does something else. */
import { describe, expect, test } from "vitest";
import {
  Asids,
  asidGeneration,
  mmContextId,
  reservedAsids,
  tlbFlushPending,
} from "../../../kernel/arch/arm64/asid.ts";
import { Arm64Tlb } from "../../../kernel/arch/arm64/tlb.ts";
import { BROKEN, type Overrides } from "../../../kernel/broken/index.ts";
import { type Context, done, NOTHING, type Work } from "../../../kernel/context.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { SpfMm } from "../../../kernel/mm/designs/index.ts";
import { Gather } from "../../../kernel/mm/gather.ts";
import { TableBatches } from "../../../kernel/mm/table-batch.ts";
import { kptrOf, NULL } from "../../../kernel/struct.ts";
import { FakeCores } from "../arch/arm64/support/fake-cores.ts";

interface Case {
  readonly whole: unknown;
  readonly broken: unknown;
  readonly probe: (overrides: Overrides) => unknown;
}

function finish<T>(work: Work<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** The instructions of the flush of one page, without operands. */
function flush({ arm64Tlb = Arm64Tlb }: Overrides): readonly string[] {
  const cores = new FakeCores(1);
  const asids = new Asids(cores.kernel, cores.memory, 256);
  const features = { range: "absent", levelHint: "absent" } as const;
  const tlb = new arm64Tlb(cores.kernel, cores.initMm, asids, features, 0x3000);
  finish(tlb.flushRange(cores.contexts[0]!, cores.newMm(), 16, 17, 1, 1, "tables-kept"));
  return cores.log.map((line) => line.replace(/ 0x.*/, ""));
}

/** An allocator on three cores, and the first core's context. */
function allocator({ arm64Asids = Asids }: Overrides): { asids: Asids; cores: FakeCores; k: Context } {
  const cores = new FakeCores(3);
  return { asids: new arm64Asids(cores.kernel, cores.memory, 8), cores, k: cores.contexts[0]! };
}

/** What the memory management of a fake kernel is asked, as lines. */
function watchedKernel(): { k: Context; seen: string[] } {
  const seen: string[] = [];
  const cores = new FakeCores(1);
  const k = cores.contexts[0]!;
  const noted = (line: string): Work => {
    seen.push(line);
    return NOTHING;
  };
  const fakes = {
    memory: {
      frames: { allocate: () => done(NULL) },
      mmu: {
        speculativeWalkBegin: () => seen.push("architecture's guard") > 0,
        speculativeWalkEnd: () => seen.push("its end"),
      },
      tableBatches: { freeAlone: () => noted("grace period") },
      putPage: () => seen.push("freed"),
    },
    rcu: { register: () => 0, synchronize: () => noted("grace period") },
    registerCall: () => 0,
    assertionFailed: () => {},
    sched: { online: { words: new Int32Array(32).fill(1, 0, 1) } },
    crossCalls: { toInterrupt: () => ({ clear: () => {}, next: () => -1 }) },
  };
  Object.assign(cores.kernel, fakes);
  return { k, seen };
}

const CASES: Readonly<Record<string, Case>> = {
  A12: {
    whole: ["architecture's guard", "its end", "grace period"],
    broken: ["waits like a page"],
    probe({ spfMm = SpfMm, gather = Gather }) {
      const { k, seen } = watchedKernel();
      const design = new spfMm();
      design.walkEnd(k, design.walkBegin(k));
      const one = new gather(NULL, "range");
      const addPage = one.addPage.bind(one);
      one.addPage = (context, page) => {
        seen.push("waits like a page");
        return addPage(context, page);
      };
      finish(one.queueTable(k, kptrOf(0x5000)));
      return seen;
    },
  },
  A13: {
    whole: ["grace period", "freed"],
    broken: ["freed"],
    probe({ tableBatches = TableBatches }) {
      const { k, seen } = watchedKernel();
      finish(new tableBatches(k.kernel as Kernel).freeAlone(k, kptrOf(0x5000)));
      return seen;
    },
  },
  C13a: {
    whole: [17, 17],
    broken: [17, 0],
    probe(overrides) {
      const { asids, k } = allocator(overrides);
      reservedAsids.set(k.ram, asids.core(1), 17);
      return [asids.keptAsid(k, asids.core(0), 17), asids.keptAsid(k, asids.core(1), 0)];
    },
  },
  C13b: {
    whole: [true, 3, 20, 20],
    broken: [true, 3, 12, 20],
    probe(overrides) {
      const { asids, k } = allocator(overrides);
      for (const [cpu, id] of [3, 12, 12].entries()) reservedAsids.set(k.ram, asids.core(cpu), id);
      const hit = asids.updateReserved(k, 12, 20);
      return [hit, ...[0, 1, 2].map((cpu) => reservedAsids.get(k.ram, asids.core(cpu)))];
    },
  },
  C13c: {
    whole: [true, false],
    broken: [false, false],
    probe(overrides) {
      const { asids, k } = allocator(overrides);
      tlbFlushPending.add(k.ram, asids.at, 0);
      return [asids.takeFlushPending(k), tlbFlushPending.has(k.ram, asids.at, 0)];
    },
  },
  C13d: {
    whole: [false, false, true],
    broken: [false, true, true],
    probe(overrides) {
      const { asids, cores, k } = allocator(overrides);
      const mm = cores.newMm();
      asidGeneration.set(k.ram, asids.at, 16);
      return [0, 9, 17].map((id) => {
        mmContextId.set(k.ram, mm, id);
        return asids.isCurrent(k, mmContextId.get(k.ram, mm));
      });
    },
  },
  "C14-ishst": {
    whole: ["DSB ishst", "TLBI vale1is", "DSB ish"],
    broken: ["TLBI vale1is", "DSB ish"],
    probe: flush,
  },
  "C14-ish": {
    whole: ["DSB ishst", "TLBI vale1is", "DSB ish"],
    broken: ["DSB ishst", "TLBI vale1is"],
    probe: flush,
  },
  "C14-local": {
    whole: ["DSB ishst", "TLBI vale1is", "DSB ish"],
    broken: ["DSB ishst", "TLBI vale1", "DSB ish"],
    probe: flush,
  },
};

const ONLY_ARM64 = BROKEN.filter(({ architectures }) => architectures?.includes("x86-64") === false);

describe("the step that a variant breaks", () => {
  test.each(ONLY_ARM64.map((variant) => [variant.id, variant] as const))("%s", (id, variant) => {
    const { whole, broken, probe } = CASES[id]!;
    expect(probe({})).toEqual(whole);
    expect(probe(variant.overrides)).toEqual(broken);
  });
});
