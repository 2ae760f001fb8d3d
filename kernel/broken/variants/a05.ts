/**
 * A05: mmap_write_downgrade() does not end the writer's section. Nobody bumps at the end of a read section, so the count
 * stays odd, and every attempt gives up, until the next writer makes it even inside its own section.
 */
import { type Context, NOTHING, type Work } from "../../context.ts";
import { SpfMm } from "../../mm/designs/index.ts";
import type { KPtr } from "../../struct.ts";
import { type BrokenVariant, SPF_MM } from "../variant.ts";

class SilentDowngrade extends SpfMm {
  override beforeWriteDowngrade(_k: Context, _mm: KPtr): Work {
    return NOTHING;
  }
}

export const A05: BrokenVariant = {
  id: "A05",
  title: "mmap_write_downgrade() leaves the sequence count odd",
  catalogue: "A05",
  designs: SPF_MM,
  invariants: ["I1", "I10"],
  needs: [],
  overrides: { spfMm: SilentDowngrade },
};
