/** The witness's model of an address space: what the manual pages say of each call. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Call, needsNoLock, replay } from "../../../stress/oracle/witness/calls.ts";
import { EXEC, type Range, READ, VmaModel, WRITE } from "../../../stress/oracle/witness/vma-model.ts";

const LAYOUT = {
  taskSize: 0x7_ffff_ffff,
  taskSizeMax: 0x7_ffff_ffff,
  mmapBase: 0x7_0000_0000,
  memoryPages: 8192,
  startBrk: 0x60_0000,
};
const PLAIN = {
  rights: 3,
  shared: false,
  growsDown: false,
  dontFork: false,
  wipeOnFork: false,
  keyed: false,
};
const BASE = 0x1000;

function model(...ranges: [start: number, end: number, change?: Partial<Range>][]): VmaModel {
  return new VmaModel(
    ranges.map(([start, end, change]) => ({ ...PLAIN, ...change, start, end })),
    LAYOUT.startBrk,
    LAYOUT,
  );
}

function call(of: VmaModel, name: string, ...args: number[]): number {
  return replay(of, { name, args: Float64Array.from([...args, 0, 0, 0, 0, 0, 0].slice(0, 6)) });
}

/** start-end:rights of each range. */
function shape(of: VmaModel): string {
  return of.ranges
    .map(({ start, end, rights }) => `${start.toString(16)}-${end.toString(16)}:${rights}`)
    .join(" ");
}

const B = BASE * 4096;
const P = 4096;
const ANON = 0x22;
const FIXED = 0x32;

describe("mmap", () => {
  it("takes the highest place below the base", () => {
    const space = model([LAYOUT.mmapBase - 4, LAYOUT.mmapBase]);
    expect(call(space, "mmap", 0, 3 * P, 3, ANON)).toBe((LAYOUT.mmapBase - 7) * P);
    expect(call(space, "mmap", 0, 2 * P, 1, ANON)).toBe((LAYOUT.mmapBase - 9) * P);
  });

  it("keeps clear of the gap below a stack", () => {
    const space = model([LAYOUT.mmapBase - 4, LAYOUT.mmapBase, { growsDown: true }]);
    expect(call(space, "mmap", 0, P, 3, ANON)).toBe((LAYOUT.mmapBase - 4 - 256 - 1) * P);
  });

  it("takes a free hint, and a place of its own for one that is taken", () => {
    const space = model([BASE, BASE + 4]);
    expect(call(space, "mmap", B + 8 * P, P, 3, ANON)).toBe(B + 8 * P);
    expect(call(space, "mmap", B + P, P, 3, ANON)).toBe((LAYOUT.mmapBase - 1) * P);
  });

  it.each([
    ["nothing", [0, 0, 3, ANON], -22],
    ["a fixed place that is not aligned", [B + 1, P, 3, FIXED], -22],
    ["a fixed place below the lowest", [P, P, 3, FIXED], -1],
    ["a fixed place that must be free and is not", [B, P, 3, 0x10_0022], -17],
    ["neither private nor shared", [B, P, 3, 0x30], -22],
  ])("refuses %s", (_name, args, result) => {
    expect(call(model([BASE, BASE + 4]), "mmap", ...args)).toBe(result);
  });

  it("MAP_FIXED replaces what was there", () => {
    const space = model([BASE, BASE + 4]);
    expect(call(space, "mmap", B + P, 2 * P, 1, FIXED)).toBe(B + P);
    expect(shape(space)).toBe("1000-1001:3 1001-1003:1 1003-1004:3");
  });
});

describe("munmap, mprotect, madvise", () => {
  it("unmapping a hole is no error, an empty range is one", () => {
    const space = model([BASE, BASE + 4]);
    expect(call(space, "munmap", B + 8 * P, P)).toBe(0);
    expect(call(space, "munmap", B, 0)).toBe(-22);
    expect(call(space, "munmap", B + P, P)).toBe(0);
    expect(shape(space)).toBe("1000-1001:3 1002-1004:3");
  });

  it("protecting changes what lies before the first hole", () => {
    const space = model([BASE, BASE + 2], [BASE + 3, BASE + 4]);
    expect(call(space, "mprotect", B, 4 * P, 1)).toBe(-12);
    expect(shape(space)).toBe("1000-1002:1 1003-1004:3");
    expect(call(space, "mprotect", B + 2 * P, P, 1)).toBe(-12);
    expect(call(space, "mprotect", B, 0, 1)).toBe(0);
  });

  it("advice goes past holes and tells of them", () => {
    const space = model([BASE, BASE + 2], [BASE + 3, BASE + 4]);
    expect(call(space, "madvise", B, 4 * P, 10)).toBe(-12);
    expect(space.ranges.map((range) => range.dontFork)).toEqual([true, true]);
    expect(call(space, "madvise", B, 2 * P, 4)).toBe(0);
    expect(call(model([BASE, BASE + 2, { shared: true }]), "madvise", B, P, 8)).toBe(-22);
  });
});

