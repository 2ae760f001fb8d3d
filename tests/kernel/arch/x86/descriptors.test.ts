import { expect, test } from "vitest";
import {
  idleStackOf,
  setRsp0,
  tssOf,
  writeCoreArea,
  writeIdt,
} from "../../../../kernel/arch/x86/descriptors.ts";
import {
  fixupOf,
  STUB_FIRST_SITE,
  stubAt,
  stubLo,
  stubName,
  writeText,
} from "../../../../kernel/arch/x86/stubs.ts";
import { hasErrorCode } from "../../../../kernel/arch/x86/vectors.ts";
import { PhysicalMemory } from "../../../../mmu/index.ts";

const AREA = 0x1230_0000 & 0xff_f000;

function memory(): PhysicalMemory {
  const ram = new PhysicalMemory(16 * 1024 * 1024, 65536);
  ram.directMapHi = 0xffff_8880 | 0;
  return ram;
}

test("the GDT holds the descriptors of Linux at the same selectors", () => {
  const ram = memory();
  writeCoreArea(ram, 0x20_0000);
  const entry = (selector: number): string => ram.view.getBigUint64(0x20_0000 + selector, true).toString(16);
  expect(entry(0x08)).toBe("cf9b000000ffff");
  expect(entry(0x10)).toBe("af9b000000ffff");
  expect(entry(0x18)).toBe("cf93000000ffff");
  expect(entry(0x20)).toBe("cffb000000ffff");
  expect(entry(0x28)).toBe("cff3000000ffff");
  expect(entry(0x30)).toBe("affb000000ffff");
  expect(AREA).toBe(0x30_0000);
});

test("the TSS descriptor leads to the TSS, whose stacks do not overlap", () => {
  const ram = memory();
  const area = 0xab_c000;
  writeCoreArea(ram, area);
  const lo = ram.read32(area + 0x40) >>> 0;
  const hi = ram.read32(area + 0x44) >>> 0;
  const base = (lo >>> 16) + ((hi & 0xff) << 16) + (hi & 0xff00_0000);
  expect(base).toBe(tssOf(area));
  expect(lo & 0xffff).toBe(0x67);
  expect((hi >>> 8) & 0xff).toBe(0x89);
  expect(ram.read32(area + 0x48)).toBe(0xffff_8880 | 0);
  const tss = tssOf(area);
  expect(ram.read32(tss + 4)).toBe(idleStackOf(area) + 16384);
  expect(ram.read32(tss + 0x24)).toBe(area + 3 * 4096);
  expect(ram.read32(tss + 0x2c)).toBe(area + 2 * 4096);
  expect(ram.read16(tss + 0x66)).toBe(0x68);
  setRsp0(ram, area, 0x40_0000);
  expect([ram.read32(tss + 4), ram.read32(tss + 8)]).toEqual([0x40_0000, 0xffff_8880 | 0]);
});

test("gates lead to the stubs; #BP and #OF may be called from user mode; #DF and NMI switch stacks", () => {
  const ram = memory();
  writeIdt(ram, 0x20_0000);
  for (let vector = 0; vector < 256; vector++) {
    const at = 0x20_0000 + vector * 16;
    const offset = (ram.read32(at) & 0xffff) | (ram.read32(at + 4) & 0xffff_0000);
    expect(stubAt(offset, ram.read32(at + 8))).toBe(vector);
    expect(ram.read32(at) >>> 16).toBe(0x10);
    expect((ram.read32(at + 4) >>> 8) & 0xff).toBe(vector === 3 || vector === 4 ? 0xee : 0x8e);
    expect(ram.read32(at + 4) & 7).toBe(vector === 8 ? 1 : vector === 2 ? 2 : 0);
  }
});

test("every stub is an enter trap of 16 bytes, and sites have fixups", () => {
  const ram = memory();
  writeText(ram, 0x10_0000);
  for (let stub = 0; stub < 512; stub++) {
    expect(ram.read16(0x10_0000 + stub * 16)).toBe(0x0b0f);
    expect(stubAt(stubLo(stub), -1)).toBe(stub);
  }
  expect(stubAt(stubLo(0), 0)).toBe(-1);
  expect(stubAt((stubLo(511) + 16) | 0, -1)).toBe(-1);
  expect(stubAt((stubLo(0) - 1) | 0, -1)).toBe(-1);
  expect(fixupOf(STUB_FIRST_SITE)).toBe(STUB_FIRST_SITE + 1);
  expect(fixupOf(STUB_FIRST_SITE + 1)).toBe(-1);
  expect(fixupOf(14)).toBe(-1);
  expect([stubName(14), stubName(256), stubName(STUB_FIRST_SITE + 1)]).toEqual([
    "asm_vector_0xe",
    "entry_SYSCALL_64",
    "copy_to_user.fixup",
  ]);
});

test("error codes come with the vectors of the manual's table", () => {
  const vectors = Array.from({ length: 256 }, (_, vector) => vector).filter(hasErrorCode);
  expect(vectors).toEqual([8, 10, 11, 12, 13, 14, 17, 21, 29, 30]);
});
