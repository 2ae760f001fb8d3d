/**
 * One core of a litmus machine, driven from one visible event to the next: the event that the explorer granted, and then
 * what belongs to this core alone (trap delivery and IRETQ on its own stack, the #PF handler, barriers, jumps), which
 * commutes with everything that others do. A core rests at an operation that is still to come, in the middle of a walk, or
 * before the fetch of code in a page of the test.
 */
import type { Machine } from "../../../emu/machine.ts";
import type { X86Core } from "../../../emu/traps/x86-64/index.ts";
import { UserError } from "../../../emu/user-error.ts";
import { codeAddress } from "./layout.ts";
import { type CoreProgram, SLOT_BYTES, type Slot } from "./program.ts";

/** Steps of a core on its own after one event: a delivery has about ten. */
const MAX_PRIVATE_STEPS = 200;

export class CoreDriver {
  readonly core: X86Core;
  readonly program: CoreProgram;
  readonly #machine: Machine;
  readonly #file: string;
  readonly #codeLo: number;
  readonly #codeHi: number;
  /** It rests inside a walk: the engine has an instruction in progress. */
  isMidway = false;

  /** @param file the test's, for messages */
  constructor(machine: Machine, core: X86Core, program: CoreProgram, file: string) {
    this.#machine = machine;
    this.#file = file;
    this.core = core;
    this.program = program;
    const base = codeAddress(core.id);
    this.#codeLo = Number(BigInt.asIntN(32, base));
    this.#codeHi = Number(BigInt.asIntN(32, base >> 32n));
  }

  /** The slot at which the core rests, or that it is in the middle of; null: at a fetch in a page of the test. */
  get slot(): Slot | null {
    const offset = this.#offset();
    return offset < 0 ? null : this.program.slots[Math.floor(offset / SLOT_BYTES)]!;
  }

  get slotNumber(): number {
    const offset = this.#offset();
    return offset < 0 ? -1 : Math.floor(offset / SLOT_BYTES);
  }

  get atEnd(): boolean {
    return !this.isMidway && this.slot?.kind === "end";
  }

  /** An interprocessor interrupt is pending or in flight, and not masked. */
  get canAccept(): boolean {
    return this.core.acceptTime() !== Number.POSITIVE_INFINITY;
  }

  /**
   * One event: a walk's next step, an access, or a system instruction.
   * @param upkeep called when the event has happened
   */
  step(upkeep: () => void): void {
    const before = this.core.readPcLo();
    this.#run(this.slot?.events ?? 1);
    // The event was the fetch of the instruction, from the second-level TLB: it concerns nobody else.
    if (this.#isWhere(before)) this.#run(1);
    if (!this.core.mmu.isWalking) upkeep();
    this.settle();
  }

  /** step(), and what it was, for people. */
  narrateStep(upkeep: () => void): string {
    const { slot, isMidway: wasMidway } = this;
    const faults = this.#faults();
    this.step(upkeep);
    const text = slot === null ? "fetch" : (slot.operation?.text ?? "");
    if (this.#faults() !== faults) return `${text}: faults`;
    if (this.isMidway) return wasMidway ? `${text}: walks on` : `${text}: begins a walk`;
    return wasMidway ? `${text}: done after its walk` : text;
  }

  accept(): void {
    const { core } = this;
    core.clock = core.acceptTime();
    core.acceptGranted = true;
    this.#run(0);
    core.acceptGranted = false;
    this.settle();
  }

  /** Goes on to where the core rests. */
  settle(): void {
    const { core } = this;
    for (let steps = 0; steps < MAX_PRIVATE_STEPS; steps++) {
      if (core.phase === "microcode") {
        this.#run(1);
        continue;
      }
      if (core.phase !== "execute") throw this.#lost(`is ${core.phase}`);
      this.isMidway = core.mmu.isWalking;
      if (this.isMidway) return;
      const offset = this.#offset();
      if (offset < 0) return;
      const slot = this.slot;
      if (slot !== null && slot.kind !== "local" && offset % SLOT_BYTES <= slot.visibleAt) return;
      // Handlers use the stack; the rest of a slot is jumps and register moves, which end at the next slot.
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
    if (this.#machine.stopReason !== null) throw this.#lost("shuts down");
  }

  /** What the test makes of the machine cannot be gone on with: an exception that has no handler, or worse. */
  #lost(what: string): UserError {
    const { core } = this;
    const pc = ((BigInt(core.readPcHi()) << 32n) | BigInt(core.readPcLo() >>> 0)) & 0xffff_ffff_ffff_ffffn;
    const text = `the test is one that the machine cannot run: core ${core.id} ${what} at ${pc.toString(16)}`;
    return new UserError(text, this.#file, "see tests/litmus/README.md for what a test may do");
  }

  /** R14, where the #PF handler notes what it saw. */
  #faults(): string {
    const { gpr } = this.core;
    return `${gpr[28]} ${gpr[29]}`;
  }

  #isWhere(pcLo: number): boolean {
    const { core } = this;
    return core.phase === "execute" && !core.mmu.isWalking && core.readPcLo() === pcLo;
  }

  /** Of PC in the core's code page; -1: elsewhere. */
  #offset(): number {
    const { core } = this;
    const offset = core.readPcLo() - this.#codeLo;
    return core.readPcHi() === this.#codeHi && offset >= 0 && offset < 4096 ? offset : -1;
  }
}