describe("mremap", () => {
  it("grows in place where there is room", () => {
    const space = model([BASE, BASE + 2]);
    expect(call(space, "mremap", B, 2 * P, 4 * P, 1)).toBe(B);
    expect(space.covers(BASE, BASE + 4)).toBe(true);
  });

  it("moves where there is none, and may not move without the flag", () => {
    const space = model([BASE, BASE + 2], [BASE + 2, BASE + 3, { rights: 1 }]);
    expect(call(space, "mremap", B, 2 * P, 4 * P, 0)).toBe(-12);
    expect(call(space, "mremap", B, 2 * P, 4 * P, 1)).toBe((LAYOUT.mmapBase - 4) * P);
    expect(space.at(BASE)).toBeUndefined();
    expect(space.at(BASE + 2)?.rights).toBe(1);
  });

  it("MREMAP_DONTUNMAP leaves the old place mapped", () => {
    const space = model([BASE, BASE + 2]);
    const place = call(space, "mremap", B, 2 * P, 2 * P, 5, 0);
    expect(place).toBe((LAYOUT.mmapBase - 2) * P);
    expect(space.covers(BASE, BASE + 2)).toBe(true);
  });

  it.each([
    ["nothing is mapped", [B + 16 * P, P, 2 * P, 1, 0], -14],
    ["the range is longer than its mapping", [B, 3 * P, 5 * P, 1, 0], -14],
    ["the places overlap", [B, 2 * P, 2 * P, 3, B + P], -22],
    ["the new length is 0", [B, P, 0, 1, 0], -22],
  ])("fails where %s", (_name, args, result) => {
    expect(call(model([BASE, BASE + 2]), "mremap", ...args)).toBe(result);
  });
});

describe("brk, fork, stacks", () => {
  it("the heap grows and shrinks, but not into what is in its way", () => {
    const page = LAYOUT.startBrk / P;
    const space = model([page + 8, page + 9]);
    expect(call(space, "brk", LAYOUT.startBrk + 4 * P)).toBe(LAYOUT.startBrk + 4 * P);
    expect(call(space, "brk", LAYOUT.startBrk + 8 * P)).toBe(LAYOUT.startBrk + 4 * P);
    expect(call(space, "brk", LAYOUT.startBrk)).toBe(LAYOUT.startBrk);
    expect(space.at(page)).toBeUndefined();
    expect(call(space, "brk", 0)).toBe(LAYOUT.startBrk);
  });

  it("a child has what is not kept from it", () => {
    const space = model([BASE, BASE + 1], [BASE + 2, BASE + 3, { dontFork: true }]);
    expect(shape(space.forked())).toBe("1000-1001:3");
  });

  it("a stack grows to an access, but not into the guard gap or past its limit", () => {
    const space = model([BASE, BASE + 1], [BASE + 1000, BASE + 1010, { growsDown: true }]);
    expect(space.allows(BASE + 900, WRITE)).toBe(true);
    expect(space.allows(BASE + 200, WRITE)).toBe(false);
    expect(model([BASE + 9000, BASE + 9010, { growsDown: true }]).allows(BASE + 6000, READ)).toBe(false);
    space.grow(BASE + 900);
    expect(space.at(BASE + 950)).toBeDefined();
  });

  it("rights: writing and executing imply reading, nothing else implies anything", () => {
    const space = model(
      [BASE, BASE + 1, { rights: 1 }],
      [BASE + 1, BASE + 2, { rights: 2 }],
      [BASE + 2, BASE + 3, { rights: 0 }],
    );
    expect([READ, WRITE, EXEC].map((right) => space.allows(BASE, right as 1))).toEqual([true, false, false]);
    expect(space.allows(BASE + 1, READ)).toBe(true);
    expect(space.allows(BASE + 2, READ)).toBe(false);
  });
});

describe("boundaries", () => {
  it("are taken over if every page is the same, and else the first difference is named", () => {
    const space = model([BASE, BASE + 4]);
    expect(space.adopt(model([BASE, BASE + 2], [BASE + 2, BASE + 4]).ranges)).toBe(-1);
    expect(space.ranges).toHaveLength(2);
    expect(space.adopt(model([BASE, BASE + 3]).ranges)).toBe(BASE + 3);
    expect(space.adopt(model([BASE, BASE + 3], [BASE + 3, BASE + 4, { rights: 1 }]).ranges)).toBe(BASE + 3);
    expect(space.adopt(model([BASE + 1, BASE + 4]).ranges)).toBe(BASE);
  });

  it("a result without a write section is an error or nothing to do", () => {
    const munmap: Call = { name: "munmap", args: Float64Array.from([B, P]) };
    expect(needsNoLock(munmap, -22)).toBe(true);
    expect(needsNoLock(munmap, 0)).toBe(false);
    expect(needsNoLock({ name: "mprotect", args: Float64Array.from([B, 0]) }, 0)).toBe(true);
  });
});

describe("the witness", () => {
  it.each(["vma-model.ts", "calls.ts", "page-chain.ts"])("%s is written apart from the kernel", (file) => {
    const text = readFileSync(new URL(`../../../stress/oracle/witness/${file}`, import.meta.url), "utf8");
    expect(text).not.toMatch(/from "[^"]*(kernel|mmu|emu)\//);
  });
});
