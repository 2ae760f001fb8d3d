/**
 * What holds for exactly one instruction: the interrupt shadow of STI and MOV SS (Intel SDM vol. 3A 6.8.1, 6.8.3), and
 * RF of an IRET's image (17.3.1.1). It is bound to an instruction boundary, by PC and by the number of retired
 * instructions: when either has moved on it is over, so nobody has to clear it after each instruction.
 */
import { RFLAGS_RF } from "../../frontends/x86-64/state.ts";
import { INTERRUPT_SHADOW, PC, STAMP_PC, STAMP_RETIRED, SYSTEM_FLAGS } from "./words.ts";

/** INTERRUPT_SHADOW as the lifted STI leaves it; CLOSED and STAMPED are ours. */
const OPENED = 1;
const CLOSED = 0;
const STAMPED = 2;

/** The core's count of retired instructions. */
export interface InstructionCount {
  readonly retired: number;
}

export class Boundary {
  readonly #words: Int32Array;
  readonly #core: InstructionCount;

  constructor(words: Int32Array, core: InstructionCount) {
    this.#words = words;
    this.#core = core;
  }

  /** The instruction after STI or MOV SS has not been executed yet. @hot */
  inShadow(): boolean {
    return this.#words[INTERRUPT_SHADOW] !== CLOSED && this.#isHere();
  }

  /** MOV SS has been executed, or STI with IF clear. */
  openShadow(): void {
    this.expire();
    this.#words[INTERRUPT_SHADOW] = STAMPED;
    this.#stamp();
  }

  /** The lifted STI marks the shadow only; this binds it to the boundary. @hot */
  noticeSti(): void {
    if (this.#words[INTERRUPT_SHADOW] === OPENED) this.openShadow();
  }

  /** An IRET has loaded RFLAGS. @hot */
  noticeResume(): void {
    if ((this.#words[SYSTEM_FLAGS] & RFLAGS_RF) !== 0) this.#stamp();
  }

  /** Drops shadow and RF if the instruction that they were for has been executed. @hot */
  expire(): void {
    if (this.#isHere()) return;
    const words = this.#words;
    words[INTERRUPT_SHADOW] = CLOSED;
    words[SYSTEM_FLAGS] &= ~RFLAGS_RF;
    words[STAMP_PC] = 0;
    words[STAMP_PC + 1] = 0;
    words[STAMP_RETIRED] = 0;
  }

  /** An instruction has been executed or traps after it: RF was for the one before. The shadow stays. @hot */
  dropResume(): void {
    const words = this.#words;
    if ((words[SYSTEM_FLAGS] & RFLAGS_RF) !== 0 && !this.#isHere()) words[SYSTEM_FLAGS] &= ~RFLAGS_RF;
  }

  #stamp(): void {
    const words = this.#words;
    words[STAMP_PC] = words[PC];
    words[STAMP_PC + 1] = words[PC + 1];
    words[STAMP_RETIRED] = this.#core.retired | 0;
  }

  #isHere(): boolean {
    const words = this.#words;
    return (
      words[STAMP_RETIRED] === (this.#core.retired | 0) &&
      words[STAMP_PC] === words[PC] &&
      words[STAMP_PC + 1] === words[PC + 1]
    );
  }
}
