/** Which addresses translate, and what ESR_EL1.ISS says of those that do not. */
import { expect, test } from "vitest";
import {
  type AccessKind,
  DONE,
  decodeTlbi,
  FAULT,
  FETCH,
  IMPLICIT,
  type Privilege,
  READ,
  SCTLR_A,
  SCTLR_M,
  SUPERVISOR,
  TCR_EPD0,
  TCR_EPD1,
  TCR_HI_E0PD0,
  TCR_HI_E0PD1,
  TCR_HI_HA,
  TCR_HI_TBI0,
  TCR_HI_TBI1,
  TCR_HI_TBID0,
  TTD_AF,
  TTD_AP_EL0,
  TTD_AP_RO,
  TTD_ATTR_SHIFT,
  TTD_HI_GP,
  TTD_SH_SHIFT,
  TTD_TABLE,
  TTD_VALID,
  USER,
  WRITE,
} from "../../../mmu/index.ts";
import { KERNEL_PAGE, USER_PAGE, World } from "./world.ts";

const ALL = decodeTlbi("VMALLE1", "local", 0, 0)!;

function faultOf(world: World, lo: number, hi: number, kind: AccessKind, privilege: Privilege) {
  expect(world.unit.translate(lo, hi, kind, privilege)).toBe(FAULT);
  return world.unit.fault;
}

test.each([
  { granule: 12, inputBits: 25, profile: {} },
  { granule: 12, inputBits: 39, profile: {} },
  { granule: 12, inputBits: 48, profile: {} },
  { granule: 14, inputBits: 25, profile: {} },
  { granule: 14, inputBits: 36, profile: {} },
  { granule: 14, inputBits: 47, profile: {} },
  { granule: 14, inputBits: 48, profile: {} },
  { granule: 16, inputBits: 42, profile: {} },
  { granule: 16, inputBits: 48, profile: {} },
  { granule: 16, inputBits: 52, profile: { inputBits: 52 } },
  { granule: 12, inputBits: 16, profile: { smallTables: "present" } },
  { granule: 16, inputBits: 17, profile: { smallTables: "present" } },
] as const)(
  "both ends of both halves of $inputBits bits, granule 2^$granule",
  ({ granule, inputBits, profile }) => {
    const world = new World({ granule, inputBits, profile });
    const page = -1 << granule;
    const topLo = inputBits < 32 ? ((1 << inputBits) - 1) & page : page;
    const topHi = inputBits <= 32 ? 0 : 2 ** (inputBits - 32) - 1;
    const bottomLo = inputBits < 32 ? -1 << inputBits : 0;
    const bottomHi = inputBits <= 32 ? -1 : -1 << (inputBits - 32);
    for (const [lo, hi] of [
      [0, 0],
      [topLo, topHi],
      [bottomLo, bottomHi],
      [page, -1],
    ] as const) {
      const frame = world.frame();
      world.map(lo, hi, frame, USER_PAGE);
      expect(world.unit.translate(lo, hi, READ, USER)).toBe(DONE);
      expect(world.unit.pa).toBe(frame * 4096);
      expect(world.unit.probe(lo + 5, hi)).toBe(frame * 4096 + 5);
    }
    const past = inputBits < 32 ? [1 << inputBits, 0] : [0, 2 ** (inputBits - 32)];
    const before = inputBits < 32 ? [bottomLo - 4096, -1] : [-4096, bottomHi - 1];
    for (const [lo, hi] of [past, before] as const) {
      for (const kind of [READ, WRITE, FETCH] as const) {
        const fault = faultOf(world, lo!, hi!, kind, SUPERVISOR);
        expect(fault).toMatchObject({ cause: "not-canonical", lo, hi, lookupLevel: 0, statusCode: 4 });
        expect(fault.iss).toBe(kind === WRITE ? 0x44 : 4);
      }
      expect(world.unit.probe(lo!, hi!)).toBe(-1);
    }
  },
);

test("a TnSZ that the core does not allow makes its half fault at level 0, and not the other", () => {
  const world = new World();
  world.map(0x40_0000, 0, world.frame(), USER_PAGE);
  world.map(0x40_0000, -1, world.frame(), KERNEL_PAGE);
  for (const size of [0, 15, 40, 63]) {
    world.unit.writeTcr((world.tcrLo & ~0x3f) | size, world.tcrHi);
    expect(faultOf(world, 0x40_0000, 0, READ, USER).statusCode).toBe(4);
    expect(world.unit.translate(0x40_0000, -1, READ, SUPERVISOR)).toBe(DONE);
  }
});

