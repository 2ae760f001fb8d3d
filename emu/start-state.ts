/**
 * A start state: everything mutable of a machine at one moment, kept so that going back to it costs what was touched
 * since. RAM is copied once; frames written afterwards carry the dirty mark, which is cleared here, and only they are
 * copied back. Decoded code stays valid unless its frame was written. From then on the machine's own save() and
 * stateHash() see what was written since the start, and no more.
 */
import { FRAME_CODE, FRAME_DIRTY } from "../mmu/index.ts";
import type { Machine, MachineParts } from "./machine.ts";

/** The dirty marks of four frames. */
const FOUR_DIRTY: number = FRAME_DIRTY * 0x0101_0101;

export class StartState {
  readonly #machine: Machine;
  /** RAM as it was, by frame: views made once, as making them costs as much as copying a frame. */
  readonly #frames: readonly Uint8Array[];
  /** The marks of four frames a word. */
  readonly #flagWords: Int32Array;
  readonly #parts: MachineParts;

  /** Keeps the present state. The machine must be one that can be saved (every task in user mode). */
  constructor(machine: Machine) {
    const { ram, cores } = machine;
    const { frameFlags } = ram;
    this.#machine = machine;
    const bytes = ram.u8.slice();
    this.#frames = Array.from({ length: ram.frames }, (_, frame) =>
      bytes.subarray(frame * 4096, frame * 4096 + 4096),
    );
    this.#flagWords = new Int32Array(frameFlags.buffer, frameFlags.byteOffset, ram.frames / 4);
    for (const core of cores) machine.engine.abandon(core);
    for (let frame = 0; frame < ram.frames; frame++) frameFlags[frame]! &= ~FRAME_DIRTY;
    // Write tags of the fast TLB would hide a first write.
    for (const core of cores) core.mmu.emptyFast();
    this.#parts = machine.saveParts();
  }

  /** Frames written since the start. @hot */
  touched(): number {
    const { frameFlags } = this.#machine.ram;
    let count = 0;
    for (let frame = 0; frame < frameFlags.length; frame++) count += frameFlags[frame]! & FRAME_DIRTY;
    return count;
  }

  restore(): void {
    const { engine, cores } = this.#machine;
    for (let id = 0; id < cores.length; id++) engine.abandon(cores[id]!);
    this.#restoreRam();
    this.#machine.restoreParts(this.#parts);
  }

  /** @hot */
  #restoreRam(): void {
    const { ram } = this.#machine;
    const { frameFlags, u8 } = ram;
    const words = this.#flagWords;
    for (let word = 0; word < words.length; word++) {
      if ((words[word]! & FOUR_DIRTY) === 0) continue;
      for (let frame = word * 4; frame < word * 4 + 4; frame++) {
        const flags = frameFlags[frame]!;
        if ((flags & FRAME_DIRTY) === 0) continue;
        u8.set(this.#frames[frame]!, frame * 4096);
        if ((flags & FRAME_CODE) !== 0) ram.onCodeWrite(frame);
        frameFlags[frame] = frameFlags[frame]! & ~FRAME_DIRTY;
      }
    }
  }
}
