/**
 * On AArch64 cores without a kernel the reduced search reaches what the full one does: random programs with broadcasts,
 * ASIDs, late page-table stores, interrupts and masks.
 */
import { describe, expect, it } from "vitest";
import { RandomNumbers } from "../../../emu/schedulers/index.ts";
import { type BareOperation, type BareProgram, PAGES, searchBare } from "./bare-machine.ts";

const load = (page: number): BareOperation => ({ kind: "load", page });
const map = (page: number, frame: number): BareOperation => ({ kind: "map", page, frame });
const invalidate = (page: number): BareOperation => ({ kind: "invalidate", page });
const dsb = (option: "ish" | "ishst" | "nsh"): BareOperation => ({ kind: "dsb", option });
const write = (word: number): BareOperation => ({ kind: "write", word });
const read = (word: number): BareOperation => ({ kind: "read", word });

function program(
  cores: readonly (readonly BareOperation[])[],
  handler: readonly BareOperation[] = [],
): BareProgram {
  return { cores, handlers: [handler, handler] };
}

const PROGRAMS: readonly (readonly [
  rule: string,
  program: BareProgram,
  preemptions: number,
  least: number,
])[] = [
  [
    "a store to a table is seen late",
    program([
      [map(0, 1), write(0)],
      [read(0), load(0)],
    ]),
    1,
    4,
  ],
  [
    "a translation is used until the invalidation takes effect",
    program([
      [map(0, -1), dsb("ishst"), invalidate(0), dsb("ish"), write(0)],
      [load(0), load(0), read(0)],
    ]),
    1,
    4,
  ],
  [
    "an interrupt lands between two uses of a translation",
    program(
      [
        [map(0, -1), dsb("ishst"), invalidate(0), { kind: "send" }, dsb("ish")],
        [load(0), load(0)],
      ],
      [load(0)],
    ),
    0,
    3,
  ],
];

const COUNTS = { programs: 14, most: 2_500 } as const;

describe("the reduced search on AArch64 cores", () => {
  it.each(PROGRAMS)("%s", (_rule, bare, preemptions, least) => {
    const all = searchBare(bare, { reduction: "none", preemptions, most: 200_000 })!;
    const reduced = searchBare(bare, { reduction: "bounded", preemptions, most: 200_000 })!;
    expect([...reduced.finals].sort()).toEqual([...all.finals].sort());
    expect(all.finals.size).toBeGreaterThanOrEqual(least);
    expect(reduced.schedules).toBeLessThan(all.schedules);
  });

  it("reaches the same states as the full one in random programs", { timeout: 240_000 }, () => {
    let all = 0;
    let reduced = 0;
    let compared = 0;
    for (let seed = 1; seed <= COUNTS.programs; seed++) {
      const bare = randomProgram(seed);
      for (const preemptions of [0, 1]) {
        const whole = searchBare(bare, { reduction: "none", preemptions, most: COUNTS.most });
        if (whole === null) continue;
        const part = searchBare(bare, { reduction: "bounded", preemptions, most: COUNTS.most })!;
        expect([...part.finals].sort(), `seed ${seed}, ${preemptions} preemptions`).toEqual(
          [...whole.finals].sort(),
        );
        all += whole.schedules;
        reduced += part.schedules;
        compared++;
      }
    }
    expect(compared).toBeGreaterThanOrEqual(COUNTS.programs);
    expect(reduced * 10).toBeLessThan(all);
  });
});

/** Two to four operations of each core. */
function randomProgram(seed: number): BareProgram {
  const random = new RandomNumbers(seed);
  const interrupts = random.below(2) === 1;
  const one = (where: "core" | "handler"): BareOperation[] => {
    const page = random.below(PAGES);
    const word = random.below(2);
    switch (random.below(where === "core" ? (interrupts ? 14 : 12) : 4)) {
      case 0:
      case 1:
        return [load(page)];
      case 2:
        return [{ kind: "store", page }];
      case 3:
        return [random.below(2) === 0 ? read(word) : write(word)];
      case 4:
      case 5:
        return [map(page, random.below(4) - 1)];
      case 6:
        return [map(page, random.below(4) - 1), dsb("ishst"), invalidate(page), dsb("ish")];
      case 7:
        return [map(page, -1), dsb("ishst"), { kind: "invalidate-leaf", page }];
      case 8:
        return [{ kind: "invalidate-all" }];
      case 9:
        return [{ kind: "asid", asid: random.below(2) }];
      case 10:
        return [dsb(random.below(2) === 0 ? "ish" : "nsh")];
      case 11:
        return [{ kind: "isb" }];
      case 12:
        return [{ kind: "send" }];
      default:
        return [{ kind: "mask", masked: 1 }, load(page), { kind: "mask", masked: 0 }];
    }
  };
  const cores = [0, 1].map(() => {
    const operations: BareOperation[] = [];
    const length = 2 + random.below(2);
    for (let count = 0; count < length; count++) operations.push(...one("core"));
    return operations;
  });
  const handlers = [0, 1].map(() => (interrupts ? one("handler") : []));
  return { cores, handlers };
}