test("TBI ignores the tag of data and instruction addresses, TBID of data addresses only; FAR keeps the tag", () => {
  const world = new World();
  const { unit } = world;
  const frame = world.frame();
  world.map(0x40_0000, 0, frame, USER_PAGE);
  world.map(0x40_0000, -1, frame, KERNEL_PAGE);
  const outcomes = (tcrHi: number): number[] => {
    unit.writeTcr(world.tcrLo, world.tcrHi | tcrHi);
    return [
      unit.translate(0x40_0000, 0x5a00_0000, READ, USER),
      unit.translate(0x40_0000, 0x5a00_0000, FETCH, USER),
      unit.translate(0x40_0000, 0x5aff_ffff, READ, SUPERVISOR),
      unit.translate(0x40_0000, 0x5aff_ffff, FETCH, SUPERVISOR),
    ];
  };
  expect(outcomes(0)).toEqual([FAULT, FAULT, FAULT, FAULT]);
  expect(outcomes(TCR_HI_TBI0)).toEqual([DONE, DONE, FAULT, FAULT]);
  expect(outcomes(TCR_HI_TBI0 | TCR_HI_TBID0)).toEqual([DONE, FAULT, FAULT, FAULT]);
  expect(outcomes(TCR_HI_TBI1)).toEqual([FAULT, FAULT, DONE, DONE]);
  expect(unit.pa).toBe(frame * 4096);
  unit.writeTcr(world.tcrLo, world.tcrHi | TCR_HI_TBI0);
  expect(faultOf(world, 0x80_0000, 0x5a00_0000, WRITE, USER)).toMatchObject({
    hi: 0x5a00_0000,
    statusCode: 6,
  });
  // Bit 55 chooses the half; bits 54:48 still count.
  expect(faultOf(world, 0x40_0000, 0x5a01_0000, READ, USER).statusCode).toBe(4);
});

test("EPDn faults a TLB miss at level 0 and leaves a hit alone; E0PDn faults EL0 at level 0 whatever is cached", () => {
  const world = new World();
  const { unit } = world;
  for (const [hi, epd, e0pd] of [
    [0, TCR_EPD0, TCR_HI_E0PD0],
    [-1, TCR_EPD1, TCR_HI_E0PD1],
  ] as const) {
    world.map(0x40_0000, hi, world.frame(), USER_PAGE);
    world.map(0x40_1000, hi, world.frame(), USER_PAGE);
    expect(unit.translate(0x40_0000, hi, READ, USER)).toBe(DONE);
    unit.writeTcr(world.tcrLo | epd, world.tcrHi);
    expect(unit.translate(0x40_0000, hi, READ, USER)).toBe(DONE);
    expect(faultOf(world, 0x40_1000, hi, READ, USER)).toMatchObject({ cause: "not-present", statusCode: 4 });
    unit.writeTcr(world.tcrLo, world.tcrHi | e0pd);
    expect(faultOf(world, 0x40_0000, hi, READ, USER).statusCode).toBe(4);
    expect(unit.translate(0x40_0000, hi, READ, SUPERVISOR)).toBe(DONE);
    unit.writeTcr(world.tcrLo, world.tcrHi);
  }
});

test("stage 1 off: the address is physical, a bit above the core's size is an address size fault at level 0", () => {
  const world = new World({ profile: { physicalBits: 40 } });
  const { unit } = world;
  unit.writeSctlr(0, 0);
  expect(unit.translate(0x1234_5678, 0x12, WRITE, USER)).toBe(DONE);
  expect(unit.pa).toBe(0x12_1234_5678);
  expect(unit.memoryAttribute).toBe(0);
  expect(unit.probe(0x1234_5678, 0x12)).toBe(0x12_1234_5678);
  expect(faultOf(world, 0, 0x100, READ, USER)).toMatchObject({ cause: "address-size", statusCode: 0 });
});

