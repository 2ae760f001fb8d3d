import { expect, test } from "vitest";
import {
  decodeTlbi,
  type GranuleShift,
  ISS_WNR,
  SCTLR_HI_EPAN,
  SCTLR_M,
  SCTLR_WXN,
  TCR_HI_HA,
  TCR_HI_HD,
  TCR_HI_HPD0,
  TTD_AF,
  TTD_AP_EL0,
  TTD_AP_RO,
  TTD_HI_AP_TABLE_NO_EL0,
  TTD_HI_AP_TABLE_RO,
  TTD_HI_DBM,
  TTD_HI_PXN,
  TTD_HI_PXN_TABLE,
  TTD_HI_UXN,
  TTD_HI_UXN_TABLE,
  TTD_TABLE,
  TTD_VALID,
} from "../../../mmu/aarch64/index.ts";
import {
  type AccessKind,
  DONE,
  FETCH,
  hiOf,
  IMPLICIT,
  loOf,
  type Privilege,
  READ,
  SUPERVISOR,
  USER,
  virtAddr,
  WRITE,
} from "../../../mmu/index.ts";
import { type ReferenceMode, type ReferenceResult, referenceWalk } from "./reference-walker.ts";
import { World } from "./world.ts";

const KINDS = ["read", "write", "fetch"] as const;
const ALL = decodeTlbi("VMALLE1", "local", 0, 0)!;

function modeOf(world: World, value: number): ReferenceMode {
  const [ha, hd, hpd, pan, epan, wxn] = bits(value, 6);
  const { granule, inputBits } = world;
  const { physicalBits } = world.profile;
  const roots = world.roots.map((frame) => BigInt(frame) << 12n) as [bigint, bigint];
  return { granule, inputBits, physicalBits, outputBits: physicalBits, roots, ha, hd, hpd, pan, epan, wxn };
}

function setMode(world: World, mode: ReferenceMode): void {
  const { unit } = world;
  const cleared = world.tcrHi & ~(TCR_HI_HA | TCR_HI_HD);
  const hpd = mode.hpd ? TCR_HI_HPD0 | (TCR_HI_HPD0 << 1) : 0;
  unit.writeTcr(world.tcrLo, cleared | (mode.ha ? TCR_HI_HA : 0) | (mode.hd ? TCR_HI_HD : 0) | hpd);
  unit.writeSctlr(SCTLR_M | (mode.wxn ? SCTLR_WXN : 0), mode.epan ? SCTLR_HI_EPAN : 0);
  unit.setPan(mode.pan ? 1 : 0);
}

function translate(world: World, address: bigint, kind: AccessKind, privilege: Privilege): ReferenceResult {
  const { unit } = world;
  const va = virtAddr(address);
  if (unit.translate(loOf(va), hiOf(va), kind, privilege) === DONE) {
    return { outcome: "translated", physical: BigInt(unit.pa) };
  }
  const { iss, statusCode } = unit.fault;
  return { outcome: "fault", fsc: statusCode, wnr: (iss & ISS_WNR) !== 0 };
}

function text(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString(16) : value;
}

function bits(value: number, count: number): boolean[] {
  return Array.from({ length: count }, (_, i) => ((value >>> i) & 1) === 1);
}

/** Every access under one mode, against the reference, from a cold and from a warm TLB; returns how many. */
function compare(world: World, mode: ReferenceMode, address: bigint, slots: readonly number[]): number {
  const start = slots.map((slot) => world.ram.i64[slot / 8]);
  const put = (): void => {
    for (const [i, slot] of slots.entries()) world.ram.i64[slot / 8] = start[i];
  };
  const take = (): string => slots.map((slot) => world.ram.i64[slot / 8].toString(16)).join();
  const va = virtAddr(address);
  let compared = 0;
  for (const kind of [READ, WRITE, FETCH] as const) {
    for (const privilege of [USER, SUPERVISOR, IMPLICIT] as const) {
      const access = {
        address,
        kind: KINDS[kind],
        el: privilege === USER ? 0 : 1,
        panApplies: privilege === SUPERVISOR,
      } as const;
      put();
      const expected = referenceWalk(world.ram, mode, access);
      const tables = take();
      put();
      world.unit.invalidate(ALL);
      const cold = translate(world, address, kind, privilege);
      const label = (): string => JSON.stringify({ mode, access, slots: start }, text);
      if (JSON.stringify(cold, text) !== JSON.stringify(expected, text)) {
        expect(cold, label()).toEqual(expected);
      }
      if (take() !== tables) expect(take(), "tables: " + label()).toBe(tables);
      // Warm: the page may have been cached before.
      world.unit.invalidate(ALL);
      put();
      world.unit.speculate(loOf(va), hiOf(va), kind);
      const warm = translate(world, address, kind, privilege);
      if (JSON.stringify(warm, text) !== JSON.stringify(expected, text)) {
        expect(warm, "warm: " + label()).toEqual(expected);
      }
      compared++;
    }
  }
  put();
  return compared;
}

