/**
 * A01: a writer that comes between the first check and the page-table lock has zapped the table already when the fault
 * installs its page.
 */
import { SpfMm } from "../../mm/designs/index.ts";
import { type BrokenVariant, SPF_MM } from "../variant.ts";

class NoSecondCheck extends SpfMm {
  override seq2(): boolean {
    return true;
  }
}

export const A01: BrokenVariant = {
  id: "A01",
  title: "the sequence count is not checked again under the page-table lock (SEQ2)",
  catalogue: "A01",
  designs: SPF_MM,
  invariants: ["I1", "I13"],
  needs: [],
  overrides: { spfMm: NoSecondCheck },
};
