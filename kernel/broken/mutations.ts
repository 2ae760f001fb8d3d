/**
 * The mutation pass: every invalidation, wait for an acknowledgement, flush before a free and re-check of spf-mm and of
 * the flush code, each left out once. The list is made from the step methods; a method that is renamed or gone does not
 * compile here. A mutation is a variant like the others, and can be chosen by its id.
 */
import { Asids, activeAsids } from "../arch/arm64/asid.ts";
import { Arm64Tlb } from "../arch/arm64/tlb.ts";
import { X86Tlb } from "../arch/x86/tlb.ts";
import type { Context, Work } from "../context.ts";
import { SpfMm } from "../mm/designs/index.ts";
import { Gather } from "../mm/gather.ts";
import { memoryOf } from "../mm/memory.ts";
import { MmSteps } from "../mm/mm-steps.ts";
import { mmTlbGen } from "../mm/mm-struct.ts";
import { batchFrames, TableBatches } from "../mm/table-batch.ts";
import type { KPtr } from "../struct.ts";
import { ALL_DESIGNS, ARM64, type BrokenVariant, type Overrides, SPF_MM, X86 } from "./variant.ts";

export type StepKind = "invalidation" | "acknowledgement" | "flush-before-free" | "re-check";

export interface Mutation {
  /** CLASS.METHOD; also the variant's id. */
  readonly id: string;
  readonly kind: StepKind;
  /** What the kernel does instead. */
  readonly instead: string;
  readonly variant: BrokenVariant;
}

/** A step whose only effect is the order of memory accesses: data accesses are sequentially consistent, so it is listed alone. */
export interface OrderOnlyStep {
  readonly id: string;
  readonly step: string;
}

type Method = (this: object, ...args: never[]) => unknown;

interface StepSpec {
  readonly kind: StepKind;
  readonly instead: string;
  replace(original: Method): Method;
}

type Steps<T> = { readonly [Name in keyof T]?: StepSpec };

const SPF_MM_STEPS: Steps<SpfMm> = {
  begin: saysWhatever(true, "an attempt may begin inside a writer's section"),
  validateCopy: saysWhatever(true, "the copy of the VMA may be torn"),
  seq1: saysWhatever(true, "the tables of the walk may be freed when they are used again"),
  seq2: saysWhatever(true, "a writer may have passed the table when the fault commits"),
  entryIsSame: saysWhatever(true, "an entry is replaced whatever it is by now"),
  entryIsNone: saysWhatever(true, "a page is mapped over what is mapped by now"),
};

const MM_STEPS: Steps<MmSteps> = {
  flushCopied: doesNothing("invalidation", "copy-on-write does not flush the old page's address"),
  flushForked: doesNothing("invalidation", "fork does not flush the parent"),
  flushProtected: doesNothing("invalidation", "mprotect does not flush"),
  flushMoved: doesNothing(
    "invalidation",
    "mremap does not flush the old addresses under the page-table locks",
  ),
  startModify: {
    kind: "invalidation",
    instead: "mprotect does not clear an entry while it changes it",
    replace: () => () => {},
  },
};

const GATHER_STEPS: Steps<Gather> = {
  flushTlb: doesNothing("flush-before-free", "a gather frees without a flush"),
  flushDirty: doesNothing(
    "invalidation",
    "dirty pages that live on are not flushed under the page-table lock",
  ),
  queueTable: {
    kind: "flush-before-free",
    instead: "an unlinked table does not wait for the flush",
    replace: () => freeAtOnce,
  },
  isNested: saysWhatever(false, "a gather does not flush for another one in progress"),
};

const X86_TLB_STEPS: Steps<X86Tlb> = {
  nextGeneration: {
    kind: "invalidation",
    instead: "a flush does not advance the generation",
    replace: () => (k: Context, mm: KPtr) => mmTlbGen.get(k.ram, mm),
  },
  interruptTargets: doesNothing("invalidation", "no other core is interrupted"),
  awaitTargets: doesNothing("acknowledgement", "the flusher does not wait for the other cores"),
  flushHere: doesNothing("invalidation", "the flusher's own core does not flush"),
  dropPage: { kind: "invalidation", instead: "INVLPG is left out", replace: () => () => {} },
  dropContext: { kind: "invalidation", instead: "the write of CR3 is left out", replace: () => () => {} },
  isNext: saysWhatever(true, "single pages are enough for a core that missed a flush"),
  isClean: saysWhatever(true, "a core that missed a flush uses a context as it is"),
  isUsed: saysWhatever(false, "a context that was another address space's is used as it is"),
};

const TABLE_BATCHES_STEPS: Steps<TableBatches> = {
  retire: {
    kind: "flush-before-free",
    instead: "a batch of tables is freed without a grace period",
    replace: () =>
      function (this: object, k: Context, batch: KPtr): void {
        for (const frame of batchFrames(memoryOf(k), batch)) {
          memoryOf(k).putPage(k, memoryOf(k).frames.map.page(frame));
        }
      },
  },
  freeAlone: {
    kind: "flush-before-free",
    instead: "a table without a batch is freed without a grace period",
    replace: () => freeAtOnce,
  },
};

