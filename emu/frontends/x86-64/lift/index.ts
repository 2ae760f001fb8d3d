/**
 * From rows to lifters, and from code to a block of IR.
 *
 * Flags that the SDM leaves undefined: as the AMD processor of the recorded results does (tests), except A after shifts,
 * SHLD, SHRD and BEXTR (cleared or of the logic result), O after SHLD and SHRD by more than 1, all but Z after BSF and BSR
 * (kept), O after TZCNT and LZCNT (cleared).
 */
import { type Address, type Block, BlockBuilder } from "../../../ir/index.ts";
import { decode, MAX_LENGTH_BYTES } from "../decode/decoder.ts";
import { Instruction } from "../decode/instruction.ts";
import { type OperandSpec, ROWS } from "../table/index.ts";
import { TRAP_GP, undefinedTrap } from "../traps.ts";
import { arithmeticLifters } from "./arithmetic.ts";
import { bitLifters } from "./bit.ts";
import { bmiLifters } from "./bmi.ts";
import { controlTransferLifters } from "./control-transfer.ts";
import { dataTransferLifters } from "./data-transfer.ts";
import { flagsLifters } from "./flags.ts";
import { ioLifters } from "./io.ts";
import { addressPlus, Lifter } from "./lifter.ts";
import { logicLifters } from "./logic.ts";
import { miscellaneousLifters } from "./miscellaneous.ts";
import { shiftRotateLifters } from "./shift-rotate.ts";
import { stringLifters } from "./string.ts";
import { systemLifters } from "./system.ts";

type Lift = (l: Lifter, ...operands: readonly OperandSpec[]) => void;

const GROUPS: Readonly<Record<string, object>> = {
  "data-transfer": dataTransferLifters,
  arithmetic: arithmeticLifters,
  logic: logicLifters,
  "shift-rotate": shiftRotateLifters,
  bit: bitLifters,
  bmi: bmiLifters,
  "control-transfer": controlTransferLifters,
  string: stringLifters,
  io: ioLifters,
  flags: flagsLifters,
  miscellaneous: miscellaneousLifters,
  system: systemLifters,
};

/** By row id; null for gaps and invalid opcodes. */
const LIFTERS: readonly (Lift | null)[] = ROWS.map((row) => {
  if (row.kind !== "lifted") return null;
  const lift = (GROUPS[row.group] as Readonly<Record<string, Lift>>)[row.mnemonic];
  if (lift === undefined) throw new Error(`x86-64: ${row.instructionText} has no lifter`);
  return lift;
});

/** Temporaries that one instruction can need: ENTER with 31 levels takes four a level. */
const MAX_TEMPORARIES_OF_INSTRUCTION = 200;

const instruction = new Instruction();

/** See emu/frontends/frontend.ts, Frontend.lift. */
export function liftBlock(
  pc: Address,
  code: Uint8Array,
  offset: number,
  limit: number,
  options: { readonly kernelText: boolean; readonly maxInstructions: number },
  linearAddressBits: 48 | 57 | null = null,
): Block | null {
  const ir = new BlockBuilder(pc);
  const l = new Lifter(ir, options.kernelText, linearAddressBits);
  let here = pc;
  let position = offset;
  while (!ir.ended) {
    const full = ir.marks >= options.maxInstructions || ir.temporariesLeft < MAX_TEMPORARIES_OF_INSTRUCTION;
    const status = full ? "truncated" : decode(code, position, limit, instruction);
    // A repeated string instruction is a block of its own: it branches to itself.
    if (status === "truncated" || (ir.marks > 0 && repeats())) {
      if (ir.marks === 0) return null;
      ir.jump(here, "next");
      break;
    }
    if (status === "ok") liftInstruction(l, here);
    else {
      ir.mark(here, Math.min(Math.max(instruction.lengthBytes, 1), MAX_LENGTH_BYTES));
      ir.trap(status === "too-long" ? TRAP_GP : undefinedTrap(instruction.row), here);
    }
    position += instruction.lengthBytes;
    here = addressPlus(here, instruction.lengthBytes);
  }
  return ir.finish();
}

function repeats(): boolean {
  return instruction.row !== null && instruction.row.repeat !== "none" && instruction.repeat !== 0;
}

function liftInstruction(l: Lifter, pc: Address): void {
  const row = instruction.row!;
  l.begin(instruction, pc);
  const lift = LIFTERS[row.id]!;
  if (lift === null) l.undefined();
  else lift(l, ...row.operands);
}
