/** A process of the matrix: runs the combinations that it is sent, one after the other. */
import { type Combination, checkCombination } from "./combination.ts";

export interface Answer {
  readonly combination: Combination;
  readonly wrong: readonly string[];
}

process.on("message", (combination: Combination) => {
  let wrong: string[];
  try {
    wrong = checkCombination(combination);
  } catch (error) {
    wrong = [`host exception: ${(error as Error).stack ?? String(error)}`];
  }
  const answer: Answer = { combination, wrong };
  process.send!(answer);
});
