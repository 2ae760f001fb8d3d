/**
 * The reduced search reaches the same final states as the search of everything within the bound, and executes fewer
 * schedules: on programs written for one rule each, and on random ones.
 */
import { describe, expect, it } from "vitest";
import { AGENTS_PER_CORE, Exhaustive, MAX_CORES, RandomNumbers } from "../../../emu/schedulers/index.ts";
import { searchToy, type ToyOperation, type ToyProgram, type ToySearch } from "./toy-machine.ts";

const read = (word: number): ToyOperation => ({ kind: "read", word });
const write = (word: number): ToyOperation => ({ kind: "write", word });
const lock = (word: number): ToyOperation => ({ kind: "lock", word });
const unlock = (word: number): ToyOperation => ({ kind: "unlock", word });
const send = (core: number): ToyOperation => ({ kind: "send", core });
const mask = (masked: 0 | 1): ToyOperation => ({ kind: "mask", masked });
const wait = (word: number): ToyOperation => ({ kind: "await", word });
const hide = (word: number): ToyOperation => ({ kind: "hide", word });
const see = (word: number): ToyOperation => ({ kind: "see", word });
const none: ToyOperation = { kind: "none" };

function program(
  cores: readonly (readonly ToyOperation[])[],
  handlers: readonly (readonly ToyOperation[])[] = [],
): ToyProgram {
  return { words: 4, cores, handlers: cores.map((_, core) => handlers[core] ?? []) };
}

interface Both {
  readonly all: ToySearch;
  readonly reduced: ToySearch;
}

function searchBoth(toy: ToyProgram, preemptions: number): Both {
  return {
    all: searchToy(toy, { preemptions, reduction: "none" }),
    reduced: searchToy(toy, { preemptions, reduction: "bounded" }),
  };
}

function sorted({ finals }: ToySearch): string[] {
  return [...finals].sort();
}

const PROGRAMS: readonly (readonly [rule: string, toy: ToyProgram, preemptions: number])[] = [
  [
    "a lost update needs one preemption",
    program([
      [read(0), write(0)],
      [read(0), write(0)],
    ]),
    1,
  ],
  [
    "without preemptions whole cores are reordered",
    program([
      [write(0), write(1)],
      [write(1), write(0)],
    ]),
    0,
  ],
  [
    // The paper's reason for the conservative points: the last race is over the bound, its block's beginning is not.
    "an order that is dear at the race is cheap at the block's beginning",
    program([
      [write(0), write(1), none],
      [none, write(1), write(2)],
      [write(2), write(0)],
    ]),
    0,
  ],
  [
    "a core that waits is left for nothing",
    program([
      [lock(0), write(1), unlock(0)],
      [lock(0), read(1), unlock(0), write(1)],
    ]),
    1,
  ],
  [
    "an interrupt lands between two events of its core",
    program([[read(0), read(0)], [send(0)]], [[write(0)]]),
    0,
  ],
  [
    "an interrupt comes earlier if its sender does",
    program(
      [
        [read(0), none],
        [none, send(0)],
      ],
      [[write(0)]],
    ),
    1,
  ],
  [
    "two messages are two interrupts if the first is taken in time",
    program([[none], [send(0), send(0)]], [[write(0)]]),
    2,
  ],
  [
    "a masked interrupt waits",
    program([[send(0), mask(1), read(0), mask(0), read(0)], [read(0)]], [[write(0)]]),
    1,
  ],
  [
    "a handler races with other cores",
    program(
      [
        [send(0), none, none],
        [write(0), read(0)],
      ],
      [[read(0), write(0)]],
    ),
    1,
  ],
  [
    "an interrupt answers the later of two messages, whose sender is first",
    program([[send(1)], [none, send(1), read(1)]], [[], [write(1)]]),
    0,
  ],
  [
    "each of two messages has its answer, in both orders of their senders",
    program(
      [
        [send(0), write(1)],
        [write(1), send(0)],
      ],
      [[read(1)]],
    ),
    1,
  ],
  [
    "four messages have one to four answers",
    program([[send(0)], [send(0), send(0), send(0)]], [[read(0)]]),
    1,
  ],
  [
    "a message waits for the handler of the one before",
    program(
      [
        [send(0), send(1)],
        [send(0), send(0)],
      ],
      [[read(0)], [write(0)]],
    ),
    1,
  ],
  [
    "three answers after a write that the second message's handler makes",
    program([[send(0), send(2)], [send(2)], [write(0), send(2)]], [[write(0)], [], [read(0)]]),
    0,
  ],
  [
    "an interrupt comes after an event that has nothing to do with it, so that what its handler needs comes first",
    program([[write(2)], [send(0), send(1), write(2), send(0)]], [[write(1)], [read(2), write(1)]]),
    2,
  ],
  [
    "a core's turn begins before its interrupt does",
    program(
      [
        [send(1), write(2), write(2)],
        [send(0), read(2), write(2)],
      ],
      [[read(0), read(0)], [write(0)]],
    ),
    2,
  ],
  [
    "an interrupt comes after the events that another core waits for, which its handler waits for",
    program(
      [
        [lock(3), write(0), read(2), unlock(3)],
        [write(0), send(0), write(2), send(0), lock(3), write(0), unlock(3)],
      ],
      [[read(2), read(0)]],
    ),
    2,
  ],
  [
    "a core waits for another, which waits for it",
    program([
      [write(0), wait(1), read(2)],
      [wait(0), write(2), write(1), write(2)],
    ]),
    1,
  ],
  [
    "what was hidden is seen in every order",
    program([
      [hide(0), see(0)],
      [hide(0), hide(0)],
    ]),
    1,
  ],
  ["three cores, one word", program([[write(0)], [write(0)], [write(0), read(0)]]), 2],
];

