/** Rows of the catalogue that are not there yet: the kernel or the machine has no such mechanism to break. */
import type { WaitingVariant } from "./variant.ts";

export const WAITING: readonly WaitingVariant[] = [
  {
    id: "A06",
    title: "the barriers of the sequence count are missing",
    catalogue: "A06",
    invariants: ["I1"],
    waitsFor: "weak memory: data accesses are sequentially consistent",
  },
  {
    id: "A09",
    title: "the PMD is not compared before the table is used (pmd_same)",
    catalogue: "A09",
    invariants: ["I1", "I13"],
    waitsFor: "collapse into huge pages",
  },
  {
    id: "A18",
    title: "copy-on-write without mmap_lock does not keep MMU notifiers from registering",
    catalogue: "A18",
    invariants: ["I8"],
    waitsFor: "a subscriber of MMU notifiers",
  },
  {
    id: "A19",
    title:
      "the notifier lock is taken after the start of the invalidation, or kept by an attempt that gives up",
    catalogue: "A19",
    invariants: ["I8", "I10"],
    waitsFor: "a subscriber of MMU notifiers",
  },
  {
    id: "C03",
    title: "reclaim puts its flush off, and mprotect does not ask for it",
    catalogue: "C03",
    invariants: ["I4"],
    waitsFor: "reclaim",
  },
  {
    id: "B02",
    title: "stack growth replaces a tree node under mmap_lock for read (StackRot)",
    catalogue: "B02",
    invariants: ["I11"],
    waitsFor: "a tree whose updates replace nodes",
  },
];
