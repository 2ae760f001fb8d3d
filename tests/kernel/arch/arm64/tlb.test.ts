import { describe, expect, test } from "vitest";
import { Asids, mmContextId } from "../../../../kernel/arch/arm64/asid.ts";
import { Arm64Mmu } from "../../../../kernel/arch/arm64/mmu.ts";
import { Arm64PageTableFormat } from "../../../../kernel/arch/arm64/pgtable.ts";
import { Arm64Tlb, MAX_DVM_OPS, MAX_TLBI_RANGE_PAGES } from "../../../../kernel/arch/arm64/tlb.ts";
import type { Context, Work } from "../../../../kernel/context.ts";
import { mmPgd } from "../../../../kernel/mm/mm-struct.ts";
import { type KPtr, kptrOf } from "../../../../kernel/struct.ts";
import { decodeTlbi, type TlbiName } from "../../../../mmu/index.ts";
import { FakeCores, type FakeFeatures, hex } from "./support/fake-cores.ts";

const ASID = 5;
const PAGE = 0x7_ffff_1234;
const RESERVED = 0x3000;

interface Setup {
  readonly cores: FakeCores;
  readonly k: Context;
  readonly tlb: Arm64Tlb;
  readonly mm: KPtr;
}

function setup(features: FakeFeatures = {}): Setup {
  const cores = new FakeCores(1, features);
  const asids = new Asids(cores.kernel, cores.memory, 2 ** 16);
  const { tlbRange = false, levelHint = false } = features;
  const tlb = new Arm64Tlb(
    cores.kernel,
    cores.initMm,
    asids,
    { range: tlbRange ? "present" : "absent", levelHint: levelHint ? "present" : "absent" },
    RESERVED,
  );
  const mm = cores.newMm();
  mmContextId.set(cores.ram, mm, 3 * 2 ** 16 + ASID);
  mmPgd.set(cores.ram, mm, kptrOf(0x8000));
  return { cores, k: cores.contexts[0]!, tlb, mm };
}

function finish(work: Work): void {
  while (work.next().done !== true);
}

/** An operand by address: the ASID, a hint, and the page. */
function operand(page: number, ttl = 0): string {
  return `0x${((BigInt(ASID) << 48n) | (BigInt(ttl) << 44n) | BigInt(page)).toString(16)}`;
}

function flush(s: Setup, start: number, end: number, level = 1, tables: "kept" | "freed" = "kept"): string[] {
  const stride = new Arm64PageTableFormat().spanPages(level);
  finish(s.tlb.flushRange(s.k, s.mm, start, end, stride, level, `tables-${tables}`));
  return s.cores.log;
}

describe("a flush stores, invalidates everywhere, and waits, in this order", () => {
  test("one page", () => {
    expect(flush(setup(), PAGE, PAGE + 1)).toEqual(["DSB ishst", `TLBI vale1is ${operand(PAGE)}`, "DSB ish"]);
  });

  test("one page, where the level may be named", () => {
    expect(flush(setup({ levelHint: true }), PAGE, PAGE + 1)).toEqual([
      "DSB ishst",
      `TLBI vale1is ${operand(PAGE, 0b0111)}`,
      "DSB ish",
    ]);
  });

  test("where tables were freed, walk caches go as well, and no level is named", () => {
    expect(flush(setup({ levelHint: true }), PAGE, PAGE + 1, 1, "freed")).toEqual([
      "DSB ishst",
      `TLBI vae1is ${operand(PAGE)}`,
      "DSB ish",
    ]);
  });

  test("an entry of level 2 is named by the page that it begins at", () => {
    expect(flush(setup(), 513, 1025, 2, "freed")).toEqual([
      "DSB ishst",
      `TLBI vae1is ${operand(512)}`,
      `TLBI vae1is ${operand(1024)}`,
      "DSB ish",
    ]);
  });

  test("the whole address space", () => {
    expect(flush(setup(), 0, 0)).toEqual(["DSB ishst", `TLBI aside1is ${operand(0)}`, "DSB ish"]);
  });

  test("while a barrier is not complete the core waits", () => {
    expect(flush(setup({ barrierTurns: 2 }), PAGE, PAGE + 1)).toEqual([
      "DSB ishst",
      "wait",
      "wait",
      `TLBI vale1is ${operand(PAGE)}`,
      "DSB ish",
      "wait",
      "wait",
    ]);
  });

  test("the ASID is read after the store is published: a rollover may have changed it", () => {
    const s = setup();
    s.cores.listener = (_cpu, what) => {
      if (what === "DSB ishst") mmContextId.set(s.cores.ram, s.mm, 4 * 2 ** 16 + 9);
    };
    flush(s, PAGE, PAGE + 1);
    expect(s.cores.log[1]).toBe(`TLBI vale1is ${hex(PAGE | 0, (9 << 16) | Math.floor(PAGE / 2 ** 32))}`);
  });

  test.each([
    [MAX_DVM_OPS - 1, "single pages", MAX_DVM_OPS + 1],
    [MAX_DVM_OPS, "the address space", 3],
  ])("%i pages without ranges: %s", (pages, _what, lines) => {
    expect(flush(setup(), PAGE, PAGE + pages)).toHaveLength(lines);
  });

  test("with ranges the address space goes from their reach on", () => {
    const few = flush(setup({ tlbRange: true }), 0, MAX_TLBI_RANGE_PAGES - 1);
    expect(few.some((line) => line.includes("aside1is"))).toBe(false);
    expect(flush(setup({ tlbRange: true }), 0, MAX_TLBI_RANGE_PAGES)[1]).toContain("aside1is");
  });
});