describe("the reduced search", () => {
  it.each(PROGRAMS)("%s", (_rule, toy, preemptions) => {
    const { all, reduced } = searchBoth(toy, preemptions);
    expect(sorted(reduced)).toEqual(sorted(all));
    expect(all.finals.size).toBeGreaterThan(1);
  });

  it("executes one schedule of cores that have nothing to do with each other", () => {
    const toy = program([
      [write(0), write(0), read(3)],
      [write(1), write(1), read(3)],
      [write(2), read(3)],
    ]);
    const { all, reduced } = searchBoth(toy, 3);
    expect(reduced.schedules).toBe(1);
    expect(all.schedules).toBeGreaterThan(100);
    expect(sorted(reduced)).toEqual(sorted(all));
  });

  it("executes one schedule of what nobody sees", () => {
    const toy = program([
      [hide(0), hide(0)],
      [hide(0), hide(0)],
    ]);
    expect(searchBoth(toy, 2).reduced.schedules).toBe(1);
  });

  it("does not try what a core waits for before it looks in vain", () => {
    const toy = program([
      [none, wait(0)],
      [none, write(0)],
    ]);
    expect(searchBoth(toy, 2).reduced.schedules).toBeLessThan(4);
  });

  it("does not look for orders that a lock excludes", () => {
    const critical = [lock(0), write(1), read(2), write(1), unlock(0)];
    expect(searchBoth(program([critical, critical]), 2).reduced.schedules).toBeLessThan(8);
  });

  it("reaches more with each preemption that it may make", () => {
    const toy = program([
      [read(0), write(0), read(0), write(0)],
      [read(0), write(0), read(0), write(0)],
    ]);
    const finals = [0, 1, 2, 3].map((preemptions) => searchBoth(toy, preemptions).reduced.finals.size);
    expect(finals[0]).toBe(2);
    for (let at = 1; at < finals.length; at++) expect(finals[at]).toBeGreaterThan(finals[at - 1]!);
  });

  it.each([
    ["random programs", "some", [0, 1, 2], 200, 3],
    ["random programs that wait and hide", "waits", [0, 1, 2], 200, 3],
    ["random programs that are dense with messages", "many", [0, 1], 120, 2],
  ] as const)(
    "reaches the same states as the full one in %s",
    (_what, messages, bounds, programs, factor) => {
      let all = 0;
      let reduced = 0;
      for (let seed = 1; seed <= programs; seed++) {
        const toy = randomProgram(seed, messages);
        for (const preemptions of bounds) {
          const both = searchBoth(toy, preemptions);
          expect(sorted(both.reduced), `seed ${seed}, ${preemptions} preemptions`).toEqual(sorted(both.all));
          all += both.all.schedules;
          reduced += both.reduced.schedules;
        }
      }
      expect(reduced * factor).toBeLessThan(all);
    },
  );
});

describe("the search", () => {
  it("takes no more cores than a set of agents has room for", () => {
    const options = { reduction: "bounded", places: 1, watch: null } as const;
    expect(() => new Exhaustive({ ...options, cores: MAX_CORES + 1 })).toThrow(RangeError);
  });

  it("says so if a run does not repeat itself", () => {
    const search = new Exhaustive({ cores: 2, reduction: "none", places: 1, watch: null });
    const choose = (agents: number[], current: number): number =>
      search.choose({
        agents: Int32Array.from(agents),
        count: agents.length,
        current,
        continues: true,
        spins: false,
      });
    search.begin();
    choose([0, AGENTS_PER_CORE], -1);
    choose([AGENTS_PER_CORE], 0);
    search.end();
    expect(search.advance()).toBe(true);
    search.begin();
    expect(() => choose([0], -1)).toThrow("does not repeat itself");
  });
});

/** Two cores that wait for a word that both write, with one message at most. */
function waitingProgram(random: RandomNumbers): ToyProgram {
  const kinds = [read, write, wait, hide, see];
  const operations = (count: number): ToyOperation[] =>
    Array.from({ length: count }, () => kinds[random.below(kinds.length)]!(random.below(2)));
  const cores = [operations(4), operations(4)];
  if (random.below(2) === 1) cores[0]!.push(send(1));
  return program(cores, [[], [random.below(2) === 0 ? read(0) : write(1)]]);
}

/** At most 8 events on 2 or 3 cores, or so; with some messages: every second program has none. */
function randomProgram(seed: number, messages: "some" | "many" | "waits"): ToyProgram {
  const random = new RandomNumbers(seed);
  if (messages === "waits") return waitingProgram(random);
  const isDense = messages === "many";
  const interrupts = isDense || random.below(2) === 1;
  const count = 2 + random.below(2);
  const kinds = isDense ? 13 : 11;
  const operation = (where: "core" | "handler"): ToyOperation[] => {
    const kind = random.below(interrupts && where === "core" ? kinds : 8);
    const word = random.below(2);
    if (kind < 3) return [read(word)];
    if (kind < 6) return [write(word)];
    if (kind === 6) return [none];
    if (kind === 7)
      return where === "core" ? [lock(3), random.below(2) === 0 ? read(word) : write(word), unlock(3)] : [];
    return kind < kinds - 1 ? [send(random.below(count))] : [mask(1)];
  };
  const cores = Array.from({ length: count }, () => {
    const operations: ToyOperation[] = [];
    const length = 1 + random.below(count === 2 ? 3 : 2);
    while (operations.length < length) operations.push(...operation("core"));
    if (operations.some(({ kind }) => kind === "mask")) operations.push(mask(0));
    return operations;
  });
  const handlers = cores.map(() => (interrupts ? [...operation("handler"), ...operation("handler")] : []));
  return { words: 4, cores, handlers };
}
