/** free_pgtables(): the tables of a list of VMAs that were unmapped, after taking the VMAs out of the reverse map. */
import type { Context, Work } from "../context.ts";
import { type KPtr, NULL } from "../struct.ts";
import { unlinkAnonVmas } from "./anon-vma.ts";
import type { Gather } from "./gather.ts";
import { memoryOf } from "./memory.ts";
import { unlinkObjectVma } from "./object-map.ts";
import { freeTableRange } from "./page-table.ts";
import { vmEnd, vmNext, vmStart } from "./vma.ts";

/**
 * @param floor end of the mapping below, or 0
 * @param ceiling start of the mapping above, or 0: none
 */
export function* freePgtables(k: Context, gather: Gather, first: KPtr, floor: number, ceiling: number): Work {
  const ram = k.ram;
  const span = memoryOf(k).format.spanPages(2);
  for (let vma = first; vma !== NULL; ) {
    const start = vmStart.get(ram, vma);
    yield* unlinkAnonVmas(k, vma);
    yield* unlinkObjectVma(k, vma);
    let next = vmNext.get(ram, vma);
    // Neighbours that share or nearly share a table are freed in one go.
    while (next !== NULL && vmStart.get(ram, next) <= vmEnd.get(ram, vma) + span) {
      vma = next;
      next = vmNext.get(ram, vma);
      yield* unlinkAnonVmas(k, vma);
      yield* unlinkObjectVma(k, vma);
    }
    const above = next === NULL ? ceiling : vmStart.get(ram, next);
    yield* freeTableRange(k, gather, start, vmEnd.get(ram, vma), floor, above);
    vma = next;
  }
}
