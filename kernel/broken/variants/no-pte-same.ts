/** Two faults on one entry: the second replaces the page that the first has installed, and what was stored there. */
import type { DesignClass } from "../../mm/designs/index.ts";
import { ALL_DESIGNS, type BrokenVariant } from "../variant.ts";

function notCompared(base: DesignClass): DesignClass {
  return class NotCompared extends base {
    override entryIsSame(): boolean {
      return true;
    }
  };
}

export const NO_PTE_SAME: BrokenVariant = {
  id: "no-pte-same",
  title: "an entry is not compared with what the fault saw before it is replaced (pte_same)",
  catalogue: null,
  designs: ALL_DESIGNS,
  invariants: ["I4", "I13"],
  needs: [],
  overrides: { design: notCompared },
};
