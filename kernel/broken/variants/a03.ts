/** A03: an attempt that begins and ends inside one writer's section compares equal odd values. */
import type { Context } from "../../context.ts";
import { seqRead } from "../../locking/seqcount.ts";
import { SpfMm } from "../../mm/designs/index.ts";
import type { FaultState } from "../../mm/fault-state.ts";
import { mmMmapSeq } from "../../mm/mm-struct.ts";
import { type BrokenVariant, SPF_MM } from "../variant.ts";

class OddAccepted extends SpfMm {
  override begin(k: Context, f: FaultState): boolean {
    f.seq = seqRead(k, f.mm, mmMmapSeq);
    return true;
  }
}

export const A03: BrokenVariant = {
  id: "A03",
  title: "an attempt may begin while the sequence count is odd",
  catalogue: "A03",
  designs: SPF_MM,
  invariants: ["I1"],
  needs: [],
  overrides: { spfMm: OddAccepted },
};
