/** All of a kernel's counters under their published names, as a run's statistics show them. */
import type { Kernel } from "./kernel.ts";
import type { Memory } from "./mm/memory.ts";
import { EVENT_NAMES, UNREACHABLE_EVENTS } from "./mm/vm-events.ts";

/** Sums over all cores, by name: memory events, then the others in the order in which they first happened. */
export function eventCounts(kernel: Kernel): ReadonlyMap<string, number> {
  const events = (kernel.memory as Memory).events;
  const counts = new Map(EVENT_NAMES.map((name, event) => [name, events.total(event)]));
  for (const [name, value] of kernel.counters.entries()) counts.set(name, (counts.get(name) ?? 0) + value);
  return counts;
}

/** Events that cannot happen in this version and so read 0: name and reason. */
export function unreachableEvents(): readonly (readonly [name: string, reason: string])[] {
  return [...UNREACHABLE_EVENTS].map(([event, reason]) => [EVENT_NAMES[event]!, reason]);
}
