/** The frontend as the engine sees it (emu/frontends/frontend.ts). */
import type { Frontend } from "../frontend.ts";
import { wordAt } from "./decode/decoder.ts";
import { disassemble } from "./disassemble/disassemble.ts";
import { liftBlock } from "./lift/index.ts";
import { gapMnemonics, undefinedMnemonic } from "./traps.ts";

const INSTRUCTION_BYTES = 4;

export const aarch64Frontend: Frontend = {
  name: "aarch64",
  lift: liftBlock,
  disassemble: (pc, code, offset, limit) => {
    if (offset + INSTRUCTION_BYTES > limit) return { text: "", lengthBytes: 0 };
    const address = (BigInt(pc.hi >>> 0) << 32n) | BigInt(pc.lo >>> 0);
    return { text: disassemble(wordAt(code, offset), address), lengthBytes: INSTRUCTION_BYTES };
  },
  gaps: gapMnemonics,
  undefinedMnemonic,
};
