/**
 * Two AArch64 cores without a kernel that execute a list of operations each: accesses through the MMU, stores to the table
 * that translates them, broadcast invalidations, barriers, switches of the ASID, interrupts and masks. Cores, walkers, TLBs,
 * broadcasts, late stores and the interrupt controller are the real ones; an operation is host code between two points.
 */
import type { Cpu, KernelPort } from "../../../emu/hardware.ts";
import {
  AGENTS_PER_CORE,
  type Agent,
  type EventWatch,
  Exhaustive,
  ExploringScheduler,
  ROLE_BROADCAST,
  ROLE_INTERRUPT,
} from "../../../emu/schedulers/index.ts";
import { StartState } from "../../../emu/start-state.ts";
import type { Aarch64Core } from "../../../emu/traps/aarch64/index.ts";
import {
  type AccessKind,
  DONE,
  FRAME_WATCHED,
  ObservedMemory,
  READ,
  SUSPENDED,
  WRITE,
} from "../../../mmu/index.ts";
import { MachineFootprints } from "../../../stress/exhaustive/machine-footprints.ts";
import { a64, EL1H, Rig, setRegister, TABLE_3, USER_PAGE, VECTORS } from "../../emu/traps/aarch64/rig.ts";

/** Pages, words and frames are numbers from 0 on; an `asid` too. `map` -1: no frame. */
export type BareOperation =
  | { readonly kind: "load" | "store" | "invalidate" | "invalidate-leaf"; readonly page: number }
  | { readonly kind: "map"; readonly page: number; readonly frame: number }
  | { readonly kind: "read" | "write"; readonly word: number }
  | { readonly kind: "asid"; readonly asid: number }
  | { readonly kind: "dsb"; readonly option: "ish" | "ishst" | "nsh" }
  | { readonly kind: "mask"; readonly masked: 0 | 1 }
  | { readonly kind: "send" | "isb" | "invalidate-all" };

export interface BareProgram {
  readonly cores: readonly (readonly BareOperation[])[];
  /** What the interrupt handler of each core does. */
  readonly handlers: readonly (readonly BareOperation[])[];
}

export interface BareSearch {
  readonly finals: ReadonlySet<string>;
  readonly schedules: number;
}

const CORES = 2;
export const PAGES = 2;
const FRAMES = 3;
/** Two pages under test, three frames that they may lead to, and shared words. */
const FIRST_PAGE = 0x10_0000;
const FIRST_FRAME = 0x14_0000;
const WORDS = 0x18_0000;
const TABLE_0 = 0x8_0000n;
/** Stubs of the kernel text: an interrupt at EL1, and where interrupted code goes on. */
const STUB_IRQ = 0x280 / 16;
const RESUME = VECTORS + 0xf00;
const STUB_RESUME = 0xf00 / 16;
/** Where a core ends. */
const PARKED = 0x2_0000;
const SGI = 1;

/** Where one core is. */
class Thread {
  /** Its program, and above it the handler that interrupted it. */
  readonly stack: Iterator<void>[] = [];
  handling = false;
  asid = 0;
  /** What its program has seen, and its handlers: of which came first nothing else depends. */
  readonly seen: { program: string; handler: string } = { program: "", handler: "" };
}

class BareMachine implements KernelPort, EventWatch {
  readonly rig: Rig;
  readonly footprints: MachineFootprints;
  search!: Exhaustive;
  #scheduler!: ExploringScheduler;
  #threads: readonly Thread[] = [];
  #handlers: BareProgram["handlers"] = [];
  readonly #start: StartState;

