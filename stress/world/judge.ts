/**
 * The judge of a world: the parts of the oracle, the coherence ledger, kernel assertions, progress and the scenario's own
 * check. The first violation of a run is its verdict.
 */
import type { StopReason } from "../../emu/hardware.ts";
import type { Machine } from "../../emu/machine.ts";
import type { ExplorationEnd } from "../../emu/schedulers/index.ts";
import {
  type AssertionId,
  type Context,
  type Kernel,
  type KernelObserver,
  type Memory,
  NULL,
  pageAllocation,
  type Syscall,
} from "../../kernel/index.ts";
import type { AccessSink, LedgerRule, LedgerViolation, ObservedMemory } from "../../mmu/index.ts";
import { Lifetime } from "../oracle/lifetime.ts";
import {
  type EndState,
  type OraclePart,
  type OracleWorld,
  observerOf,
  quietly,
  sinkOf,
} from "../oracle/part.ts";
import { Races } from "../oracle/races/index.ts";
import { Structure } from "../oracle/structure.ts";
import { Translations } from "../oracle/translations.ts";
import { type Invariant, type Site, siteOf, type Violation } from "../oracle/violation.ts";
import { Witness } from "../oracle/witness/witness.ts";
import { type Contended, standstill } from "./progress.ts";
import type { WorldOptions } from "./world.ts";

/** What is wrong with a run. */
export interface Judgement extends Violation {
  /** Name of the part of the oracle that found it. */
  readonly foundBy: string;
}

const RULES: Readonly<Record<LedgerRule, Invariant>> = {
  "leaf-reachable": "I3",
  "table-reachable": "I2",
  "root-loaded": "I2",
  "condemned-used": "I3",
  "condemned-loaded": "I3",
  "condemned-not-lazy": "I3",
  "free-frame-cached": "I3",
  "free-table-read": "I2",
};

export class Judge {
  readonly #machine: Machine;
  readonly #kernel: Kernel;
  readonly #options: WorldOptions;
  readonly #parts: readonly OraclePart[];
  #found: Judgement | null = null;
  /** Violations of the ledger at the start. */
  #ledgerTotal = 0;
  #stopsAtExit = false;
  /** What the parts hear accesses with, and nesting of allocators, which they do not hear. */
  readonly #sink: AccessSink | null;
  #allocators = 0;
  /** Who waits for which lock. */
  readonly #contended: Map<Context, Contended> = new Map();

  constructor(
    machine: Machine,
    kernel: Kernel,
    options: WorldOptions,
    watcher: Partial<KernelObserver> | null,
  ) {
    this.#machine = machine;
    this.#kernel = kernel;
    this.#options = options;
    const off = new Set(options.withoutParts ?? []);
    if (options.assertionsOff?.includes("data-race")) off.add("races");
    this.#parts = PARTS.filter(({ name }) => !off.has(name)).map(({ name, create }) =>
      create({
        kernel,
        memory: kernel.memory as Memory,
        report: (violation) => this.#report(name, violation),
      }),
    );
    const ram = machine.ram as ObservedMemory;
    const witness = this.#parts.find((part) => part instanceof Witness) ?? null;
    const races = this.#parts.find((part) => part instanceof Races) ?? null;
    watchAccesses(machine, kernel, witness, races);
    this.#sink = sinkOf(this.#parts);
    const own: Partial<KernelObserver> = {
      // An allocator at work on its lists is no business of any part: a batch of frames alone is a thousand accesses.
      allocatorBegin: () => {
        this.#allocators++;
        if (ram.sink === this.#sink) ram.sink = null;
      },
      allocatorEnd: () => {
        if (--this.#allocators === 0 && ram.sink === null) ram.sink = this.#sink;
      },
      assertionFailed: (k, text, id) => this.#assertion(k, text, id),
      syscallEnter: (k, name, call) => this.#syscall(k, name, call),
      lockContended: (k, at, cls) => this.#contended.set(k, { at, cls }),
      lockGranted: (k) => this.#contended.delete(k),
    };
    const listeners = [
      own,
      ...this.#parts.map((part) => ("range" in part ? part.events : quietly(ram, part.events))),
    ];
    this.#kernel.observer = observerOf(watcher === null ? listeners : [watcher, ...listeners]);
    ram.sink = this.#sink;
  }

  /** The start state is reached. */
  mark(): void {
    for (const part of this.#parts) part.mark();
    this.#ledgerTotal = this.#machine.ledger?.total ?? 0;
  }

  /** A run begins. */
  start(): void {
    this.#found = null;
    this.#contended.clear();
    this.#stopsAtExit = false;
    this.#allocators = 0;
    const ram = this.#machine.ram as ObservedMemory;
    ram.sink ??= this.#sink;
    this.#quietly((part) => part.start());
  }

  /** Something is wrong: the run need not go on. */
  hasFound(): boolean {
    const { ledger } = this.#machine;
    if (this.#found === null && ledger !== null && ledger.total > this.#ledgerTotal) {
      this.#found = fromLedger(ledger.violations[this.#ledgerTotal]!);
    }
    return this.#found !== null;
  }

  /** Kernel code went outside RAM. */
  crashed(text: string): void {
    this.#find("machine", "I15", `oops: the kernel accesses what is no memory (${text})`, "oops");
  }

  /** The exploration is over; null: a violation ended it. */
  explored(end: ExplorationEnd | null): void {
    const stopped = this.#machine.stopReason;
    if (end === "blocked" || end === "stalled") {
      const { what, text } = standstill(this.#machine, this.#kernel, end, this.#contended);
      this.#find("progress", "I10", text, what);
    } else if (end === null && stopped !== null && !this.hasFound()) {
      this.#stopped(stopped);
    }
    if (end === "finished") this.#tellEnd("parked");
  }

  /** The scenario's check runs now; "check": its exit status is all that is waited for. */
  finishing(until: "check" | "exit"): void {
    this.#stopsAtExit = until === "check";
  }

  /** The machine was let run to its end. */
  ended(reason: StopReason): void {
    if (this.hasFound()) return;
    if (reason.kind !== "power-off") this.#stopped(reason);
    else if (reason.status !== 0) this.#checkFailed(reason.status);
    else if (!this.#stopsAtExit) this.#tellEnd("off");
  }

  verdict(): Judgement | null {
    this.hasFound();
    return this.#found;
  }

  #tellEnd(state: EndState): void {
    this.#quietly((part) => part.atEnd?.(state));
  }

  /** What parts look at outside the run is no access of kernel code. */
  #quietly(act: (part: OraclePart) => void): void {
    const ram = this.#machine.ram as ObservedMemory;
    const { sink } = ram;
    ram.sink = null;
    for (const part of this.#parts) act(part);
    ram.sink = sink;
  }

  #checkFailed(status: number): void {
    const { scenario } = this.#options;
    const invariant = (scenario.invariants[0] ?? "I14") as Invariant;
    this.#find("check", invariant, `the scenario's own check failed with status ${status}`);
  }

  /** A panic, a triple fault, or no end. */
  #stopped(reason: StopReason): void {
    if (reason.kind === "power-off") {
      this.#checkFailed(reason.status);
      return;
    }
    const invariant = reason.kind === "deadlock" || reason.kind === "limit" ? "I10" : "I15";
    this.#find("machine", invariant, `${reason.kind}: ${reason.text.split("\n")[0]}`);
  }

  /** The first process wants to exit: with which status is all that a short run needs to know. */
  #syscall(k: Context, name: string, call: Syscall): void {
    if (!this.#stopsAtExit || name !== "exit_group" || k.task?.tgid !== 1) return;
    k.cpu.stopMachine({ kind: "power-off", text: "exit_group", status: call.lo(0) & 0xff });
  }

  #assertion(k: Context, text: string, id: AssertionId): void {
    this.#found ??= { foundBy: "assertions", invariant: "I15", text, earlier: null, later: siteOf(k, id) };
    this.#machine.running.endSlice();
  }

