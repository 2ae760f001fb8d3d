import { expect, test } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import { EAGAIN, EFAULT } from "../../../kernel/errno.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_POPULATE, MAP_PRIVATE, MAP_SHARED } from "../../../kernel/mm/mmap.ts";
import { mprotect } from "../../../kernel/mm/mprotect.ts";
import { kptrOf } from "../../../kernel/struct.ts";
import { futexRequeue, futexWait, futexWake, futexWakeOp } from "../../../kernel/tasks/futex.ts";
import { FutexTable } from "../../../kernel/tasks/futex-table.ts";
import { ProcessState } from "../../../kernel/tasks/index.ts";
import type { UserPointer } from "../../../kernel/tasks/user-pointer.ts";
import { halves, load, MmMachine, mapPages, store } from "../mm/support/mm-machine.ts";

const BASE = 0x7_0000_0000;
const PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
const SHARED = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED;
const WRITABLE = 8;
const READ = 1;
const READ_WRITE = 3;

/** The pages that a futex word can lie in: how each comes to be, at BASE. */
const PAGES = {
  *"read-only private, populated"(k: Context): Work {
    yield* mapPages(k, BASE, 1, READ, PRIVATE | MAP_POPULATE);
  },
  *"read-only private, untouched"(k: Context): Work {
    yield* mapPages(k, BASE, 1, READ, PRIVATE);
  },
  *"private that became read-only"(k: Context): Work {
    yield* mapPages(k, BASE, 1, READ_WRITE, PRIVATE);
    yield* store(k, BASE, 0);
    yield* mprotect(k, ...halves(BASE), ...halves(1), READ, -1);
  },
  *"read-only shared"(k: Context): Work {
    yield* mapPages(k, BASE, 1, READ, SHARED);
  },
  *"writable private, read before"(k: Context): Work {
    yield* mapPages(k, BASE, 1, READ_WRITE, PRIVATE);
    yield* load(k, BASE);
  },
} as const satisfies Record<string, (k: Context) => Work>;

type PageName = keyof typeof PAGES;

const [lo, hi] = halves(BASE);
const WORD: UserPointer = { lo, hi };
const OTHER: UserPointer = { lo: halves(BASE + WRITABLE)[0], hi };

/** Operations that come back at once; the words hold 0. What each answers where the word has a key. */
const OPERATIONS: Readonly<
  Record<string, { readonly call: (k: Context, shared: boolean) => Work<number>; readonly works: number }>
> = {
  FUTEX_WAIT: {
    call: (k, shared) =>
      futexWait(k, { at: WORD, shared, expected: 1, bitset: -1, untilCycles: Number.POSITIVE_INFINITY }),
    works: -EAGAIN,
  },
  FUTEX_WAKE: { call: (k, shared) => futexWake(k, WORD, { shared, count: 1, bitset: -1 }), works: 0 },
  "FUTEX_CMP_REQUEUE from it": {
    call: (k, shared) => futexRequeue(k, WORD, OTHER, { shared, wake: 1, requeue: 1, expected: 0 }),
    works: 0,
  },
  "FUTEX_CMP_REQUEUE to it": {
    call: (k, shared) => futexRequeue(k, OTHER, WORD, { shared, wake: 1, requeue: 1, expected: 0 }),
    works: 0,
  },
};

function answer(page: PageName, call: (k: Context) => Work<number>): number {
  const machine = new MmMachine();
  let result = 0;
  machine.run(function* (k): Work {
    const futexes = new FutexTable();
    futexes.base = kptrOf(yield* machine.memory.allocStack(k));
    const group = { table: { futexes } };
    k.task!.process = Object.assign(Object.create(ProcessState.prototype), { group }) as ProcessState;
    yield* mapPages(k, BASE + WRITABLE, 1, READ_WRITE, PRIVATE);
    yield* PAGES[page](k);
    result = yield* call(k);
  });
  expect(machine.kernel.reports).toEqual([]);
  return result;
}

/** get_futex_key(), kernel/futex/core.c: a read-only anonymous page never changes, so nothing can wait there. */
const KEYLESS: readonly PageName[] = [
  "read-only private, populated",
  "read-only private, untouched",
  "private that became read-only",
];
const ROWS = (Object.keys(PAGES) as PageName[]).flatMap((page) =>
  Object.keys(OPERATIONS).map((operation) => [operation, page] as const),
);

test.each(ROWS)("%s without FUTEX_PRIVATE_FLAG, %s", (operation, page) => {
  const { call, works } = OPERATIONS[operation]!;
  expect(answer(page, (k) => call(k, true))).toBe(KEYLESS.includes(page) ? -EFAULT : works);
});

test.each(ROWS)("%s with FUTEX_PRIVATE_FLAG works on any readable page: %s", (operation, page) => {
  const { call, works } = OPERATIONS[operation]!;
  expect(answer(page, (k) => call(k, false))).toBe(works);
});

test("a word that FUTEX_WAKE_OP is to change must be writable, though the memory is shared", () => {
  const options = { shared: true, count: 1, secondCount: 1, operation: 0 };
  expect(answer("read-only shared", (k) => futexWakeOp(k, OTHER, WORD, options))).toBe(-EFAULT);
  expect(answer("read-only shared", (k) => futexWakeOp(k, WORD, OTHER, options))).toBe(0);
});

test("a word where nothing is mapped is -EFAULT", () => {
  const at = { lo: halves(BASE + 40)[0], hi };
  const options = { shared: true, count: 1, bitset: -1 };
  expect(answer("read-only shared", (k) => futexWake(k, at, options))).toBe(-EFAULT);
  const both = { shared: true, count: 1, secondCount: 1, operation: 0 };
  expect(answer("read-only shared", (k) => futexWakeOp(k, at, OTHER, both))).toBe(-EFAULT);
  expect(answer("read-only shared", (k) => futexWakeOp(k, OTHER, at, both))).toBe(-EFAULT);
});