test.each([12, 14, 16] as const)("each cause has its status code at each level, granule 2^%i", (granule) => {
  const world = new World({ granule, profile: { physicalBits: 40 } });
  const { unit } = world;
  const lo = 0x2000_0000;
  unit.writeTcr(world.tcrLo, world.tcrHi & ~TCR_HI_HA);
  const code = (kind: AccessKind = READ): number => {
    unit.invalidate(ALL);
    return faultOf(world, lo, 0, kind, USER).statusCode;
  };
  for (let level = world.start; level <= 3; level++) {
    const slot = world.slot(lo, 0, level);
    const before = world.ram.i64[slot / 8];
    const hasBlock = level === 2 || (level === 1 && granule === 12);
    world.ram.i64[slot / 8] = 0n;
    expect(code()).toBe(4 + level);
    world.write(slot, 2 ** 28, TTD_VALID | TTD_TABLE);
    expect(code()).toBe(level);
    if (level < 3) {
      world.write(slot, world.ram.frames, TTD_VALID | TTD_TABLE);
      // The read of the next table is what fails.
      expect(code()).toBe(0x14 + level + 1);
    }
    if (level < 3 && !hasBlock) {
      world.write(slot, 0, TTD_VALID | USER_PAGE);
      expect(code()).toBe(4 + level);
    }
    if (level === 3 || hasBlock) {
      const kind = level === 3 ? TTD_TABLE : 0;
      world.write(slot, 0, TTD_VALID | kind | TTD_AP_EL0);
      expect(code()).toBe(8 + level);
      world.write(slot, 0, TTD_VALID | kind | TTD_AP_EL0 | TTD_AF | TTD_AP_RO);
      expect(code(WRITE)).toBe(0xc + level);
      expect(unit.fault).toMatchObject({ iss: 0x4c + level, level: 4 - level, isReadFault: false });
      world.write(slot, 0, TTD_VALID | kind | TTD_AF);
      expect(code(WRITE)).toBe(0xc + level);
      expect(unit.fault.isReadFault).toBe(true);
    }
    if (level === 3) {
      world.write(slot, 0, TTD_VALID | USER_PAGE);
      expect(code()).toBe(7);
    }
    world.ram.i64[slot / 8] = before;
  }
});

test("a TTBR above the output size is an address size fault of level 0; one outside RAM an External abort", () => {
  const world = new World({ profile: { physicalBits: 40 } });
  world.load(1, world.unit, 2 ** 28);
  expect(faultOf(world, 0x40_0000, 0, READ, USER)).toMatchObject({ cause: "address-size", statusCode: 0 });
  world.load(1, world.unit, world.ram.frames);
  expect(faultOf(world, 0x40_0000, 0, READ, USER)).toMatchObject({ cause: "bus", statusCode: 0x14 });
});

test("memory attributes, shareability and guarded pages are those of the descriptor and MAIR_EL1", () => {
  const world = new World();
  const { unit } = world;
  const device = USER_PAGE | (1 << TTD_ATTR_SHIFT) | (2 << TTD_SH_SHIFT);
  world.map(0x40_0000, 0, world.frame(), device);
  world.map(0x40_1000, 0, world.frame(), USER_PAGE | (3 << TTD_SH_SHIFT), TTD_HI_GP);
  world.map(0x40_2000, 0, world.frame(), USER_PAGE | (6 << TTD_ATTR_SHIFT));
  unit.writeMair(0x04ff, 0x0044_0000);
  const found = [0x40_0000, 0x40_1000, 0x40_2000].map((lo) => {
    expect(unit.translate(lo, 0, READ, USER)).toBe(DONE);
    return [unit.memoryAttribute, unit.shareability, unit.isGuarded];
  });
  expect(found).toEqual([
    [4, 2, false],
    [0xff, 3, true],
    [0x44, 0, false],
  ]);
});

test("an alignment fault has its own code, and a core asks for data pages slowly under SCTLR_EL1.A", () => {
  const world = new World();
  world.unit.raiseAlignment(0x40_0001, 0, WRITE, USER);
  expect(world.unit.fault).toMatchObject({ cause: "alignment", statusCode: 0x21, iss: 0x61, lo: 0x40_0001 });
  world.map(0x40_0000, 0, world.frame(), USER_PAGE);
  const tags = (): boolean => world.unit.fast.includes(0x40_0000);
  world.unit.writeSctlr(SCTLR_M | SCTLR_A, 0);
  expect(world.unit.translate(0x40_0000, 0, READ, USER)).toBe(DONE);
  expect(tags()).toBe(false);
  world.unit.writeSctlr(SCTLR_M, 0);
  expect(world.unit.translate(0x40_0000, 0, READ, USER)).toBe(DONE);
  expect(tags()).toBe(true);
});

test("PAN denies EL1 data access to what EL0 may access, also through the fast TLB, but not where it has no say", () => {
  const world = new World();
  const { unit } = world;
  world.map(0x40_0000, 0, world.frame(), USER_PAGE);
  expect(unit.translate(0x40_0000, 0, READ, SUPERVISOR)).toBe(DONE);
  expect(unit.fast.includes(0x40_0000)).toBe(true);
  unit.setPan(1);
  expect(unit.fast.includes(0x40_0000)).toBe(false);
  expect(faultOf(world, 0x40_0000, 0, READ, SUPERVISOR).statusCode).toBe(0xf);
  expect(unit.translate(0x40_0000, 0, READ, USER)).toBe(DONE);
  expect(unit.translate(0x40_0000, 0, WRITE, IMPLICIT)).toBe(DONE);
});