describe("ranges", () => {
  test.each([1, 2, 3, 7, 64, 65, 511, 512, 513, 4097, 65_535, 65_536, 70_001, 2 ** 21 - 2])(
    "%i pages are named each once, by few operations",
    (pages) => {
      const s = setup({ tlbRange: true });
      const named: [first: number, end: number][] = [];
      s.cores.listener = (_cpu, what, lo, hi) => {
        if (!what.startsWith("TLBI ")) return;
        const name = what.slice(5, -2).toUpperCase() as TlbiName;
        const operation = decodeTlbi(name, "inner", lo, hi)!;
        expect(operation.asid).toBe(ASID);
        expect(operation.levels).toBe("last");
        const first = (operation.lo >>> 12) + operation.hi * 2 ** 20;
        named.push([first, first + operation.pages]);
      };
      flush(s, PAGE, PAGE + pages);
      expect(named[0]![0]).toBe(PAGE);
      for (let index = 1; index < named.length; index++) expect(named[index]![0]).toBe(named[index - 1]![1]);
      expect(named.at(-1)![1]).toBe(PAGE + pages);
      expect(named.length).toBeLessThanOrEqual(5);
    },
  );
});

describe("switching address spaces", () => {
  test("neither table is loaded under the other's ASID", () => {
    const s = setup();
    finish(s.tlb.switchMm(s.k, s.cores.initMm, s.mm));
    const asid = mmContextId.get(s.cores.ram, s.mm) % 2 ** 16;
    expect(s.cores.log.filter((line) => line.startsWith("MSR") || line === "ISB")).toEqual([
      `MSR TTBR0_EL1 ${hex(RESERVED, 0)}`,
      `MSR TTBR1_EL1 ${hex(0, asid << 16)}`,
      "MSR TTBR0_EL1 0x8000",
      "ISB",
    ]);
  });

  test("to the address space that is loaded already: nothing", () => {
    const s = setup();
    finish(s.tlb.switchMm(s.k, s.mm, s.mm));
    expect(s.cores.log).toEqual([]);
  });

  test("to the kernel's own: the empty table", () => {
    const s = setup();
    finish(s.tlb.switchMm(s.k, s.mm, s.cores.initMm));
    expect(s.cores.log).toEqual([`MSR TTBR0_EL1 ${hex(RESERVED, 0)}`, "ISB"]);
  });
});

describe("entries that come to permit more", () => {
  function change(access: "read" | "write", before: [number, number], after: [number, number]): FakeCores {
    const cores = new FakeCores(1);
    const mmu = new Arm64Mmu({ kernelPages: [] });
    mmu.boot(cores.kernel, cores.memory, cores.initMm);
    const slot = cores.memory.take(4096, 4096);
    cores.ram.write64(slot, ...before);
    const mm = cores.newMm();
    finish(mmu.setAccessFlags(cores.contexts[0]!, mm, PAGE, slot, ...after, access));
    expect([cores.ram.read32(slot), cores.ram.read32(slot + 4)]).toEqual([
      (before[0] | (after[0] & 0x400)) & (after[0] | ~0x80),
      before[1] | (after[1] & 0x88_0000),
    ]);
    return cores;
  }

  test("a write is flushed everywhere: nothing else drops the old entry", () => {
    const { log } = change("write", [0x10_04c3, 0x60_0000], [0x10_0443, 0xe8_0000 | 0x80_0000]);
    expect(log.map((line) => line.split(" ").slice(0, 2).join(" "))).toEqual([
      "DSB ishst",
      "TLBI vale1is",
      "DSB ish",
    ]);
  });

  test("a read, which set the accessed flag, is not: what is not accessed is not cached", () => {
    expect(change("read", [0x10_00c3, 0x60_0000], [0x10_04c3, 0x60_0000]).log).toEqual([]);
  });

  test("the dirty state that a walker set meanwhile stays", () => {
    // The fault saw a clean entry (RDONLY); the walker has cleared that by now.
    change("read", [0x10_0043, 0x68_0000], [0x10_04c3, 0x68_0000]);
  });
});

describe("a starting core", () => {
  function started(features: FakeFeatures): Map<string, readonly [number, number]> {
    const cores = new FakeCores(1, features);
    const mmu = new Arm64Mmu({ kernelPages: [] });
    mmu.boot(cores.kernel, cores.memory, cores.initMm);
    mmu.setUpCore(cores.contexts[0]!.cpu as never);
    expect(cores.registers[0]!.get("TTBR1_EL1")).toEqual([mmu.swapperTable, 0]);
    expect(cores.registers[0]!.get("TTBR0_EL1")).toEqual([mmu.reservedTable, 0]);
    expect(mmu.reservedTable).not.toBe(mmu.swapperTable);
    return cores.registers[0]!;
  }

  test("has TCR_EL1 as the kernel wants it", () => {
    // A1, TG1 4 KiB, T0SZ = T1SZ = 16, write-back inner shareable walks; IPS 48 bits, AS, TBI0, HA, HD.
    expect(started({})!.get("TCR_EL1")).toEqual([0xb550_3510 | 0, 0x1b5]);
  });

  test("takes what the ID registers say", () => {
    expect(started({ asidBits: 8, hardwareUpdates: 0 })!.get("TCR_EL1")).toEqual([0xb550_3510 | 0, 0x25]);
    expect(started({ asidBits: 8, hardwareUpdates: 1 })!.get("TCR_EL1")).toEqual([0xb550_3510 | 0, 0xa5]);
  });

  test("cannot have fewer ASID bits than the kernel was told to use", () => {
    const cores = new FakeCores(1, { asidBits: 8 });
    const mmu = new Arm64Mmu({ kernelPages: [], asidBits: 16 });
    expect(() => mmu.boot(cores.kernel, cores.memory, cores.initMm)).toThrow(RangeError);
  });
});
