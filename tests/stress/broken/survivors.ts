/** Mutations that no scenario shows, and why: nothing that this kernel does depends on the step, or no scenario does what it takes. */
export const EXPLAINED: Readonly<Record<string, string>> = {
  "Asids.exchangeActive":
    "a rollover must come between two steps of a switch on another core, and in every scenario one core alone switches among more address spaces than there are ASIDs",
  "SpfMm.validateCopy":
    "a torn copy changes nothing: what follows reads tables and allocates, SEQ1 compares the count again before any lock is taken, and what tells anonymous mappings from others never changes in a VMA that RCU keeps",
};
