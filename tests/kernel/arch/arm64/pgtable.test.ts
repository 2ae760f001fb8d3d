import { describe, expect, test } from "vitest";
import {
  Arm64PageTableFormat,
  buildKernelTables,
  mapKernelPage,
} from "../../../../kernel/arch/arm64/pgtable.ts";
import { VM_EXEC, VM_READ, VM_SHARED, VM_WRITE } from "../../../../kernel/mm/vma.ts";
import { PhysicalMemory } from "../../../../mmu/index.ts";

const format = new Arm64PageTableFormat();

/** The bits of arch/arm64/include/asm/pgtable-hwdef.h and pgtable-prot.h, Linux 6.6. */
const VALID = 1n << 0n;
const TYPE_PAGE = 3n;
const USER = 1n << 6n;
const RDONLY = 1n << 7n;
const SHARED = 3n << 8n;
const AF = 1n << 10n;
const NG = 1n << 11n;
const WRITE = 1n << 51n;
const PXN = 1n << 53n;
const UXN = 1n << 54n;
const DIRTY = 1n << 55n;
const SPECIAL = 1n << 56n;
const PROT_NONE = 1n << 58n;
const PAGE_DEFAULT = TYPE_PAGE | AF | SHARED;

const PAGE_NONE = (PAGE_DEFAULT & ~VALID) | PROT_NONE | RDONLY | NG | PXN | UXN;
const PAGE_SHARED = PAGE_DEFAULT | USER | RDONLY | NG | PXN | UXN | WRITE;
const PAGE_SHARED_EXEC = PAGE_DEFAULT | USER | RDONLY | NG | PXN | WRITE;
const PAGE_READONLY = PAGE_DEFAULT | USER | RDONLY | NG | PXN | UXN;
const PAGE_READONLY_EXEC = PAGE_DEFAULT | USER | RDONLY | NG | PXN;

function load(entry: bigint): void {
  format.load(lo(entry), hi(entry));
}

function lo(entry: bigint): number {
  return Number(BigInt.asIntN(32, entry));
}

function hi(entry: bigint): number {
  return Number(BigInt.asIntN(32, entry >> 32n));
}

function loaded(): bigint {
  return (BigInt(format.hi >>> 0) << 32n) | BigInt(format.lo >>> 0);
}

/** pte_*() of pgtable.h in its own words. */
const hwDirty = (pte: bigint): boolean => (pte & WRITE) !== 0n && (pte & RDONLY) === 0n;
const dirty = (pte: bigint): boolean => (pte & DIRTY) !== 0n || hwDirty(pte);
const mkdirty = (pte: bigint): bigint => {
  const result = pte | DIRTY;
  return (result & WRITE) !== 0n ? result & ~RDONLY : result;
};
const wrprotect = (pte: bigint): bigint => ((hwDirty(pte) ? pte | DIRTY : pte) & ~WRITE) | RDONLY;
const MODIFY_MASK: bigint = USER | PXN | UXN | RDONLY | PROT_NONE | VALID | WRITE | (1n << 50n) | (7n << 2n);
const modify = (pte: bigint, prot: bigint): bigint => {
  const kept = hwDirty(pte) ? pte | DIRTY : pte;
  const result = (kept & ~MODIFY_MASK) | (prot & MODIFY_MASK);
  return (result & DIRTY) !== 0n ? mkdirty(result) : result;
};

/** Every combination of the bits that matter, over two frames. */
const BITS: readonly bigint[] = [VALID, RDONLY, AF, WRITE, DIRTY, SPECIAL, PROT_NONE, UXN];
const ENTRIES: readonly bigint[] = Array.from({ length: 2 ** BITS.length }, (_, set) =>
  BITS.reduce(
    (entry, bit, index) => (((set >> index) & 1) !== 0 ? entry | bit : entry),
    USER | NG | SHARED | (set % 2 === 0 ? 0x1234_5000n : 0xfedc_ba98_7000n),
  ),
);
const PROTECTIONS: readonly bigint[] = [
  PAGE_NONE,
  PAGE_SHARED,
  PAGE_SHARED_EXEC,
  PAGE_READONLY,
  PAGE_READONLY_EXEC,
];

