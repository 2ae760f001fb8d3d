/** What conflicts with what, and what orders it. */
import { describe, expect, it } from "vitest";
import { Clocks } from "../../../../stress/oracle/races/clocks.ts";
import {
  type AccessKind,
  ATOMIC,
  CHECKED,
  COPY_READ,
  type Discipline,
  IGNORED,
  LOCKLESS,
  MARKED_READ,
  MARKED_WRITE,
  NO_CONFLICT,
  PLAIN_READ,
  PLAIN_WRITE,
  Shadow,
} from "../../../../stress/oracle/races/shadow.ts";

const WORD = 5;
const OTHER_WORD = 9;
const LOCK = 12;

function shadowOf(discipline: Discipline): { shadow: Shadow; clocks: Clocks } {
  const clocks = new Clocks(3);
  const shadow = new Shadow(64, clocks, () => discipline);
  for (let note = 1; note < 20; note++) shadow.beginStep(note);
  return { shadow, clocks };
}

const KINDS: readonly AccessKind[] = [PLAIN_WRITE, MARKED_WRITE, PLAIN_READ, MARKED_READ, COPY_READ];

describe("two accesses of different cores", () => {
  const races = new Set(
    [
      [PLAIN_WRITE, PLAIN_WRITE],
      [PLAIN_WRITE, MARKED_WRITE],
      [PLAIN_WRITE, PLAIN_READ],
      [PLAIN_WRITE, MARKED_READ],
      [PLAIN_WRITE, COPY_READ],
      [MARKED_WRITE, PLAIN_READ],
    ].flatMap(([a, b]) => [`${a} ${b}`, `${b} ${a}`]),
  );
  const pairs = KINDS.flatMap((first) => KINDS.map((second) => [first, second] as const));

  it.each(pairs)("of kinds %i and %i race if one writes and one is plain", (first, second) => {
    const { shadow } = shadowOf(CHECKED);
    expect(shadow.access(0, WORD, first, 1)).toBe(NO_CONFLICT);
    const conflict = shadow.access(1, WORD, second, 2);
    expect(conflict).toBe(races.has(`${first} ${second}`) ? 0 : NO_CONFLICT);
    if (conflict === 0) expect([shadow.conflictKind, shadow.conflictNote]).toEqual([first, 1]);
  });

  it.each(pairs)("of kinds %i and %i never race on an atomic or an ignored word", (first, second) => {
    for (const discipline of [ATOMIC, IGNORED] as const) {
      const { shadow } = shadowOf(discipline);
      shadow.access(0, WORD, first, 1);
      expect(shadow.access(1, WORD, second, 2)).toBe(NO_CONFLICT);
    }
  });

  it("do not race on the words beside each other", () => {
    const { shadow } = shadowOf(CHECKED);
    shadow.access(0, WORD, PLAIN_WRITE, 1);
    expect(shadow.access(1, WORD + 1, PLAIN_WRITE, 2)).toBe(NO_CONFLICT);
  });

  it("race with the earlier of two others as well", () => {
    const { shadow } = shadowOf(CHECKED);
    shadow.access(0, WORD, PLAIN_READ, 1);
    shadow.access(1, WORD, PLAIN_READ, 2);
    shadow.lockReleased(1, LOCK, "exclusive");
    shadow.lockAcquired(2, LOCK, "exclusive");
    expect(shadow.access(2, WORD, PLAIN_WRITE, 3)).toBe(0);
  });
});

