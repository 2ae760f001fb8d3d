/** The AArch64 instruction-set frontend: table, decoder, disassembler, generator and lifters. */
export { type BitMasks, DecodeBitMasks, type Wide } from "./bit-masks.ts";
export { decode, fieldsOf, wordAt } from "./decode/decoder.ts";
export { disassemble } from "./disassemble/disassemble.ts";
export { aarch64Frontend } from "./frontend.ts";
export {
  isPredictable,
  type RandomSource,
  randomInstruction,
  randomRow,
} from "./generate/random-instruction.ts";
export * from "./state.ts";
export { SYSTEM_HELPERS, type SystemHelper, systemHelperName } from "./system-helpers.ts";
export {
  isReservedIdentification,
  SYSTEM_REGISTERS,
  type SystemRegister,
  type SystemRegisterAccess,
  systemRegister,
  systemRegisterId,
} from "./system-registers.ts";
export { overlaps, ROWS, type Row, type RowKind } from "./table/index.ts";
export * from "./traps.ts";
