/** From rows to lifters, and from code to a block of IR. */
import { type Address, type Block, BlockBuilder } from "../../../ir/index.ts";
import type { LiftOptions } from "../../frontend.ts";
import { decode, fieldsOf, wordAt } from "../decode/decoder.ts";
import { type AnyFields, ROWS, type Row } from "../table/index.ts";
import type { RESERVED } from "../table/reserved.ts";
import { EC_PC_ALIGNMENT, trapNumber, undefinedTrap } from "../traps.ts";
import { branchesSystemLifters } from "./branches-system.ts";
import { dataProcessingImmediateLifters } from "./data-processing-immediate.ts";
import { dataProcessingRegisterLifters } from "./data-processing-register.ts";
import { addressPlus, Lifter, type Width } from "./lifter.ts";
import { loadsStoresLifters } from "./loads-stores.ts";
import type { Lifters } from "./typing.ts";

type Lift = (l: Lifter, f: AnyFields) => void;

const INSTRUCTION_BYTES = 4;
/** Temporaries that one instruction can need. */
const MAX_TEMPORARIES_OF_INSTRUCTION = 40;

const reservedLifters: Lifters<typeof RESERVED> = {
  UDF: (l) => (l.kernelText ? l.helper("KERNEL_ENTER") : l.undefined()),
};

const GROUPS: Readonly<Record<string, object>> = {
  reserved: reservedLifters,
  "data-processing-immediate": dataProcessingImmediateLifters,
  "branches-system": branchesSystemLifters,
  "loads-stores": loadsStoresLifters,
  "data-processing-register": dataProcessingRegisterLifters,
};

/** By row id; null for gaps. */
const LIFTERS: readonly (Lift | null)[] = ROWS.map((row) => {
  if (row.kind !== "lifted") return null;
  const lift = (GROUPS[row.group] as Readonly<Record<string, Lift>>)[row.name];
  if (lift === undefined) throw new Error(`AArch64: ${row.name} has no lifter`);
  return lift;
});

/** See emu/frontends/frontend.ts, Frontend.lift. */
export function liftBlock(
  pc: Address,
  code: Uint8Array,
  offset: number,
  limit: number,
  options: LiftOptions,
): Block | null {
  if (offset + INSTRUCTION_BYTES > limit && (pc.lo & 3) === 0) return null;
  const ir = new BlockBuilder(pc);
  const l = new Lifter(ir, options.kernelText);
  let here = pc;
  let position = offset;
  while (!ir.ended) {
    const full = ir.marks >= options.maxInstructions || ir.temporariesLeft < MAX_TEMPORARIES_OF_INSTRUCTION;
    if (ir.marks > 0 && (full || position + INSTRUCTION_BYTES > limit)) {
      ir.jump(here, "next");
      break;
    }
    liftInstruction(l, here, code, position);
    position += INSTRUCTION_BYTES;
    here = addressPlus(here, INSTRUCTION_BYTES);
  }
  return ir.finish();
}

function liftInstruction(l: Lifter, pc: Address, code: Uint8Array, position: number): void {
  const { ir } = l;
  if (pc.lo & 3) {
    // PC alignment fault: a branch went to such an address. D1.3.6.
    ir.mark(pc, INSTRUCTION_BYTES);
    return ir.trap(trapNumber(EC_PC_ALIGNMENT, 0), pc);
  }
  const word = wordAt(code, position);
  const row: Row | null = decode(word);
  if (row === null) {
    ir.mark(pc, INSTRUCTION_BYTES);
    return ir.trap(undefinedTrap(null), pc);
  }
  const fields = fieldsOf(row, word);
  l.begin(row, pc, operandWidth(fields));
  const lift = LIFTERS[row.id]!;
  if (lift === null) l.undefined();
  else lift(l, fields);
}

/** sf (or the size bit that rows call s), else the inverse of w, else 64. */
function operandWidth(fields: AnyFields): Width {
  if (fields["w"] !== undefined) return fields["w"] === 1 ? 32 : 64;
  return fields["s"] === 0 ? 32 : 64;
}
