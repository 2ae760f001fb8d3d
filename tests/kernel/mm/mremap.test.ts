import { describe, expect, test } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import { EFAULT, EINVAL, ENOMEM } from "../../../kernel/errno.ts";
import { mremap } from "../../../kernel/mm/index.ts";
import { MAX_MAP_COUNT } from "../../../kernel/mm/limits.ts";
import { mmMapCount } from "../../../kernel/mm/mm-struct.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED } from "../../../kernel/mm/mmap.ts";
import { MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE } from "../../../kernel/mm/mremap.ts";
import { load, MmMachine, mapPages, store } from "./support/mm-machine.ts";

const P = 4096n;
const BASE = 0x7_0000_0000;
/** TASK_SIZE with four levels, in bytes. */
const END = (1n << 47n) - P;
const WRAPS = (1n << 64n) - 1n;
const FIXED = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

const NONE = 0;
const MOVE = MREMAP_MAYMOVE;
const FIX = MREMAP_MAYMOVE | MREMAP_FIXED;
const KEEP = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
/** A place of the kernel's choice. */
const ANYWHERE = "anywhere";

/** Byte address of a page of the window. */
function at(page: number): bigint {
  return (BigInt(BASE) + BigInt(page)) * P;
}

/** In the window: 0-3 private, 8-9 shared, 20-21 private, 22-23 read-only, 40 private, holding 4. */
function* layOut(k: Context): Work {
  yield* mapPages(k, BASE, 4, 3, FIXED);
  yield* mapPages(k, BASE + 8, 2, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED);
  yield* mapPages(k, BASE + 20, 2, 3, FIXED);
  yield* mapPages(k, BASE + 22, 2, 1, FIXED);
  yield* mapPages(k, BASE + 40, 1, 3, FIXED);
  yield* store(k, BASE + 40, 4);
}

function* remap(k: Context, call: readonly [bigint, bigint, bigint, number, bigint]): Work<number> {
  const split = (value: bigint): [number, number] => [
    Number(BigInt.asIntN(32, value)),
    Number(BigInt.asIntN(32, value >> 32n)),
  ];
  const [lo, hi] = split(call[0]);
  const [oldLengthLo, oldLengthHi] = split(call[1]);
  const [newLengthLo, newLengthHi] = split(call[2]);
  const [newLo, newHi] = split(call[4]);
  const lengths = { oldLengthLo, oldLengthHi, newLengthLo, newLengthHi };
  return yield* mremap(k, { lo, hi, ...lengths, flags: call[3], newLo, newHi });
}

