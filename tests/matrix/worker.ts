/** A process of the matrix: runs the combinations that it is sent, one after the other. */
import { type Combination, checkCombination } from "./combination.ts";

export interface Order {
  readonly combination: Combination;
  readonly ledger: "on" | "off";
}

export interface Answer {
  readonly combination: Combination;
  readonly wrong: readonly string[];
}

process.on("disconnect", () => process.exit());
process.on("message", ({ combination, ledger }: Order) => {
  let wrong: string[];
  try {
    wrong = checkCombination(combination, ledger);
  } catch (error) {
    wrong = [`host exception: ${(error as Error).stack ?? String(error)}`];
  }
  const answer: Answer = { combination, wrong };
  process.send!(answer, () => {});
});