  constructor() {
    this.rig = new Rig({
      cpus: CORES,
      memory: (ramBytes, engineBytes) => new ObservedMemory(ramBytes, engineBytes),
      scheduler: (cores) => {
        this.#scheduler = new ExploringScheduler(cores, {
          isParked: (core) => core.state[0] === PARKED,
          stops: () => false,
          isFinished: () => true,
          maxEvents: 1000,
          maxFairEvents: 1000,
          maxTimers: 0,
        });
        return this.#scheduler;
      },
    });
    const { rig } = this;
    const { machine } = rig;
    machine.kernel = this;
    rig.put(PARKED, a64("b ."));
    for (let page = 0; page < PAGES; page++) rig.write64(slotOf(page), entryOf(page));
    for (let frame = 0; frame < FRAMES; frame++) rig.write64(FIRST_FRAME + frame * 4096, BigInt(frame + 1));
    machine.ram.frameFlags[TABLE_3 >>> 12]! |= FRAME_WATCHED;
    for (const core of rig.cores) {
      core.writeRedistributor(0x1_0100, 1 << SGI);
      core.msr("ICC_PMR_EL1", 0xff, 0);
      core.msr("ICC_IGRPEN1_EL1", 1, 0);
      core.writeElr(RESUME, 0);
      core.writeSpsr(EL1H);
      core.phase = "kernel";
      core.returnFromTrap();
    }
    this.footprints = new MachineFootprints(machine);
    machine.events.sink = this.footprints;
    this.#start = new StartState(machine);
  }

  attach(search: Exhaustive): void {
    this.search = search;
    this.footprints.attach(search);
    for (let page = 0; page < PAGES; page++) this.footprints.pageChanges((FIRST_PAGE >>> 12) + page);
  }

  /** One schedule; its final state. */
  schedule(program: BareProgram): string {
    const { rig, search } = this;
    const { machine } = rig;
    this.#start.restore();
    machine.stopReason = null;
    this.#threads = rig.cores.map((core, id) => {
      const thread = new Thread();
      thread.stack.push(this.#program(core, thread, program.cores[id]!));
      return thread;
    });
    this.#handlers = program.handlers;
    search.begin();
    this.#scheduler.begin(search);
    rig.run(machine.retired + 100_000);
    search.end();
    this.#scheduler.finish();
    if (this.#scheduler.end !== "finished") throw new Error(`bare machine: ${this.#scheduler.end}`);
    return this.#final();
  }

  // KernelPort

  enter(cpu: Cpu, stub: number): void {
    const core = cpu as Aarch64Core;
    const thread = this.#threads[core.id]!;
    if (stub === STUB_IRQ) thread.stack.push(this.#handler(core, thread));
    else if (stub === STUB_RESUME) thread.handling = false;
    else throw new Error(`bare machine: stub ${stub}`);
    core.setKernelPc(RESUME, 0);
  }

  run(cpu: Cpu): void {
    const core = cpu as Aarch64Core;
    const { stack } = this.#threads[core.id]!;
    if (!stack.at(-1)!.next().done) return;
    stack.pop();
    core.returnFromTrap();
  }

  // EventWatch

  begun(): void {
    this.footprints.begun();
  }

  ended(agent: Agent): void {
    this.footprints.ended(agent);
    const core = (agent / AGENTS_PER_CORE) | 0;
    const role = agent % AGENTS_PER_CORE;
    const thread = this.#threads[core]!;
    if (role === ROLE_INTERRUPT) thread.handling = true;
    else if (role !== ROLE_BROADCAST && thread.handling) this.search.inHandler(core);
  }

  *#program(core: Aarch64Core, thread: Thread, operations: readonly BareOperation[]): Generator<void> {
    for (const operation of operations) yield* this.#execute(core, thread, operation, "program");
    core.writeElr(PARKED, 0);
    core.writeSpsr(EL1H);
  }

  *#handler(core: Aarch64Core, thread: Thread): Generator<void> {
    const elr = core.elrLo;
    const { spsr } = core;
    if (core.point(1)) yield;
    const intid = core.mrsLo("ICC_IAR1_EL1");
    thread.seen.handler += ` i${intid}`;
    for (const operation of this.#handlers[core.id]!)
      yield* this.#execute(core, thread, operation, "handler");
    if (core.point(1)) yield;
    if (intid === SGI) core.msr("ICC_EOIR1_EL1", intid, 0);
    if (core.point(1)) yield;
    if (elr === PARKED) thread.handling = false;
    core.writeElr(elr, 0);
    core.writeSpsr(spsr);
  }

  *#execute(
    core: Aarch64Core,
    thread: Thread,
    operation: BareOperation,
    where: "program" | "handler",
  ): Generator<void> {
    const { ram } = this.rig.machine;
    if (core.point(1)) yield;
    switch (operation.kind) {
      case "load":
        if (yield* this.#access(core, operation.page, READ))
          thread.seen[where] += ` ${ram.read32(core.accessPa)}`;
        else thread.seen[where] += " f";
        break;
      case "store":
        if (yield* this.#access(core, operation.page, WRITE)) {
          ram.write32(core.accessPa, ram.i32[core.accessPa >>> 2]! * 10 + core.id + 1);
        } else thread.seen[where] += " f";
        break;
      case "map":
        this.rig.write64(slotOf(operation.page), operation.frame < 0 ? 0n : entryOf(operation.frame));
        break;
      case "read":
        thread.seen[where] += ` w${ram.read32(WORDS + operation.word * 4)}`;
        break;
      case "write": {
        const at = WORDS + operation.word * 4;
        ram.write32(at, ram.i32[at >>> 2]! * 10 + core.id + (where === "program" ? 1 : 5));
        break;
      }
      case "invalidate":
        core.tlbi("vae1is", (FIRST_PAGE >>> 12) + operation.page, thread.asid << 16);
        break;
      case "invalidate-leaf":
        core.tlbi("vale1is", (FIRST_PAGE >>> 12) + operation.page, thread.asid << 16);
        break;
      case "invalidate-all":
        core.tlbi("vmalle1is", 0, 0);
        break;
      case "asid":
        thread.asid = operation.asid;
        setRegister(core, "TTBR0_EL1", TABLE_0 | (BigInt(operation.asid) << 48n));
        break;
      case "dsb":
        if (core.dsb(operation.option)) break;
        do {
          core.waitForBarrier();
          yield;
        } while (!core.barrierDone());
        break;
      case "isb":
        core.isb();
        break;
      case "mask":
        core.setInterruptsEnabled(operation.masked === 0);
        break;
      case "send":
        core.msr("ICC_SGI1R_EL1", (SGI << 24) | (1 << (1 - core.id)), 0);
        break;
    }
  }

  /** The first word of a page; false: it faults. */
  *#access(core: Aarch64Core, page: number, kind: AccessKind): Generator<void, boolean> {
    const address = FIRST_PAGE + page * 4096;
    let status = core.access(address, 0, kind);
    while (status === SUSPENDED) {
      yield;
      status = core.access(address, 0, kind);
    }
    return status === DONE;
  }

  #final(): string {
    const { rig } = this;
    const words = rig.machine.ram.i32;
    const data = [0, 1, 2, 3].map((word) => words[(WORDS >>> 2) + word]);
    const frames = Array.from({ length: FRAMES }, (_, frame) => words[(FIRST_FRAME >>> 2) + frame * 1024]);
    const slots = Array.from({ length: PAGES }, (_, page) => rig.read64(slotOf(page)).toString(16));
    return `${data} | ${frames} | ${slots} |${this.#threads.map(({ seen }) => `${seen.program};${seen.handler}`).join(" |")}`;
  }
}

/** Entry of a page that leads to a frame. */
function entryOf(frame: number): bigint {
  return BigInt(FIRST_FRAME + frame * 4096) | USER_PAGE;
}

function slotOf(page: number): number {
  return TABLE_3 + ((FIRST_PAGE >>> 12) + page) * 8;
}

/** All schedules of a program that a search finds. */
export function searchBare(
  program: BareProgram,
  options: { readonly reduction: "bounded" | "none"; readonly preemptions: number; readonly most: number },
): BareSearch | null {
  const machine = new BareMachine();
  const search = new Exhaustive({
    cores: CORES,
    reduction: options.reduction,
    places: machine.footprints.places.count,
    watch: machine,
  });
  search.bound = options.preemptions;
  machine.attach(search);
  let finals: Set<string>;
  do {
    search.restart();
    finals = new Set();
    do {
      finals.add(machine.schedule(program));
      if (search.schedules > options.most) return null;
    } while (search.advance());
  } while (!search.isSettled && options.reduction === "bounded");
  return { finals, schedules: search.schedules };
}