/** Recorded under Linux 6.18 with 4-level paging. Numbers are errors, or pages of the window. */
describe("mremap", () => {
  const rows: readonly [
    name: string,
    call: readonly [from: bigint, oldLength: bigint, newLength: bigint, flags: number, to: bigint],
    expected: number | typeof ANYWHERE,
  ][] = [
    ["a new length of 0", [at(0), P, 0n, NONE, 0n], -EINVAL],
    ["a new length that wraps", [at(0), P, WRAPS, MOVE, 0n], -EINVAL],
    ["an old length that wraps, private", [at(0), WRAPS, P, MOVE, 0n], -EINVAL],
    ["an old length that wraps, shared", [at(8), WRAPS, P, MOVE, 0n], ANYWHERE],
    ["the same that must not move", [at(8), WRAPS, P, NONE, 0n], -ENOMEM],
    ["all of user space", [at(0), P, END, MOVE, 0n], -ENOMEM],
    ["all of user space in place", [at(0), P, END, NONE, 0n], -ENOMEM],
    ["more than user space", [at(0), P, END + P, MOVE, 0n], -EINVAL],
    ["more than user space in place", [at(0), P, END + P, NONE, 0n], -EINVAL],
    ["half of all addresses", [at(0), P, 1n << 63n, MOVE, 0n], -EINVAL],
    ["the same huge length", [at(0), 1n << 62n, 1n << 62n, NONE, 0n], -EINVAL],
    ["the same length past the mapping", [at(0), 1n << 40n, 1n << 40n, NONE, 0n], 0],
    ["shrinking from a huge length", [at(0), 1n << 62n, P, MOVE, 0n], -EINVAL],
    ["shrinking from past the mapping", [at(0), 8n * P, P, MOVE, 0n], 0],
    ["a target that is the source", [at(0), 4n * P, 4n * P, FIX, at(0)], -EINVAL],
    ["a target that begins in the source", [at(0), 4n * P, 4n * P, FIX, at(2)], -EINVAL],
    ["a target that ends in the source", [at(2), 2n * P, 2n * P, FIX, at(1)], -EINVAL],
    ["a target right above the source", [at(0), 2n * P, 2n * P, FIX, at(2)], 2],
    ["a target inside what shrinks away", [at(0), 4n * P, P, FIX, at(3)], -EINVAL],
    ["a target that grows over the source", [at(2), P, 4n * P, FIX, at(0)], -EINVAL],
    ["a target inside a page", [at(0), P, P, FIX, at(40) + 1n], -EINVAL],
    ["a target past user space", [at(0), P, P, FIX, END], -EINVAL],
    ["the last page as target", [at(0), P, P, FIX, END - P], Number(END / P) - 1 - BASE],
    ["a kernel address as target", [at(0), P, P, FIX, 0xffff_8000_0000_0000n], -EINVAL],
    ["a target of the size of user space", [at(0), P, END, FIX, at(40)], -EINVAL],
    ["MREMAP_FIXED alone", [at(0), P, P, MREMAP_FIXED, at(40)], -EINVAL],
    ["an unknown flag", [at(0), P, P, 8, 0n], -EINVAL],
    ["an address inside a page", [at(0) + 1n, P, P, MOVE, 0n], -EINVAL],
    ["nothing mapped", [at(5), P, P, MOVE, 0n], -EFAULT],
    ["nothing mapped, with a target", [at(5), P, P, FIX, at(40)], -EFAULT],
    ["nothing mapped and a bad target", [at(5), P, P, FIX, END], -EINVAL],
    ["nothing mapped and too long", [at(5), P, END + P, MOVE, 0n], -EINVAL],
    ["growing from past the mapping", [at(0), 5n * P, 6n * P, MOVE, 0n], -EFAULT],
    ["the same to a target", [at(0), 5n * P, 6n * P, FIX, at(40)], -EFAULT],
    ["shrinking from past the mapping to a target", [at(0), 5n * P, 2n * P, FIX, at(40)], 40],
    ["growing two mappings", [at(20), 4n * P, 5n * P, MOVE, 0n], -EFAULT],
    ["two mappings with MREMAP_DONTUNMAP", [at(20), 4n * P, 4n * P, KEEP, 0n], -EFAULT],
    ["an old length of 0, private", [at(0), 0n, P, MOVE, 0n], -EINVAL],
    ["the same to a target", [at(0), 0n, P, FIX, at(40)], -EINVAL],
    ["an old length of 0, shared, to a target", [at(8), 0n, P, FIX, at(40)], 40],
    ["an old length of 0, shared, in place", [at(8), 0n, P, NONE, 0n], -ENOMEM],
    ["MREMAP_DONTUNMAP with another length", [at(0), 2n * P, P, KEEP, 0n], -EINVAL],
    ["MREMAP_DONTUNMAP alone", [at(0), P, P, MREMAP_DONTUNMAP, 0n], -EINVAL],
    ["MREMAP_DONTUNMAP with as many pages", [at(0), P, 4000n, KEEP, at(60)], 60],
    ["MREMAP_DONTUNMAP and a hint that is taken", [at(0), P, P, KEEP, at(40)], ANYWHERE],
    ["MREMAP_DONTUNMAP and a hint inside a page", [at(0), P, P, KEEP, at(0) + 1n], -EINVAL],
    ["MREMAP_DONTUNMAP and a hint in the source", [at(0), 2n * P, 2n * P, KEEP, at(1)], -EINVAL],
    ["MREMAP_DONTUNMAP and a hint past user space", [at(0), P, P, KEEP, END], -EINVAL],
    ["MREMAP_DONTUNMAP of shared memory", [at(8), P, P, KEEP, at(60)], 60],
    ["growing where something else begins", [at(20), 2n * P, 3n * P, NONE, 0n], -ENOMEM],
    ["growing the middle in place", [at(0), 2n * P, 3n * P, NONE, 0n], -ENOMEM],
    ["growing up to the next mapping", [at(1), 3n * P, 7n * P, NONE, 0n], 1],
    ["growing into the next mapping", [at(0), 4n * P, 9n * P, NONE, 0n], -ENOMEM],
  ];

  test.each(rows)("%s", (_name, call, expected) => {
    const machine = new MmMachine();
    machine.run(function* (k): Work {
      yield* layOut(k);
      const result = yield* remap(k, call);
      if (expected === ANYWHERE) expect(result).toBeGreaterThan(0);
      else expect(result).toBe(expected < 0 ? expected : BASE + expected);
      // What is refused has not unmapped its target.
      if (result < 0) expect(yield* load(k, BASE + 40)).toBe(4);
    });
    expect(machine.kernel.reports).toEqual([]);
  });

  test("too many mappings are -ENOMEM before the mapping is looked up", () => {
    const machine = new MmMachine();
    machine.run(function* (k): Work {
      const { mm } = k.task!;
      yield* layOut(k);
      const count = mmMapCount.get(k.ram, mm);
      mmMapCount.set(k.ram, mm, MAX_MAP_COUNT - 5);
      expect(yield* remap(k, [at(5), P, P, FIX, at(40)])).toBe(-ENOMEM);
      mmMapCount.set(k.ram, mm, MAX_MAP_COUNT - 6);
      expect(yield* remap(k, [at(5), P, P, FIX, at(40)])).toBe(-EFAULT);
      mmMapCount.set(k.ram, mm, count);
    });
    expect(machine.kernel.reports).toEqual([]);
  });
});
