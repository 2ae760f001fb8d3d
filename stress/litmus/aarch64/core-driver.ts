/**
 * One core of an AArch64 litmus machine, driven from one visible event to the next: the event that the explorer granted,
 * and then what belongs to this core alone (the data abort handler, branches, DMB), which commutes with everything that
 * others do. A core rests at an operation that is still to come, or in the middle of a walk.
 */
import type { Machine } from "../../../emu/machine.ts";
import type { Aarch64Core } from "../../../emu/traps/aarch64/index.ts";
import { UserError } from "../../../emu/user-error.ts";
import { codeAddress, LINEAR_HI, VECTOR_FRAME } from "./layout.ts";
import { type CoreProgram, FAULT_LOG, SLOT_BYTES, type Slot } from "./program.ts";

/** Steps of a core on its own after one event: the handler has seven instructions. */
const MAX_PRIVATE_STEPS = 100;

export class CoreDriver {
  readonly core: Aarch64Core;
  readonly program: CoreProgram;
  readonly #machine: Machine;
  readonly #file: string;
  readonly #codeLo: number;
  /** It rests inside a walk: the engine has an instruction in progress. */
  isMidway = false;

  /** @param file the test's, for messages */
  constructor(machine: Machine, core: Aarch64Core, program: CoreProgram, file: string) {
    this.#machine = machine;
    this.#file = file;
    this.core = core;
    this.program = program;
    this.#codeLo = codeAddress(core.id);
  }

  /** The slot at which the core rests, or that it is in the middle of. */
  get slot(): Slot {
    return this.program.slots[this.slotNumber]!;
  }

  get slotNumber(): number {
    return Math.floor((this.core.readPcLo() - this.#codeLo) / SLOT_BYTES);
  }

  get atEnd(): boolean {
    return !this.isMidway && this.slot.kind === "end";
  }

  /** The next event can happen: a barrier waits for what the core has broadcast. */
  get canStep(): boolean {
    if (this.isMidway) return true;
    const { kind } = this.slot;
    return kind === "visible" || (kind === "barrier" && this.core.broadcasts.complete());
  }

  /** Page-table stores of this core that walkers do not see yet. */
  get lateStores(): number {
    return this.core.mmu.lateStores?.count ?? 0;
  }

  /** Invalidations of other cores on their way to this one. */
  get invalidations(): number {
    return this.core.broadcasts.count - this.lateStores;
  }

  /**
   * One event: a walk's next step, an access, or a system instruction.
   * @param upkeep called when the event has happened
   */
  step(upkeep: () => void): void {
    const before = this.core.readPcLo();
    this.#run(1);
    // The event was the fetch of the instruction, from the second-level TLB: it concerns nobody else.
    if (!this.core.mmu.isWalking && this.core.readPcLo() === before) this.#run(1);
    if (!this.core.mmu.isWalking) upkeep();
    this.settle();
  }

  /** step(), and what it was, for people. */
  narrateStep(upkeep: () => void): string {
    const { slot, isMidway: wasMidway } = this;
    const faults = this.#faults();
    this.step(upkeep);
    const text = slot.operation?.text ?? "";
    if (this.#faults() !== faults) return `${text}: faults`;
    if (this.isMidway) return wasMidway ? `${text}: walks on` : `${text}: begins a walk`;
    return wasMidway ? `${text}: done after its walk` : text;
  }

  /** Goes on to where the core rests. */
  settle(): void {
    const { core } = this;
    for (let steps = 0; steps < MAX_PRIVATE_STEPS; steps++) {
      if (core.phase !== "execute") throw this.#lost(`is ${core.phase}`);
      this.isMidway = core.mmu.isWalking;
      if (this.isMidway) return;
      const offset = core.readPcLo() - this.#codeLo;
      const isHere = core.readPcHi() === LINEAR_HI && offset >= 0 && offset < 4096;
      if (isHere) {
        const { kind, visibleAt } = this.slot;
        if (kind !== "local" && offset % SLOT_BYTES <= visibleAt) return;
      } else if (core.readPcLo() >>> 12 !== VECTOR_FRAME) {
        throw this.#lost("leaves its code");
      }
      this.#run(1);
    }
    throw this.#lost("does not come to rest");
  }

  /**
   * After the core's words were loaded: brings the engine to the instruction whose walk is in progress. The caller loads
   * the words once more, as the walk has begun anew.
   */
  reposition(): void {
    this.core.mmu.abandon();
    this.#run(0);
  }

  #run(events: number): void {
    const { core } = this;
    this.#machine.running = core;
    core.budget.left = events;
    core.setLimits(core.clock + 1, -1);
    core.sliceEnds = true;
    core.run();
    core.clock = 0;
    if (this.#machine.stopReason !== null) throw this.#lost("stops");
  }

  /** What the test makes of the machine cannot be gone on with. */
  #lost(what: string): UserError {
    const { core } = this;
    const pc = ((BigInt(core.readPcHi()) << 32n) | BigInt(core.readPcLo() >>> 0)) & 0xffff_ffff_ffff_ffffn;
    const text = `the test is one that the machine cannot run: core ${core.id} ${what} at ${pc.toString(16)}`;
    return new UserError(text, this.#file, "see tests/litmus/README.md for what a test may do");
  }

  #faults(): string {
    const { gpr } = this.core;
    return `${gpr[FAULT_LOG * 2]} ${gpr[FAULT_LOG * 2 + 1]}`;
  }
}
