/**
 * A paging-structure (walk) cache of one level: entries lead to a table instead of a frame and are keyed by the
 * address bits that select it. It is never global.
 */
import { SetArray } from "./set-array.ts";

export class WalkCache extends SetArray {
  protected override readonly leadsTo = "table";

  protected override leaving(): void {}
}
