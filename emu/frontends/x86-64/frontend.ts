/** The frontend as the engine sees it (emu/frontends/frontend.ts). */
import type { Frontend } from "../frontend.ts";
import { decode } from "./decode/decoder.ts";
import { Instruction } from "./decode/instruction.ts";
import { disassemble } from "./disassemble/disassemble.ts";
import { liftBlock } from "./lift/index.ts";
import { gapMnemonics, undefinedMnemonic } from "./traps.ts";

const instruction = new Instruction();

/**
 * @param linearAddressBits 48 or 57 if the machine never switches between 4- and 5-level paging: indirect branches test
 * their target with a constant; null: CR4.LA57 is read at every indirect branch.
 */
export function createX86Frontend(linearAddressBits: 48 | 57 | null): Frontend {
  return {
    ...x86Frontend,
    lift: (pc, code, offset, limit, options) =>
      liftBlock(pc, code, offset, limit, options, linearAddressBits),
  };
}

export const x86Frontend: Frontend = {
  name: "x86-64",
  lift: (pc, code, offset, limit, options) => liftBlock(pc, code, offset, limit, options, null),
  disassemble: (pc, code, offset, limit) => {
    const status = decode(code, offset, limit, instruction);
    if (status === "truncated") return { text: "", lengthBytes: 0 };
    const { lengthBytes } = instruction;
    if (status !== "ok") return { text: "(bad)", lengthBytes: Math.max(lengthBytes, 1) };
    const address = (BigInt(pc.hi >>> 0) << 32n) | BigInt(pc.lo >>> 0);
    return { text: disassemble(instruction, address), lengthBytes };
  },
  gaps: gapMnemonics,
  undefinedMnemonic,
};
