import type { CoreScheduler } from "../../emu/schedulers/index.ts";

/** The explorer decides who runs; nobody asks a scheduler. */
export const NO_SCHEDULER: CoreScheduler = {
  name: "litmus",
  next: () => null,
  pointReached: () => false,
  save: () => null,
  restore: () => {},
};
