/** The fault designs by name. A design is one class; a variant that breaks one step is a subclass of it. */
import { Classic } from "./classic.ts";
import type { FaultDesign } from "./design.ts";
import { SpfMm } from "./spf-mm.ts";

export interface DesignEntry {
  readonly name: string;
  readonly description: string;
  readonly create: () => FaultDesign;
}

export const DESIGNS: readonly DesignEntry[] = [
  {
    name: "classic",
    description: "every fault under mmap_lock",
    create: () => new Classic(),
  },
  {
    name: "spf-mm",
    description: "Lespinasse v2: per-mm sequence count, VMA copy, RCU-freed VMAs",
    create: () => new SpfMm(),
  },
];
