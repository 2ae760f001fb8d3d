/** What the engine asks of an instruction-set frontend. */
import type { Address, Block } from "../ir/index.ts";

export interface LiftOptions {
  /** The code lies in the reserved kernel-text page: the enter trap's encoding is decoded as such. */
  readonly kernelText: boolean;
  /** Guest instructions at most, at least 1. */
  readonly maxInstructions: number;
}

export interface Frontend {
  readonly name: string;
  /**
   * Lifts one block. Instructions lie in `code[offset … limit-1]`, which holds the rest of the page of `pc` (or, for
   * an instruction that crosses into the next page, that instruction's bytes of both pages; then maxInstructions is
   * 1). The block ends at the first control transfer, system or serialising instruction, instruction that may unmask
   * interrupts, before an instruction that does not end before `limit`, or at maxInstructions. An undefined or
   * unimplemented instruction becomes an exit.trap.
   *
   * @returns null if the first instruction does not end before `limit`
   */
  lift(pc: Address, code: Uint8Array, offset: number, limit: number, options: LiftOptions): Block | null;
  /** One instruction as text, and its length in bytes; length 0 if it does not end before `limit`. */
  disassemble(
    pc: Address,
    code: Uint8Array,
    offset: number,
    limit: number,
  ): { text: string; lengthBytes: number };
  /** Mnemonics of instructions that decode but are not implemented. */
  gaps(): readonly string[];
  /** The mnemonic that a trap number of an undefined or unimplemented instruction stands for, or null. */
  undefinedMnemonic(trap: number): string | null;
}
