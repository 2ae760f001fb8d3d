/** A31: each attempt that ends at the page-table lock leaves a page that nobody has. */
import { SpfMm } from "../../mm/designs/index.ts";
import { type BrokenVariant, SPF_MM } from "../variant.ts";

class PageForgotten extends SpfMm {
  override dropPage(): void {}
}

export const A31: BrokenVariant = {
  id: "A31",
  title: "an attempt that gives up does not return its page",
  catalogue: "A31",
  designs: SPF_MM,
  invariants: ["I13"],
  needs: [],
  overrides: { spfMm: PageForgotten },
};