const ARM64_TLB_STEPS: Steps<Arm64Tlb> = {
  publishStores: doesNothing("invalidation", "no DSB ISHST before the TLBI"),
  broadcast: { kind: "invalidation", instead: "the TLBI is left out", replace: () => () => {} },
  awaitAll: doesNothing("acknowledgement", "no DSB ISH after the TLBI"),
  flushMm: doesNothing("invalidation", "a flush of the whole address space is left out"),
  dropPages: doesNothing("invalidation", "a flush of single pages is left out"),
};

const ASIDS_STEPS: Steps<Asids> = {
  isCurrent: saysWhatever(true, "an id is used whatever its generation"),
  exchangeActive: {
    kind: "re-check",
    instead: "a rollover that came in between is not noticed",
    replace: () => (k: Context, core: KPtr, _active: number, id: number) => {
      activeAsids.set(k.ram, core, id);
      return true;
    },
  },
  isOfGeneration: saysWhatever(true, "an id is kept whatever its generation"),
  keptAsid: {
    kind: "re-check",
    instead: "a rollover forgets what a core runs under that has not switched since the last one",
    replace: () => (_k: Context, _core: KPtr, active: number) => active,
  },
  updateReserved: saysWhatever(false, "an ASID that a core runs under is not looked for"),
  takeFlushPending: saysWhatever(false, "no core flushes after a rollover"),
  flushLocal: doesNothing("invalidation", "the flush after a rollover is left out"),
};

export const MUTATIONS: readonly Mutation[] = [
  ...mutate(
    "SpfMm",
    SPF_MM_STEPS,
    () => class extends SpfMm {},
    (spfMm) => ({ spfMm }),
  ),
  ...mutate(
    "MmSteps",
    MM_STEPS,
    () => class extends MmSteps {},
    (steps) => ({ steps }),
  ),
  ...mutate(
    "Gather",
    GATHER_STEPS,
    () => class extends Gather {},
    (gather) => ({ gather }),
  ),
  ...mutate(
    "X86Tlb",
    X86_TLB_STEPS,
    () => class extends X86Tlb {},
    (x86Tlb) => ({ x86Tlb }),
    X86,
  ),
  ...mutate(
    "TableBatches",
    TABLE_BATCHES_STEPS,
    () => class extends TableBatches {},
    (tableBatches) => ({ tableBatches }),
    ARM64,
  ),
  ...mutate(
    "Arm64Tlb",
    ARM64_TLB_STEPS,
    () => class extends Arm64Tlb {},
    (arm64Tlb) => ({ arm64Tlb }),
    ARM64,
  ),
  ...mutate(
    "Asids",
    ASIDS_STEPS,
    () => class extends Asids {},
    (arm64Asids) => ({ arm64Asids }),
    ARM64,
  ),
];

export const ORDER_ONLY: readonly OrderOnlyStep[] = [
  { id: "seqcount.write-begin", step: "smp_wmb() between the odd count and what the writer changes" },
  { id: "seqcount.write-end", step: "smp_wmb() between what the writer changed and the even count" },
  { id: "seqcount.read-begin", step: "smp_rmb() between the count and the copy of the VMA" },
  {
    id: "seqcount.read-check",
    step: "smp_rmb() between the copy of the VMA and the second look at the count",
  },
  {
    id: "tlb.generation",
    step: "smp_mb__after_atomic() between the generation and the mask (inc_mm_tlb_gen)",
  },
  {
    id: "switch.mask",
    step: "the full barrier between the mask bit and the generation (switch_mm_irqs_off)",
  },
  { id: "call.unlock", step: "the release order of csd_unlock()" },
];

// biome-ignore lint/correctness/useYield: it no longer waits.
function* freeAtOnce(k: Context, page: KPtr): Work {
  memoryOf(k).putPage(k, page);
}

/** The step runs, and its verdict is taken to be `verdict`. */
function saysWhatever(verdict: boolean, instead: string): StepSpec {
  return {
    kind: "re-check",
    instead,
    replace: (original) =>
      function (this: object, ...args: never[]): boolean {
        original.apply(this, args);
        return verdict;
      },
  };
}

function doesNothing(kind: StepKind, instead: string): StepSpec {
  return { kind, instead, replace: () => function* (): Work {} };
}

/** A subclass for each step, with that one method replaced. */
function mutate<Class extends { readonly prototype: object }, Instance>(
  className: string,
  steps: Steps<Instance>,
  subclass: () => Class,
  overrides: (mutant: Class) => Overrides,
  architectures?: readonly string[],
): Mutation[] {
  return Object.entries<StepSpec | undefined>(steps).flatMap(([method, spec]) => {
    if (spec === undefined) return [];
    const mutant = subclass();
    const original = Reflect.get(mutant.prototype, method) as Method;
    Object.defineProperty(mutant.prototype, method, { value: spec.replace(original) });
    const id = `${className}.${method}`;
    const variant: BrokenVariant = {
      id,
      title: spec.instead,
      catalogue: null,
      designs: className === "SpfMm" ? SPF_MM : ALL_DESIGNS,
      ...(architectures === undefined ? {} : { architectures }),
      invariants: [],
      needs: [],
      overrides: overrides(mutant),
    };
    return [{ id, kind: spec.kind, instead: spec.instead, variant }];
  });
}
