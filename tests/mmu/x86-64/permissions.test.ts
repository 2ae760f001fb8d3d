import { expect, test } from "vitest";
import {
  type AccessKind,
  CR0_WP,
  CR4_PKE,
  CR4_SMAP,
  CR4_SMEP,
  DONE,
  EFER_NXE,
  FAULT,
  FETCH,
  hiOf,
  IMPLICIT,
  loOf,
  type Privilege,
  PTE_HI_KEY_SHIFT,
  PTE_HI_XD,
  PTE_P,
  PTE_PS,
  PTE_RW,
  PTE_US,
  READ,
  SUPERVISOR,
  USER,
  virtAddr,
  WRITE,
} from "../../../mmu/index.ts";
import { type ReferenceMode, type ReferenceResult, referenceWalk } from "./reference-walker.ts";
import { CR0_DEFAULT, EFER_DEFAULT, OPEN, World } from "./world.ts";

const KINDS = ["read", "write", "fetch"] as const;
const KEY = 5;

function setMode(world: World, mode: ReferenceMode): void {
  const cr0 = mode.wp ? CR0_DEFAULT : CR0_DEFAULT & ~CR0_WP;
  const cr4 = (mode.smep ? CR4_SMEP : 0) | (mode.smap ? CR4_SMAP : 0) | (mode.pke ? CR4_PKE : 0);
  const efer = mode.nxe ? EFER_DEFAULT : EFER_DEFAULT & ~EFER_NXE;
  if (!world.unit.setControls(cr0, world.cr4(cr4), efer)) throw new Error("controls refused");
  world.unit.setAc(mode.ac ? 1 : 0);
  world.unit.setPkru(mode.pkru);
}

function translate(world: World, address: bigint, kind: AccessKind, privilege: Privilege): ReferenceResult {
  const { unit } = world;
  const va = virtAddr(address);
  if (unit.translate(loOf(va), hiOf(va), kind, privilege) === DONE) {
    return { outcome: "translated", physical: BigInt(unit.pa) };
  }
  if (unit.fault.cause === "not-canonical") return { outcome: "general-protection" };
  return { outcome: "page-fault", errorCode: unit.fault.errorCode };
}

/** Every access under one mode, against the reference, from a cold and from a warm TLB; returns how many. */
function compare(world: World, mode: ReferenceMode, address: bigint, slots: readonly number[]): number {
  let compared = 0;
  const start = slots.map((slot) => world.ram.i64[slot / 8]);
  const put = (): void => {
    for (const [i, slot] of slots.entries()) world.ram.i64[slot / 8] = start[i];
  };
  const take = (): string => slots.map((slot) => world.ram.i64[slot / 8]).join();
  for (const kind of [READ, WRITE, FETCH] as const) {
    for (const privilege of [USER, SUPERVISOR, IMPLICIT] as const) {
      for (const cpl of privilege === IMPLICIT
        ? ([0, 3] as const)
        : ([privilege === USER ? 3 : 0] as const)) {
        const access = { address, kind: KINDS[kind], cpl, implicit: privilege === IMPLICIT };
        put();
        const expected = referenceWalk(world.ram, mode, access);
        const tables = take();
        put();
        world.unit.invpcid(2, 0, 0, 0);
        const cold = translate(world, address, kind, privilege);
        const label = () => JSON.stringify({ mode, access: { ...access, address: address.toString(16) } });
        if (JSON.stringify(cold, big) !== JSON.stringify(expected, big))
          expect(cold, label()).toEqual(expected);
        if (take() !== tables) expect(take(), "tables: " + label()).toBe(tables);
        // Warm: the page may be cached by an access that anyone may make.
        world.unit.speculate(loOf(virtAddr(address)), hiOf(virtAddr(address)));
        const warm = translate(world, address, kind, privilege);
        if (JSON.stringify(warm, big) !== JSON.stringify(expected, big))
          expect(warm, "warm: " + label()).toEqual(expected);
        compared++;
      }
    }
  }
  put();
  return compared;
}

function big(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString(16) : value;
}

function bits(value: number, count: number): boolean[] {
  return Array.from({ length: count }, (_, i) => ((value >>> i) & 1) === 1);
}

/** All combinations of WP, NXE, SMEP, SMAP, AC, PKE and the key's AD and WD. */
function* modes(world: World): Generator<ReferenceMode> {
  for (let value = 0; value < 256; value++) {
    const [wp, nxe, smep, smap, ac, pke, ad, wd] = bits(value, 8);
    const pkru = ((ad ? 1 : 0) | (wd ? 2 : 0)) << (2 * KEY);
    yield { levels: world.levels, root: world.root, maxPhysBits: 46, wp, nxe, smep, smap, ac, pke, pkru };
  }
}

function leafFlags(value: number): [number, number] {
  const [p, rw, us, xd] = bits(value, 4);
  const lo = (p ? PTE_P : 0) | (rw ? PTE_RW : 0) | (us ? PTE_US : 0);
  return [lo, (xd ? PTE_HI_XD : 0) | (KEY << PTE_HI_KEY_SHIFT)];
}

