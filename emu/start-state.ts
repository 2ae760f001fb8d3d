/**
 * A start state: everything mutable of a machine at one moment, kept so that going back to it costs what was touched
 * since. RAM is copied once; frames written afterwards carry the dirty mark, which is cleared here, and only they are
 * copied back. Decoded code stays valid unless its frame was written. From then on the machine's own save() and
 * stateHash() see what was written since the start, and no more.
 */
import { FRAME_CODE, FRAME_DIRTY } from "../mmu/index.ts";
import type { CoreState } from "./cores/index.ts";
import type { Machine } from "./machine.ts";

export class StartState {
  readonly #machine: Machine;
  readonly #ram: Uint8Array;
  readonly #engine: Uint8Array;
  readonly #engineNow: Uint8Array;
  readonly #cores: readonly CoreState[];
  readonly #objects: readonly (readonly [string, unknown])[];
  readonly #counts: {
    readonly retired: number;
    readonly slices: number;
    readonly entriesInvalidated: number;
  };

  /** Keeps the present state. The machine must be one that can be saved (every task in user mode). */
  constructor(machine: Machine) {
    const { ram } = machine;
    this.#machine = machine;
    this.#ram = ram.u8.slice();
    this.#engineNow = new Uint8Array(ram.engine, 0, machine.model.coreStateBytes * machine.cores.length);
    for (const core of machine.cores) machine.engine.abandon(core);
    this.#clean();
    this.#engine = this.#engineNow.slice();
    this.#cores = machine.cores.map((core) => core.save());
    this.#objects = machine.saveObjects();
    const { retired, slices, entriesInvalidated } = machine;
    this.#counts = { retired, slices, entriesInvalidated };
  }

  /** Frames written since the start. @hot */
  touched(): number {
    const { frameFlags } = this.#machine.ram;
    let count = 0;
    for (let frame = 0; frame < frameFlags.length; frame++) count += frameFlags[frame]! & FRAME_DIRTY;
    return count;
  }

  restore(): void {
    const machine = this.#machine;
    const { ram, cores } = machine;
    const { frameFlags, u8 } = ram;
    for (let id = 0; id < cores.length; id++) machine.engine.abandon(cores[id]!);
    for (let frame = 0; frame < frameFlags.length; frame++) {
      const flags = frameFlags[frame]!;
      if ((flags & FRAME_DIRTY) === 0) continue;
      const at = frame * 4096;
      u8.set(this.#ram.subarray(at, at + 4096), at);
      if ((flags & FRAME_CODE) !== 0) ram.onCodeWrite(frame);
      frameFlags[frame]! &= ~FRAME_DIRTY;
    }
    this.#engineNow.set(this.#engine);
    for (let id = 0; id < cores.length; id++) cores[id]!.restore(this.#cores[id]!);
    machine.restoreObjects(this.#objects);
    machine.stopReason = null;
    Object.assign(machine, this.#counts);
  }

  /** Every frame counts as not written. Write tags of the fast TLB would hide a first write. */
  #clean(): void {
    const { ram, cores } = this.#machine;
    for (let frame = 0; frame < ram.frames; frame++) {
      ram.frameFlags[frame]! &= ~FRAME_DIRTY;
    }
    for (const core of cores) core.mmu.emptyFast();
  }
}
