/** The fault designs, in the order in which they are listed. */
import { Classic } from "./classic.ts";
import type { FaultDesign } from "./design.ts";
import { SpfMm } from "./spf-mm.ts";

export { Classic } from "./classic.ts";
export { FaultDesign } from "./design.ts";
export { SpfMm } from "./spf-mm.ts";

export interface DesignEntry {
  readonly name: string;
  readonly description: string;
  create(): FaultDesign;
}

function entry(create: () => FaultDesign): DesignEntry {
  const { name, summary } = create();
  return { name, description: summary, create };
}

export const DESIGNS: readonly DesignEntry[] = [entry(() => new Classic()), entry(() => new SpfMm())];