test.each([
  { levels: 4, shift: 12, address: 0x40_0123n },
  { levels: 4, shift: 21, address: 0x7f12_3456_7890n },
  { levels: 4, shift: 30, address: 0xffff_8123_4567_89abn },
  { levels: 5, shift: 12, address: 0x00ab_cdef_1234_5678n },
  { levels: 5, shift: 21, address: 0xff12_3456_789a_bcden },
  { levels: 5, shift: 30, address: 0x00fe_dcba_9876_5432n },
] as const)(
  "every combination of rights and controls, $levels levels, 2^$shift bytes",
  ({ levels, shift, address }) => {
    const world = new World({ levels });
    const va = virtAddr(address);
    const level = (shift - 3) / 9;
    const slots: number[] = [];
    for (let at: number = levels; at >= level; at--) slots.push(world.slot(loOf(va), hiOf(va), at));
    const frame = shift === 12 ? world.frame() : 0;
    let compared = 0;
    for (let leaf = 0; leaf < 16; leaf++) {
      const [flags, flagsHi] = leafFlags(leaf);
      world.map(loOf(va), hiOf(va), frame, flags, flagsHi, shift);
      for (const mode of modes(world)) {
        setMode(world, mode);
        compared += compare(world, mode, address, slots);
      }
    }
    expect(compared).toBe(16 * 256 * 12);
  },
);

test.each([4, 5] as const)("R/W, U/S and XD of all %i levels combine", (levels) => {
  const world = new World({ levels });
  const address = 0x40_0000n;
  const slots: number[] = [];
  const frames: number[] = [];
  for (let at: number = levels; at >= 1; at--) slots.push(world.slot(0x40_0000, 0, at));
  for (let at = 0; at < levels; at++)
    frames.push(at + 1 < levels ? Math.floor(slots[at + 1] / 4096) : world.frame());
  const mode: ReferenceMode = {
    levels,
    root: world.root,
    maxPhysBits: 46,
    wp: true,
    nxe: true,
    smep: true,
    smap: true,
    ac: false,
    pke: false,
    pkru: 0,
  };
  for (const ac of [false, true]) {
    setMode(world, { ...mode, ac });
    // Three bits per level; every level is restrictive in all ways alone or with any other level.
    for (let value = 0; value < 8 ** levels; value += levels === 5 ? 7 : 1) {
      slots.forEach((slot, i) => {
        const [rw, us, xd] = bits(value >>> (3 * i), 3);
        world.write(slot, frames[i], PTE_P | (rw ? 0 : PTE_RW) | (us ? 0 : PTE_US), xd ? PTE_HI_XD : 0);
      });
      compare(world, { ...mode, ac }, address, slots);
    }
  }
});

test("every bit of every entry that the manual reserves faults with RSVD, and no other bit does", () => {
  for (const levels of [4, 5] as const) {
    for (const maxPhysBits of [36, 40, 46, 52]) {
      for (const shift of [12, 21, 30]) {
        const world = new World({ levels, maxPhysBits });
        const leafLevel = (shift - 3) / 9;
        const slots: number[] = [];
        const address = 0x4000_0000;
        for (let at: number = levels; at >= leafLevel; at--) slots.push(world.slot(address, 0, at));
        world.map(address, 0, 0, OPEN, 0, shift);
        for (const nxe of [false, true]) {
          const mode: ReferenceMode = {
            levels,
            root: world.root,
            maxPhysBits,
            wp: true,
            nxe,
            smep: false,
            smap: false,
            ac: false,
            pke: false,
            pkru: 0,
          };
          setMode(world, mode);
          slots.forEach((slot, i) => {
            const before = world.ram.i64[slot / 8];
            for (let bit = 7; bit < 64; bit++) {
              // The address field of an entry inside RAM leads elsewhere: out of scope here.
              const isAddress = bit >= 12 && bit < maxPhysBits;
              const isLeaf = i === slots.length - 1;
              if (isAddress && !(isLeaf && bit < shift)) continue;
              if (bit === 7 && !(i < levels - 3) && !isLeaf) continue;
              if (isLeaf && shift > 12 && bit === 7) continue;
              world.ram.i64[slot / 8] = BigInt.asIntN(64, before | (1n << BigInt(bit)));
              compare(world, mode, BigInt(address), slots);
            }
            world.ram.i64[slot / 8] = before;
          });
        }
      }
    }
  }
});

test("PS in a PML4E or PML5E is reserved whatever the address field holds", () => {
  for (const levels of [4, 5] as const) {
    for (let level: number = levels; level >= 4; level--) {
      const world = new World({ levels });
      world.write(world.slot(0x40_0000, 0, level), 0x4_0000, OPEN | PTE_PS);
      expect(world.unit.translate(0x40_0000, 0, READ, USER)).toBe(FAULT);
      expect(world.unit.fault).toMatchObject({ cause: "reserved-bit", level, errorCode: 0xd });
    }
  }
});