describe("order", () => {
  /** Core 0 writes plainly, something happens, core 1 reads plainly. */
  function readAfter(between: (shadow: Shadow, clocks: Clocks) => void): number {
    const { shadow, clocks } = shadowOf(CHECKED);
    shadow.access(0, WORD, PLAIN_WRITE, 1);
    between(shadow, clocks);
    return shadow.access(1, WORD, PLAIN_READ, 2);
  }

  it("comes from a lock", () => {
    expect(
      readAfter((shadow) => {
        shadow.lockReleased(0, LOCK, "exclusive");
        shadow.lockAcquired(1, LOCK, "exclusive");
      }),
    ).toBe(NO_CONFLICT);
  });

  it.each([
    ["exclusive", "shared", NO_CONFLICT],
    ["shared", "exclusive", NO_CONFLICT],
    ["shared", "shared", 0],
  ] as const)("comes from a %s section to a %s one: conflict %i", (before, after, conflict) => {
    expect(
      readAfter((shadow) => {
        shadow.lockReleased(0, LOCK, before);
        shadow.lockAcquired(1, LOCK, after);
      }),
    ).toBe(conflict);
  });

  it("does not come from another lock, nor from the acquisition before the release", () => {
    expect(
      readAfter((shadow) => {
        shadow.lockReleased(0, LOCK, "exclusive");
        shadow.lockAcquired(1, LOCK + 1, "exclusive");
      }),
    ).toBe(0);
    expect(
      readAfter((shadow) => {
        shadow.lockAcquired(1, LOCK, "exclusive");
        shadow.lockReleased(0, LOCK, "exclusive");
      }),
    ).toBe(0);
  });

  it("comes from a marked write that a marked read sees, not from plain ones", () => {
    expect(
      readAfter((shadow) => {
        shadow.access(0, OTHER_WORD, MARKED_WRITE, 3);
        shadow.access(1, OTHER_WORD, MARKED_READ, 4);
      }),
    ).toBe(NO_CONFLICT);
    expect(
      readAfter((shadow) => {
        shadow.access(0, OTHER_WORD, MARKED_WRITE, 3);
        shadow.access(1, OTHER_WORD, PLAIN_READ, 4);
      }),
    ).toBe(0);
  });

  it("does not cover what is written behind the marked write", () => {
    const { shadow } = shadowOf(CHECKED);
    shadow.access(0, OTHER_WORD, MARKED_WRITE, 1);
    shadow.access(0, WORD, PLAIN_WRITE, 1);
    shadow.access(1, OTHER_WORD, MARKED_READ, 2);
    expect(shadow.access(1, WORD, PLAIN_READ, 2)).toBe(0);
  });

  it("goes on over a third core", () => {
    const { shadow } = shadowOf(CHECKED);
    shadow.access(0, WORD, PLAIN_WRITE, 1);
    shadow.access(0, OTHER_WORD, MARKED_WRITE, 2);
    shadow.access(1, OTHER_WORD, MARKED_READ, 3);
    shadow.lockReleased(1, LOCK, "exclusive");
    shadow.lockAcquired(2, LOCK, "exclusive");
    expect(shadow.access(2, WORD, PLAIN_WRITE, 4)).toBe(NO_CONFLICT);
  });

  it("does not matter to a word that is something new, nor in a new run", () => {
    expect(readAfter((shadow) => shadow.forget(WORD, WORD + 1))).toBe(NO_CONFLICT);
    expect(readAfter((shadow) => shadow.clear())).toBe(NO_CONFLICT);
  });
});

describe("words for lockless use", () => {
  it("may be accessed anywhere in a step, once", () => {
    const { shadow } = shadowOf(LOCKLESS);
    shadow.access(0, WORD, PLAIN_WRITE, 1);
    expect(shadow.access(1, WORD, PLAIN_READ, 2)).toBe(NO_CONFLICT);
    shadow.access(0, OTHER_WORD, PLAIN_WRITE, 3);
    expect(shadow.access(1, OTHER_WORD, PLAIN_READ, 2)).toBe(0);
    expect([shadow.conflictKind, shadow.conflictNote]).toEqual([PLAIN_WRITE, 3]);
  });

  it("race if the earlier step has spent its mark", () => {
    const { shadow } = shadowOf(LOCKLESS);
    shadow.access(0, WORD, PLAIN_WRITE, 1);
    shadow.access(0, OTHER_WORD, PLAIN_WRITE, 1);
    expect(shadow.access(1, WORD, PLAIN_READ, 2)).toBe(NO_CONFLICT);
    expect(shadow.access(2, OTHER_WORD, PLAIN_READ, 3)).toBe(0);
  });

  it("have one mark for both halves of an entry", () => {
    const { shadow } = shadowOf(LOCKLESS);
    for (const half of [8, 9]) shadow.access(0, half, PLAIN_WRITE, 1);
    for (const half of [8, 9]) expect(shadow.access(1, half, PLAIN_READ, 2)).toBe(NO_CONFLICT);
  });

  it("order what is read after what was written, but no walk of the hardware", () => {
    const { shadow, clocks } = shadowOf(LOCKLESS);
    shadow.access(0, WORD, PLAIN_WRITE, 1);
    const known = clocks.now[1 * 3 + 0];
    expect(shadow.walked(1, WORD)).toBe(NO_CONFLICT);
    expect(clocks.now[1 * 3 + 0]).toBe(known);
    shadow.access(1, WORD, PLAIN_READ, 2);
    expect(clocks.now[1 * 3 + 0]).toBeGreaterThan(known!);
  });

  it("race with a walk if two entries are written in one step", () => {
    const { shadow } = shadowOf(LOCKLESS);
    shadow.access(0, WORD, PLAIN_WRITE, 1);
    shadow.access(0, OTHER_WORD, PLAIN_WRITE, 1);
    expect(shadow.walked(1, WORD)).toBe(NO_CONFLICT);
    expect(shadow.walked(1, OTHER_WORD)).toBe(0);
  });
});
