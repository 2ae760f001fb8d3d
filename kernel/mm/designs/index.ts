/** The fault designs, in the order in which they are listed. */
import { Classic } from "./classic.ts";
import type { FaultDesign } from "./design.ts";
import { SpfMm } from "./spf-mm.ts";

export { Classic } from "./classic.ts";
export { FaultDesign } from "./design.ts";
export { SpfMm } from "./spf-mm.ts";

/** A fault design, or a subclass of one. (Classic has all the members that any design has, and none is abstract.) */
export type DesignClass = new () => Classic;

export interface DesignEntry {
  readonly name: string;
  readonly description: string;
  readonly designClass: DesignClass;
  create(): FaultDesign;
}

function entry(designClass: DesignClass): DesignEntry {
  const { name, summary } = new designClass();
  return { name, description: summary, designClass, create: () => new designClass() };
}

export const DESIGNS: readonly DesignEntry[] = [entry(Classic), entry(SpfMm)];
