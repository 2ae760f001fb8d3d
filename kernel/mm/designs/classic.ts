/** Every fault under mmap_lock for read (Linux before per-VMA locks). */
import { FaultDesign } from "./design.ts";

export class Classic extends FaultDesign {
  override readonly name: string = "classic";
  override readonly summary: string = "every fault under mmap_lock";
}
