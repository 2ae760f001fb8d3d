/** Ties lifters to the rows of a table file: every row has one, and it gets the fields that the row's pattern names. */
import type { Fields, RowSource } from "../table/row.ts";
import type { Lifter } from "./lifter.ts";

/** One lifter per row name. */
export type Lifters<Rows extends readonly RowSource[]> = {
  readonly [Source in Rows[number] as Source[1]]: (l: Lifter, f: Fields<Source[0]>) => void;
};
