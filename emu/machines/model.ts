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

/** What the trace event "trap" says. */
export interface TrapEvent {
  /** "told": a page fault or a system call, which the kernel tells of. */
  readonly kind: "told" | "exception" | "interrupt";
  /** Of an interrupt: the number that the event "ipi" has. */
  readonly number: number;
  /** Of an exception. */
  readonly text: string;
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
  /**
   * Invalidations that name one page by an address (scopes of TranslationObserver.invalidate), and whether paging-structure
   * entries go as well. Those of other names may drop anything.
   */
  readonly pageInvalidations: ReadonlyMap<string, "leaf" | "any">;
  /** What firmware tells the kernel about the machine, by names that the architecture's kernel code knows. */
  readonly firmware: Readonly<Record<string, number>>;
  /** Reads the first word of a trace event "trap", which is the architecture's. */
  readTrap(word: number): TrapEvent;
  /** Makes the cores, parked in reset state; the machine lets the first one execute. */
  createCores(ram: PhysicalMemory, count: number, options: CoreOptions): Core[];
}
