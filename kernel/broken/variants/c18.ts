/** C18: the hardware sets a dirty bit between the load of the entry and the store of the changed one, which lacks it. */
import { MmSteps } from "../../mm/mm-steps.ts";
import { ALL_DESIGNS, type BrokenVariant } from "../variant.ts";

class NotCleared extends MmSteps {
  override startModify(): void {}
}

export const C18: BrokenVariant = {
  id: "C18",
  title: "mprotect loads an entry, changes it and stores it, without clearing it first",
  catalogue: "C18",
  designs: ALL_DESIGNS,
  invariants: ["I5"],
  needs: [],
  overrides: { steps: NotCleared },
};
