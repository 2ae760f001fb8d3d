/**
 * A04: system calls take mmap_lock by mmap_write_lock_killable(). Without the bump there the writer is invisible, and the
 * bump at its end leaves the count odd while nobody writes, or even inside the next writer.
 */
import type { Work } from "../../context.ts";
import { SpfMm } from "../../mm/designs/index.ts";
import { type BrokenVariant, SPF_MM } from "../variant.ts";

class SilentKillable extends SpfMm {
  override *afterWriteLockKillable(): Work {}
}

export const A04: BrokenVariant = {
  id: "A04",
  title: "mmap_write_lock_killable() does not make the sequence count odd",
  catalogue: "A04",
  designs: SPF_MM,
  invariants: ["I1", "I10"],
  needs: [],
  overrides: { spfMm: SilentKillable },
};