describe("protection_map", () => {
  const cases: readonly [flags: number, expected: bigint][] = [
    [0, PAGE_NONE],
    [VM_READ, PAGE_READONLY],
    [VM_WRITE, PAGE_READONLY],
    [VM_WRITE | VM_READ, PAGE_READONLY],
    [VM_EXEC, PAGE_READONLY_EXEC],
    [VM_EXEC | VM_READ, PAGE_READONLY_EXEC],
    [VM_EXEC | VM_WRITE, PAGE_READONLY_EXEC],
    [VM_EXEC | VM_WRITE | VM_READ, PAGE_READONLY_EXEC],
    [VM_SHARED, PAGE_NONE],
    [VM_SHARED | VM_READ, PAGE_READONLY],
    [VM_SHARED | VM_WRITE, PAGE_SHARED],
    [VM_SHARED | VM_WRITE | VM_READ, PAGE_SHARED],
    [VM_SHARED | VM_EXEC, PAGE_READONLY_EXEC],
    [VM_SHARED | VM_EXEC | VM_READ, PAGE_READONLY_EXEC],
    [VM_SHARED | VM_EXEC | VM_WRITE, PAGE_SHARED_EXEC],
    [VM_SHARED | VM_EXEC | VM_WRITE | VM_READ, PAGE_SHARED_EXEC],
  ];
  test.each(cases)("of flags 0x%x", (flags, expected) => {
    format.protection(flags, 0);
    expect(loaded()).toBe(expected);
  });
});

