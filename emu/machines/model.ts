/** What makes a machine of an architecture: registered in index.ts, listed by `faultline list machines`. */
import type { CoherenceLedger, PhysicalMemory, TranslationObserver } from "../../mmu/index.ts";
import type { Core } from "../cores/index.ts";
import type { Frontend } from "../frontends/frontend.ts";

export interface CoreOptions {
  readonly policy: "typical" | "adversarial";
  readonly seed: number;
  readonly observer: TranslationObserver | null;
  readonly ledger: CoherenceLedger | null;
  /** Whether a frame holds kernel text. */
  readonly isKernelText: (frame: number) => boolean;
  /** Number of the core that executes now. */
  readonly running: () => number;
}

export interface MachineModel {
  readonly name: string;
  /** Architecture name as `--arch` takes it. */
  readonly arch: string;
  readonly description: string;
  /** ELF e_machine of its programs. */
  readonly elfMachine: number;
  readonly cyclesPerSecond: number;
  readonly maxCores: number;
  readonly frontend: Frontend;
  /** Bytes of one core's state region. */
  readonly coreStateBytes: number;
  /** log2 of the page sizes that the TLBs hold, ascending. */
  readonly leafShifts: readonly number[];
  /** Whether the mapping of this address outlives the frame it leads to (the kernel's direct map): for the ledger. */
  isPermanentMapping(lo: number, hi: number): boolean;
  /** What firmware tells the kernel about the machine, by names that the architecture's kernel code knows. */
  readonly firmware: Readonly<Record<string, number>>;
  /** Makes the cores, parked in reset state; the machine lets the first one execute. */
  createCores(ram: PhysicalMemory, count: number, options: CoreOptions): Core[];
}
