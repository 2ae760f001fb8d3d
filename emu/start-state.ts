/**
 * A start state: everything mutable of a machine at one moment, kept so that going back to it costs what was touched
 * since. RAM is copied once; frames written afterwards carry the dirty mark, which is cleared here, and only they are
 * copied back. Code that was decoded before a frame was written is valid again then. From then on the machine's own save() and
 * stateHash() see what was written since the start, and no more.
 */
import { FRAME_CODE } from "../mmu/index.ts";
import type { Machine, MachineParts } from "./machine.ts";

export class StartState {
  readonly #machine: Machine;
  /** RAM as it was, by frame: views made once, as making them costs as much as copying a frame. */
  readonly #frames: readonly Uint8Array[];
  readonly #parts: MachineParts;

  /** Keeps the present state. The machine must be one that can be saved (every task in user mode). */
  constructor(machine: Machine) {
    const { ram, cores } = machine;
    this.#machine = machine;
    const bytes = ram.u8.slice();
    this.#frames = Array.from({ length: ram.frames }, (_, frame) =>
      bytes.subarray(frame * 4096, frame * 4096 + 4096),
    );
    for (const core of cores) machine.engine.abandon(core);
    ram.clearDirty();
    for (const core of cores) core.mmu.emptyFast();
    this.#parts = machine.saveParts();
  }

  /** Frames written since the start. */
  touched(): number {
    return this.#machine.ram.dirtyCount;
  }

  restore(): void {
    const machine = this.#machine;
    const { ram, cores } = machine;
    for (let id = 0; id < cores.length; id++) machine.engine.abandon(cores[id]!);
    for (let at = 0; at < ram.dirtyCount; at++) {
      const frame = ram.dirtyFrames[at]!;
      ram.u8.set(this.#frames[frame]!, frame * 4096);
      if ((ram.frameFlags[frame]! & FRAME_CODE) !== 0) ram.onCodeWrite(frame);
      machine.engine.cache.revive(frame);
    }
    ram.clearDirty();
    machine.restoreParts(this.#parts);
  }
}