describe("entries mean what they mean to Linux", () => {
  test("predicates", () => {
    for (const entry of ENTRIES) {
      const [a, b] = [lo(entry), hi(entry)];
      expect({
        entry,
        present: format.isPresent(a, b),
        protNone: format.isProtNone(a, b),
        write: format.isWritable(a, b),
        exec: format.isExecutable(a, b),
        dirty: format.isDirty(a, b),
        young: format.isYoung(a, b),
        special: format.isSpecial(a, b),
        frame: format.frame(a, b),
      }).toEqual({
        entry,
        present: (entry & (VALID | PROT_NONE)) !== 0n,
        protNone: (entry & (VALID | PROT_NONE)) === PROT_NONE,
        write: (entry & WRITE) !== 0n,
        exec: (entry & UXN) === 0n,
        dirty: dirty(entry),
        young: (entry & AF) !== 0n,
        special: (entry & SPECIAL) !== 0n,
        frame: Number((entry >> 12n) & 0xf_ffff_ffffn),
      });
    }
  });

  const changes: readonly [name: string, change: () => void, meaning: (pte: bigint) => bigint][] = [
    ["pte_mkwrite", () => format.mkWrite(), (pte) => (pte | WRITE) & ~RDONLY],
    ["pte_mkdirty", () => format.mkDirty(), mkdirty],
    ["pte_mkclean", () => format.mkClean(), (pte) => (pte & ~DIRTY) | RDONLY],
    ["pte_mkyoung", () => format.mkYoung(), (pte) => pte | AF],
    ["pte_mkold", () => format.mkOld(), (pte) => pte & ~AF],
    ["pte_mkspecial", () => format.mkSpecial(), (pte) => pte | SPECIAL],
    ["pte_wrprotect", () => format.wrprotect(), wrprotect],
  ];
  test.each(changes)("%s", (_name, change, meaning) => {
    for (const entry of ENTRIES) {
      load(entry);
      change();
      expect([entry, loaded()]).toEqual([entry, meaning(entry)]);
    }
  });

  test("pte_modify", () => {
    for (const entry of ENTRIES) {
      for (const protection of PROTECTIONS) {
        load(entry);
        format.modify(lo(protection), hi(protection));
        expect([entry, protection, loaded()]).toEqual([entry, protection, modify(entry, protection)]);
      }
    }
  });

  test("taking the permission to write away never loses dirt", () => {
    for (const entry of ENTRIES) {
      load(entry);
      format.wrprotect();
      expect(dirty(loaded())).toBe(dirty(entry));
      for (const protection of PROTECTIONS) {
        load(entry);
        format.modify(lo(protection), hi(protection));
        if (dirty(entry)) expect(dirty(loaded())).toBe(true);
      }
    }
  });

  test("ptep_set_access_flags keeps what walkers did to the entry meanwhile", () => {
    const flags = RDONLY | AF | WRITE | DIRTY;
    const wrong: bigint[][] = [];
    for (const entry of ENTRIES) {
      for (const wanted of ENTRIES) {
        format.allowAccess(lo(entry), hi(entry), lo(wanted), hi(wanted));
        // The exchange of arch/arm64/mm/fault.c: RDONLY is turned over, so that or-ing gives the lower of both.
        const expected = ((entry ^ RDONLY) | ((wanted & flags) ^ RDONLY)) ^ RDONLY;
        if (loaded() !== expected) wrong.push([entry, wanted, loaded(), expected]);
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe("tables", () => {
  test.each([
    [1, 12n],
    [2, 21n],
    [3, 30n],
    [4, 39n],
  ])("level %i is indexed by the bits from %i on", (level, shift) => {
    for (const va of [0n, 0x7fff_1234_5678n, 0xffff_ffff_ffffn, 0xffff_0000_8765_4321n, 1n << shift]) {
      expect(format.index(lo(va), hi(va), level)).toBe(Number((va >> shift) & 511n));
    }
    expect(format.spanPages(level)).toBe(2 ** (9 * (level - 1)));
  });

  test("a table of user mappings forbids execution to the kernel, and leads to its frame", () => {
    format.makeTable(0x12_3456);
    expect(loaded()).toBe(0x1_2345_6000n | 3n | (1n << 59n));
    expect(format.isTable(format.lo, format.hi)).toBe(true);
    expect(format.tableAddress(format.lo, format.hi)).toBe(0x1_2345_6000);
    expect(format.isTable(1, 0)).toBe(false);
    expect(format.isTable(0, 0)).toBe(false);
  });

  test("a leaf has its frame and the protection", () => {
    format.make(0xfedc_ba98, lo(PAGE_SHARED), hi(PAGE_SHARED));
    expect(loaded()).toBe(PAGE_SHARED | 0xfed_cba9_8000n);
  });
});

describe("the kernel's own mappings", () => {
  const ram = new PhysicalMemory(0x60_0000, 4096);
  let next = 0x10_0000;
  const takeFrame = (): number => (next += 4096);
  const top = buildKernelTables(ram, takeFrame);

  function find(va: bigint): { entry: bigint; level: number } {
    let table = top;
    for (let level = 4; ; level--) {
      const at = table + format.index(lo(va), hi(va), level) * 8;
      const entry = (BigInt(ram.read32(at + 4) >>> 0) << 32n) | BigInt(ram.read32(at) >>> 0);
      if (level === 1 || (entry & 3n) !== 3n) return { entry, level };
      table = format.tableAddress(lo(entry), hi(entry));
    }
  }

  test("all RAM lies in global blocks that EL0 cannot use and nobody executes", () => {
    for (let pa = 0; pa < 0x60_0000; pa += 0x20_0000) {
      const { entry, level } = find(0xffff_0000_0000_0000n + BigInt(pa));
      expect(level).toBe(2);
      expect(entry).toBe(BigInt(pa) | VALID | AF | SHARED | WRITE | DIRTY | PXN | UXN);
    }
    expect(find(0xffff_0000_0060_0000n).entry).toBe(0n);
  });

  test("a page of text is read-only, and executed by the kernel alone", () => {
    mapKernelPage(
      ram,
      format,
      top,
      { lo: 0x8000_0000 | 0, hi: 0xffff_8000 | 0, frame: 0x100, rights: "text" },
      takeFrame,
    );
    expect(find(0xffff_8000_8000_0000n)).toEqual({
      level: 1,
      entry: 0x10_0000n | TYPE_PAGE | AF | SHARED | RDONLY | UXN,
    });
  });

  test("a page is not put where a block is", () => {
    const page = { lo: 0, hi: 0xffff_0000 | 0, frame: 1, rights: "data" } as const;
    expect(() => mapKernelPage(ram, format, top, page, takeFrame)).toThrow(/block/);
  });
});
