/** The kernel's assertions by name, so that one can be switched off and what comes after it be seen. */
import { UserError } from "../emu/user-error.ts";

export type AssertionId =
  | "call-interrupts-off"
  | "data-race"
  | "entry-kind"
  | "lock-leak"
  | "lockdep-balance"
  | "lockdep-context"
  | "lockdep-depth"
  | "lockdep-held"
  | "lockdep-order"
  | "lockdep-sleep"
  | "mm-count"
  | "mm-exit"
  | "mm-users"
  | "notifier-balance"
  | "page-refcount"
  | "page-state"
  | "rwsem-owner"
  | "seqcount-begin"
  | "seqcount-end"
  | "timer-count"
  | "tlb-generation"
  | "tlb-slot"
  | "vma-overlap";

/** What each asserts. */
export const ASSERTIONS: Readonly<Record<AssertionId, string>> = {
  "call-interrupts-off": "nobody calls other cores and waits with interrupts off",
  "data-race":
    "accesses of kernel code to one word are ordered or marked (the oracle asserts it, not the kernel)",
  "entry-kind": "a page-table entry is empty or present",
  "lock-leak": "no lock, atomic or RCU section is left when a task goes to user mode",
  "lockdep-balance": "who releases a lock holds it",
  "lockdep-context": "a lock is taken in the context that its class declares",
  "lockdep-depth": "a context holds no more locks than it can note",
  "lockdep-held": "a function that needs a lock is called with it",
  "lockdep-order": "locks are taken in the order of their ranks",
  "lockdep-sleep": "nobody sleeps in an atomic section",
  "mm-count": "references to an address space balance",
  "mm-exit": "an address space leaves no page and no table counted",
  "mm-users": "users of an address space balance",
  "notifier-balance": "MMU notifiers are told of the end of invalidations whose start they were told of",
  "page-refcount": "references to a page balance",
  "page-state": "a page that is freed is not mapped",
  "rwsem-owner": "who releases a writer's lock is its writer",
  "seqcount-begin": "a sequence count is even where a writer begins",
  "seqcount-end": "a sequence count is odd where a writer ends",
  "timer-count": "a core has no more timers than it can note",
  "tlb-generation": "no core and no flush is ahead of the generation of the address space",
  "tlb-slot": "the context that is loaded belongs to the address space that is loaded",
  "vma-overlap": "the VMAs of an address space do not overlap",
};

/** @throws UserError if one is not the name of an assertion */
export function assertionIds(names: readonly string[], option: string): ReadonlySet<AssertionId> {
  const ids = new Set<AssertionId>();
  for (const name of names) {
    if (!Object.hasOwn(ASSERTIONS, name)) {
      const choice = Object.keys(ASSERTIONS).join(", ");
      throw new UserError("there is no such assertion", `${option} ${name}`, `choose from ${choice}`);
    }
    ids.add(name as AssertionId);
  }
  return ids;
}
