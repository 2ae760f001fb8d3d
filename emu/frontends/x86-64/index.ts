/** The x86-64 instruction-set frontend: table, decoder, disassembler, generator and lifters. */
export { type DecodeStatus, decode, MAX_LENGTH_BYTES } from "./decode/decoder.ts";
export { BASE_RIP, Instruction } from "./decode/instruction.ts";
export { disassemble } from "./disassemble/disassemble.ts";
export {
  type GeneratorOptions,
  type RandomSource,
  randomBytes,
  randomInstruction,
  randomRow,
} from "./generate/random-instruction.ts";
export { breadth, type OperandSpec, overlaps, ROWS, type Row, type RowKind } from "./table/index.ts";
