/** Mutations that no scenario shows, and why: nothing that this kernel does depends on the step. */
export const EXPLAINED: Readonly<Record<string, string>> = {
  "SpfMm.validateCopy":
    "a torn copy changes nothing: what follows reads tables and allocates, SEQ1 compares the count again before any lock is taken, and what tells anonymous mappings from others never changes in a VMA that RCU keeps",
  "Gather.flushDirty":
    "the flush under the page-table lock keeps writeback from losing a store; nothing cleans pages here yet, and the gather keeps its reference until its own flush",
};
