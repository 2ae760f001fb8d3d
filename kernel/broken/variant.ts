/**
 * A broken variant of the kernel: the whole kernel with one step replaced, so that the race which the step prevents can
 * be had on demand. Steps are methods (kernel/mm/designs, kernel/mm/mm-steps.ts, kernel/mm/gather.ts and the address-space
 * code of an architecture); a variant is a subclass with an override, and no kernel code asks for it.
 */
import type { ArchClasses } from "../arch/index.ts";
import type { DesignClass, SpfMm } from "../mm/designs/index.ts";
import type { GatherClass } from "../mm/gather.ts";
import type { MmStepsClass } from "../mm/mm-steps.ts";
import type { TableBatchesClass } from "../mm/table-batch.ts";

/** Number of an invariant in DESIGN.md. */
export type Invariant =
  | "I1"
  | "I2"
  | "I3"
  | "I4"
  | "I5"
  | "I6"
  | "I7"
  | "I8"
  | "I9"
  | "I10"
  | "I11"
  | "I12"
  | "I13"
  | "I14"
  | "I15";

/** What a machine must have for the race to exist. */
export type Need =
  /** Two context slots a core, so that they are taken in turn at once. */
  | "two context slots"
  /** As few ASIDs as the cores can do with, so that their generations roll over all the time. */
  | "few ASIDs";

/** The classes that a variant puts in the place of whole ones. */
export interface Overrides extends ArchClasses {
  /** Any fault design, with a step overridden. */
  readonly design?: (base: DesignClass) => DesignClass;
  readonly spfMm?: new () => SpfMm;
  readonly gather?: GatherClass;
  readonly steps?: MmStepsClass;
  readonly tableBatches?: TableBatchesClass;
}

export interface BrokenVariant {
  /** As on the command line, behind the design and a plus sign. */
  readonly id: string;
  /** Which step is missing or misplaced, in one line. */
  readonly title: string;
  /** Row of the catalogue of races; null: the race is in none of its rows. */
  readonly catalogue: string | null;
  /** Fault designs that have the step. */
  readonly designs: readonly string[];
  /** Architectures that have it; absent: all. */
  readonly architectures?: readonly string[];
  /** What the catalogue says is violated. */
  readonly invariants: readonly Invariant[];
  readonly needs: readonly Need[];
  readonly overrides: Overrides;
}

/** A row of the catalogue that has to wait for the mechanism it is about. */
export interface WaitingVariant {
  readonly id: string;
  readonly title: string;
  readonly catalogue: string;
  readonly invariants: readonly Invariant[];
  readonly waitsFor: string;
}

export const SPF_MM: readonly string[] = ["spf-mm"];
export const ALL_DESIGNS: readonly string[] = ["classic", "spf-mm"];
export const X86: readonly string[] = ["x86-64"];
export const ARM64: readonly string[] = ["aarch64"];