  #find(foundBy: string, invariant: Invariant, text: string, what: string = plain(text)): void {
    const core = this.#machine.running;
    const later: Site = {
      core: core.id,
      time: core.clock,
      what,
      pid: this.#kernel.current[core.id]?.task?.pid ?? 0,
      va: null,
      locks: "",
    };
    this.#found ??= { foundBy, invariant, text, earlier: null, later };
  }

  #report(foundBy: string, violation: Violation): void {
    this.#found ??= { foundBy, ...violation };
    this.#machine.running.endSlice();
  }
}

/** The parts of the oracle, in the order in which they hear of an event. */
const PARTS: readonly { readonly name: string; create(world: OracleWorld): OraclePart }[] = [
  { name: "structure", create: (world) => new Structure(world) },
  { name: "lifetime", create: (world) => new Lifetime(world) },
  { name: "races", create: (world) => new Races(world) },
  { name: "translations", create: (world) => new Translations(world) },
  { name: "witness", create: (world) => new Witness(world) },
];

/**
 * The witness hears of every access of user code and of user copies, of the addresses that a process has; the race
 * detector of every walk.
 */
function watchAccesses(machine: Machine, kernel: Kernel, witness: Witness | null, races: Races | null): void {
  const ram = machine.ram as ObservedMemory;
  const { map } = (kernel.memory as Memory).frames;
  for (const core of machine.cores) {
    core.budget.observer = {
      used: (pa, kind, lo, hi) => {
        if (witness === null || machine.model.isPermanentMapping(lo, hi)) return;
        const { task } = kernel.current[core.id]!;
        if (task === null) return;
        // What is looked up here, no kernel code accesses.
        const { sink } = ram;
        ram.sink = null;
        const { mm } = task;
        if (mm !== NULL) {
          const frame = pa >>> 12;
          const page = (lo >>> 12) + (hi >>> 0) * 0x10_0000;
          const allocation = pageAllocation.get(ram, map.page(frame));
          witness.access(core.id, task.pid, mm, page, KINDS[kind], frame, allocation);
        }
        ram.sink = sink;
      },
      walked: (slot) => races?.walked(core.id, slot),
      filled: () => {},
    };
  }
}

const KINDS = ["read", "write", "fetch"] as const;

/** Their names, for measurements that leave some out. */
export const ORACLE_PARTS: readonly string[] = PARTS.map(({ name }) => name);

function fromLedger(violation: LedgerViolation): Judgement {
  const site = ({ core, timeCycles, address, text, kind }: LedgerViolation["earlier"]): Site => ({
    core,
    time: timeCycles,
    what: `${violation.rule}: ${kind}`,
    pid: 0,
    va: address === "" ? null : `0x${address}`,
    locks: text,
  });
  return {
    foundBy: "ledger",
    invariant: RULES[violation.rule],
    text: `${violation.rule}, frame 0x${violation.frame.toString(16)}: ${violation.later.text}`,
    earlier: site(violation.earlier),
    later: site(violation.later),
  };
}

/** Without numbers: the same words in every run. */
function plain(text: string): string {
  return text.replace(/\b(0x)?[0-9a-f]*\d[0-9a-f]*\b/g, "N");
}
