/** Ties lifters to the rows of a table file: every mnemonic has one, and it takes as many operands as a form has. */
import type { OperandSpec, RowSource } from "../table/row.ts";
import type { Lifter } from "./lifter.ts";

type MnemonicOf<Form extends string> = Form extends `${infer Mnemonic} ${string}` ? Mnemonic : Form;
type Operands<List extends string> = List extends `${string}, ${infer Rest}`
  ? [OperandSpec, ...Operands<Rest>]
  : [OperandSpec];
type OperandsOf<Form extends string> = Form extends `${string} ${infer List}` ? Operands<List> : [];

/** One lifter per mnemonic of a group of rows. */
export type Lifters<Rows extends readonly RowSource[]> = {
  readonly [Form in Rows[number][1] as MnemonicOf<Form>]: (l: Lifter, ...operands: OperandsOf<Form>) => void;
};

/** The sixteen condition codes in encoding order, as the table spells them. */
export const CONDITION_CODES = [
  "O",
  "NO",
  "B",
  "AE",
  "E",
  "NE",
  "BE",
  "A",
  "S",
  "NS",
  "P",
  "NP",
  "L",
  "GE",
  "LE",
  "G",
] as const;
export type ConditionCode = (typeof CONDITION_CODES)[number];

/** Lifters for `${prefix}${cc}` of all sixteen codes; `make` gets the code's number. */
export function forEachCondition<Prefix extends string, Lift>(
  prefix: Prefix,
  make: (code: number) => Lift,
): Record<`${Prefix}${ConditionCode}`, Lift> {
  const entries = CONDITION_CODES.map((name, code) => [`${prefix}${name}`, make(code)]);
  return Object.fromEntries(entries) as Record<`${Prefix}${ConditionCode}`, Lift>;
}
