/** Mutations that no scenario shows, and why: nothing that this kernel does depends on the step. */
export const EXPLAINED: Readonly<Record<string, string>> = {
  "SpfMm.validateCopy":
    "a torn copy changes nothing: what follows reads tables and allocates, SEQ1 compares the count again before any lock is taken, and what tells anonymous mappings from others never changes in a VMA that RCU keeps",
};
