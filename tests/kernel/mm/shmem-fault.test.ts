import { describe, expect, test } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import { EFAULT } from "../../../kernel/errno.ts";
import { Classic, SpfMm } from "../../../kernel/mm/designs/index.ts";
import { madvise, mremap } from "../../../kernel/mm/index.ts";
import { MADV_POPULATE_READ, MADV_POPULATE_WRITE } from "../../../kernel/mm/madvise.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_SHARED } from "../../../kernel/mm/mmap.ts";
import { MREMAP_FIXED, MREMAP_MAYMOVE } from "../../../kernel/mm/mremap.ts";
import { halves, load, MmMachine, mapPages, store, userFault } from "./support/mm-machine.ts";

const BASE = 0x7_0000_0000;
const TARGET = BASE + 64;
const SIGBUS = 7;
const BUS_ADRERR = 2;

/** A mapping of three pages of an object of one, made in one of the ways there are; its first page. */
const WAYS: Readonly<Record<string, (k: Context) => Work<number>>> = {
  *"a mapping grown in place"(k) {
    yield* mapPages(k, BASE, 1, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED);
    return yield* remap(k, 1, 0, 0);
  },
  *"a mapping grown to another place"(k) {
    yield* mapPages(k, BASE, 1, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED);
    return yield* remap(k, 1, MREMAP_MAYMOVE | MREMAP_FIXED, TARGET);
  },
  *"a second, longer mapping"(k) {
    yield* mapPages(k, BASE, 1, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED);
    return yield* remap(k, 0, MREMAP_MAYMOVE | MREMAP_FIXED, TARGET);
  },
};

/** mremap() of BASE to three pages. */
function* remap(k: Context, oldPages: number, flags: number, target: number): Work<number> {
  const [lo, hi] = halves(BASE);
  const [newLo, newHi] = halves(target);
  const lengths = { oldLengthLo: oldPages * 4096, oldLengthHi: 0, newLengthLo: 3 * 4096, newLengthHi: 0 };
  return yield* mremap(k, { lo, hi, ...lengths, flags, newLo, newHi });
}

const DESIGNS = [
  ["classic", () => new Classic()],
  ["spf-mm", () => new SpfMm()],
] as const;

describe.each(DESIGNS)("a shared anonymous object has the size of its mmap (%s)", (_design, design) => {
  describe.each(Object.entries(WAYS))("%s", (_way, map) => {
    function run(body: (k: Context, page: number, machine: MmMachine) => Work): void {
      const machine = new MmMachine({ design: design() });
      machine.run(function* (k): Work {
        const page = yield* map(k);
        expect(page).toBeGreaterThan(0);
        yield* body(k, page, machine);
      });
      expect(machine.kernel.reports).toEqual([]);
    }

    test.each(["read", "write"] as const)("a %s behind its end is SIGBUS, BUS_ADRERR", (kind) => {
      run(function* (k, page, machine): Work {
        yield* userFault(k, page, kind);
        expect(machine.signals).toEqual([]);
        for (const behind of [page + 1, page + 2]) {
          yield* userFault(k, behind, kind);
          const [lo, hi] = halves(behind);
          expect(machine.signals.pop()).toMatchObject({ signo: SIGBUS, code: BUS_ADRERR, lo, hi });
        }
      });
    });

    test("a buffer of a system call there cannot be read or written", () => {
      run(function* (k, page): Work {
        expect(yield* store(k, page, 5)).toBe(true);
        expect(yield* load(k, page)).toBe(5);
        expect(yield* store(k, page + 2, 5)).toBe(false);
        expect(yield* load(k, page + 1)).toBe(null);
      });
    });

    test.each([MADV_POPULATE_READ, MADV_POPULATE_WRITE])("madvise %i there is -EFAULT", (advice) => {
      run(function* (k, page): Work {
        expect(yield* madvise(k, ...halves(page), ...halves(1), advice)).toBe(0);
        expect(yield* madvise(k, ...halves(page), ...halves(3), advice)).toBe(-EFAULT);
        expect(yield* madvise(k, ...halves(page + 2), ...halves(1), advice)).toBe(-EFAULT);
      });
    });
  });
});