const PLACES: readonly { granule: GranuleShift; level: number; address: bigint }[] = [
  { granule: 12, level: 3, address: 0x40_0123n },
  { granule: 12, level: 2, address: 0x7f12_3456_7890n },
  { granule: 12, level: 1, address: 0xffff_8123_4567_89abn },
  { granule: 14, level: 3, address: 0xffff_8123_4567_89abn },
  { granule: 14, level: 2, address: 0x7f12_3456_7890n },
  { granule: 16, level: 3, address: 0x7f12_3456_7890n },
  { granule: 16, level: 2, address: 0xffff_8123_4567_89abn },
];

test.each(PLACES)(
  "every combination of permissions and controls, granule 2^$granule, level $level",
  ({ granule, level, address }) => {
    const world = new World({ granule, profile: { pan3: "present" } });
    const va = virtAddr(address);
    const slots = [];
    for (let at = world.start; at <= level; at++) slots.push(world.slot(loOf(va), hiOf(va), at));
    const frame = level === 3 ? world.frame() : 0;
    let compared = 0;
    for (let leaf = 0; leaf < 64; leaf++) {
      const [el0, ro, af, uxn, pxn, dbm] = bits(leaf, 6);
      world.map(
        loOf(va),
        hiOf(va),
        frame,
        (el0 ? TTD_AP_EL0 : 0) | (ro ? TTD_AP_RO : 0) | (af ? TTD_AF : 0),
        (uxn ? TTD_HI_UXN : 0) | (pxn ? TTD_HI_PXN : 0) | (dbm ? TTD_HI_DBM : 0),
        level,
      );
      for (let value = 0; value < 64; value++) {
        // HPD has its own test.
        if ((value & 4) !== 0) continue;
        const mode = modeOf(world, value);
        setMode(world, mode);
        compared += compare(world, mode, address, slots);
      }
    }
    expect(compared).toBe(64 * 32 * 9);
  },
);

test.each([
  { granule: 12, address: 0x40_0000n },
  { granule: 14, address: 0xffff_8123_4567_8000n },
  { granule: 16, address: 0x7f12_3456_0000n },
] as const)("hierarchical permissions of all levels join, granule 2^$granule", ({ granule, address }) => {
  const world = new World({ granule, profile: { pan3: "present" } });
  const va = virtAddr(address);
  const slots: number[] = [];
  const frames: number[] = [];
  for (let at = world.start; at <= 3; at++) slots.push(world.slot(loOf(va), hiOf(va), at));
  for (let i = 0; i + 1 < slots.length; i++) {
    frames.push(Math.floor(slots[i + 1] / (1 << granule)) << (granule - 12));
  }
  const page = world.frame();
  const tables = slots.length - 1;
  for (const mode of [1, 1 | 4, 3 | 8, 3 | 8 | 16, 3 | 32].map((value) => modeOf(world, value))) {
    setMode(world, mode);
    for (let value = 0; value < 16 ** tables; value += tables === 3 ? 5 : 1) {
      for (let i = 0; i < tables; i++) {
        const [noEl0, ro, uxn, pxn] = bits(value >>> (4 * i), 4);
        const limits =
          (noEl0 ? TTD_HI_AP_TABLE_NO_EL0 : 0) |
          (ro ? TTD_HI_AP_TABLE_RO : 0) |
          (uxn ? TTD_HI_UXN_TABLE : 0) |
          (pxn ? TTD_HI_PXN_TABLE : 0);
        world.write(slots[i], frames[i], TTD_VALID | TTD_TABLE, limits);
      }
      world.write(slots[tables], page, TTD_VALID | TTD_TABLE | TTD_AF | TTD_AP_EL0, 0);
      compare(world, mode, address, slots);
    }
  }
});

test.each([
  { granule: 12, physicalBits: 36, inputBits: 48 },
  { granule: 12, physicalBits: 48, inputBits: 39 },
  { granule: 14, physicalBits: 40, inputBits: 47 },
  { granule: 16, physicalBits: 44, inputBits: 42 },
  { granule: 16, physicalBits: 52, inputBits: 52 },
] as const)(
  "each bit of each descriptor, granule 2^$granule, $inputBits to $physicalBits bits",
  ({ granule, physicalBits, inputBits }) => {
    const profile = { physicalBits, inputBits: inputBits === 52 ? 52 : 48 } as const;
    for (const leafLevel of [2, 3]) {
      const world = new World({ granule, inputBits, profile });
      const address = 0x2000_0000;
      const mode = modeOf(world, 3);
      setMode(world, mode);
      world.map(address, 0, leafLevel === 3 ? world.frame() : 0, TTD_AF | TTD_AP_EL0, 0, leafLevel);
      const slots: number[] = [];
      for (let at = world.start; at <= leafLevel; at++) slots.push(world.slot(address, 0, at));
      for (const slot of slots) {
        const before = world.ram.i64[slot / 8];
        for (let n = 0; n < 64; n++) {
          const changed = before ^ (1n << BigInt(n));
          // A contiguous group takes the address from the virtual one, where the reference takes the descriptor's.
          if (n === 52) continue;
          world.ram.i64[slot / 8] = BigInt.asIntN(64, changed);
          compare(world, mode, BigInt(address), slots);
        }
        world.ram.i64[slot / 8] = before;
      }
    }
  },
);
