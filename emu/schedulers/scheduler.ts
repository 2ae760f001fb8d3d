/** Who goes next. A scheduler sees cores as clocks that are ready now, at a known time, or never. */
import type { Core } from "../cores/index.ts";

export interface CoreScheduler {
  readonly name: string;
  /** The core to run now, with its clock moved to its ready time and its limits set; null: none ever will run. */
  next(): Core | null;
  /** A kernel point past the limit: true if another core is to run. */
  pointReached(core: Core): boolean;
  save(): unknown;
  restore(saved: unknown): void;
}
