/**
 * Which translations of a test are worth enumerating. What the tables hold for an address matters only if a thread writes
 * one of the entries on its path, if an entry begins without its accessed or dirty mark, or if roots map it differently; the content of a
 * paging-structure cache matters only at levels whose entries are written, or if there are several roots. Everything else
 * is the same whatever is cached, so the runner keeps it cached. A test compares the final states with those of
 * enumerating everything.
 *
 * An address is filled or replaced only while the core may still use it, unless accessed bits are at stake, which a
 * speculative fill sets whether it is used or not.
 */
import type { Effect, LitmusTest, Place } from "./test.ts";

/** Where the entries of a test lie. */
export interface EntryPlaces {
  /** Root tables. */
  readonly roots: number;
  /** Word index in RAM of a place. */
  slot(place: Place): number;
}

/** A slot of a core's program, as far as speculation is concerned. */
export interface SlotUse {
  readonly role: "thread" | "handler";
  /** The location whose page the slot's access uses, if it is one that the test maps. */
  readonly uses: string | null;
}

interface ProgramUse {
  readonly slots: readonly (SlotUse | null)[];
}

/** The architecture's names of the fields that hardware sets when it uses an entry. */
export interface MarkFields {
  readonly accessed: string;
  readonly dirty: string;
}

/** relevant: what can matter; everything: each location, level and moment, to check that nothing else does. */
export type Enumeration = "relevant" | "everything";

export interface Speculation {
  /** Locations whose translations are enumerated. */
  readonly volatile: readonly string[];
  /** Levels of paging-structure entries that are enumerated, ascending. */
  readonly levels: readonly number[];
  /** For each core and slot number: a bit per volatile location that may still be used. */
  readonly uses: readonly (readonly number[])[];
  /** Whether an address is filled while the core is inside a walk for it. */
  readonly inOwnWalk: "filled" | "left";
}

export function planSpeculation(
  test: LitmusTest,
  layout: EntryPlaces,
  programs: readonly ProgramUse[],
  enumeration: Enumeration,
  marks: MarkFields,
): Speculation {
  if (enumeration === "everything") return planEverything(test, programs);
  const written = writtenSlots(test, layout);
  const remapped = new Set(
    test.initial.filter(({ place }) => place.root > 0).map(({ place }) => place.location),
  );
  const onPath = (name: string, level: 1 | 2 | 3 | 4): boolean => {
    for (let root = 0; root < layout.roots; root++) {
      if (written.has(layout.slot({ location: name, level, root }))) return true;
    }
    return false;
  };
  const names = test.locations.map(({ name }) => name);
  const levels = ([2, 3, 4] as const).filter(
    (level) => layout.roots > 1 || names.some((name) => onPath(name, level)),
  );
  const unmarked = startsUnmarked(test, marks);
  const volatile = names.filter(
    (name) =>
      remapped.has(name) ||
      unmarked.has(name) ||
      ([1, 2, 3, 4] as const).some((level) => onPath(name, level)),
  );
  const everywhere = test.initial.some(({ place, value }) => {
    return place.level > 0 && value.kind === "entry" && value.entry.fields[marks.accessed] === 0;
  });
  const clearsAccessed = effectsOf(test).some((effect) => {
    return "value" in effect && typeof effect.value === "object" && effect.value.kind === "entry"
      ? effect.value.entry.fields[marks.accessed] === 0
      : false;
  });
  const all = (1 << volatile.length) - 1;
  return {
    volatile,
    levels,
    inOwnWalk: "left",
    uses: programs.map((program) =>
      everywhere || clearsAccessed ? program.slots.map(() => all) : usesBySlot(program, volatile),
    ),
  };
}

function planEverything(test: LitmusTest, programs: readonly ProgramUse[]): Speculation {
  const names = test.locations.map(({ name }) => name);
  const all = 2 ** names.length - 1;
  return {
    volatile: names,
    levels: [2, 3, 4],
    uses: programs.map((program) => program.slots.map(() => all)),
    inOwnWalk: "filled",
  };
}

/** Bits of what each slot and those after it use; an interrupt may come at any slot of the thread. */
function usesBySlot(program: ProgramUse, volatile: readonly string[]): number[] {
  const bit = (slot: SlotUse | null): number => {
    const index = slot?.uses == null ? -1 : volatile.indexOf(slot.uses);
    return index < 0 ? 0 : 1 << index;
  };
  const later = (role: SlotUse["role"]): number[] => {
    let mask = 0;
    return program.slots.map((slot) => (slot?.role === role ? (mask |= bit(slot)) : mask));
  };
  const thread = later("thread");
  const handler = later("handler");
  const inThread = Math.max(0, ...thread);
  const inHandler = Math.max(0, ...handler);
  return program.slots.map((slot, i) =>
    slot?.role === "handler" ? handler[i]! | inThread : thread[i]! | inHandler,
  );
}

function effectsOf(test: LitmusTest): Effect[] {
  return test.columns.flatMap(({ operations }) => operations.map(({ effect }) => effect));
}

function writtenSlots(test: LitmusTest, layout: EntryPlaces): Set<number> {
  const slots = new Set<number>();
  for (const effect of effectsOf(test)) {
    if (!("place" in effect) || effect.kind === "load" || effect.kind === "await") continue;
    const { place } = effect;
    const target = test.locations.find(({ name }) => name === place.location);
    if (place.level > 0) slots.add(layout.slot(place));
    else if (target?.mapping === "window") {
      // Through a window a store writes the leaf entry of the other location.
      for (let root = 0; root < layout.roots; root++) {
        slots.add(layout.slot({ location: target.windowOf!, level: 1, root }));
      }
    }
  }
  return slots;
}

/** Locations with an initial entry that lacks a mark. */
function startsUnmarked(test: LitmusTest, { accessed, dirty }: MarkFields): Set<string> {
  const names = new Set<string>();
  for (const { place, value } of test.initial) {
    if (place.level === 0 || value.kind !== "entry") continue;
    const { fields } = value.entry;
    if (fields[accessed] === 0 || fields[dirty] === 0) names.add(place.location);
  }
  return names;
}
