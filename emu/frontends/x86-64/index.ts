/** The x86-64 instruction-set frontend: table, decoder, disassembler, generator and lifters. */
export { type DecodeStatus, decode, MAX_LENGTH_BYTES } from "./decode/decoder.ts";
export { BASE_RIP, Instruction } from "./decode/instruction.ts";
export { disassemble } from "./disassemble/disassemble.ts";
export { createX86Frontend, x86Frontend } from "./frontend.ts";
export {
  type GeneratorOptions,
  type RandomSource,
  randomBytes,
  randomInstruction,
  randomRow,
} from "./generate/random-instruction.ts";
export * from "./state.ts";
export { SYSTEM_HELPERS, type SystemHelper, systemHelperName } from "./system-helpers.ts";
export { breadth, type OperandSpec, overlaps, ROWS, type Row, type RowKind } from "./table/index.ts";
export * from "./traps.ts";
