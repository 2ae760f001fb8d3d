/** What a live entry must not change at once: Arm ARM D8 "Using break-before-make when updating translation table entries". */
import { expect, test } from "vitest";
import {
  formatMayViolation,
  READ,
  TTD_AF,
  TTD_AP_EL0,
  TTD_AP_RO,
  TTD_ATTR_SHIFT,
  TTD_HI_CONTIGUOUS,
  TTD_HI_DBM,
  TTD_HI_UXN,
  TTD_NG,
  TTD_SH_SHIFT,
  TTD_TABLE,
  TTD_VALID,
  USER,
} from "../../../mmu/index.ts";
import { USER_PAGE, World } from "./world.ts";

const VA = 0x40_0000;
const READ_ONLY = USER_PAGE | TTD_AP_RO;

interface Value {
  readonly frame?: number;
  readonly flags?: number;
  readonly hi?: number;
}

/** Rules that one store from one value of a page's entry to another violates. */
function change(from: Value, to: Value, prepare: (world: World) => void = () => {}): string[] {
  const world = new World({ maySets: {} });
  const put = ({ frame = 0x300, flags = USER_PAGE, hi = 0 }: Value): void => {
    world.map(VA, 0, frame, flags, hi);
    world.maySets!.sync();
  };
  prepare(world);
  put(from);
  put(to);
  return world.maySets!.violations.map(({ rule, later }) => `${rule}: ${later.text}`);
}

const FRAME = "break-before-make: changes the frame of the live level-3 entry in one store";
const TYPE = "break-before-make: changes the memory type or the reach of the live level-3 entry in one store";
const SIZE = "break-before-make: changes the size of the live level-3 entry in one store";

test.each<[string, Value, Value, string[]]>([
  ["another frame", {}, { frame: 0x301 }, [FRAME]],
  ["another frame, read-only before", { flags: READ_ONLY }, { frame: 0x301 }, [FRAME]],
  ["another frame, read-only after", {}, { frame: 0x301, flags: READ_ONLY }, [FRAME]],
  ["another memory type", {}, { flags: USER_PAGE | (1 << TTD_ATTR_SHIFT) }, [TYPE]],
  ["another shareability", {}, { flags: USER_PAGE | (3 << TTD_SH_SHIFT) }, [TYPE]],
  ["global from an ASID's", {}, { flags: USER_PAGE & ~TTD_NG }, [TYPE]],
  ["the Contiguous bit", {}, { hi: TTD_HI_CONTIGUOUS }, [SIZE]],
  ["an ASID's from global", { flags: USER_PAGE & ~TTD_NG }, {}, []],
  ["less permission", {}, { flags: READ_ONLY, hi: TTD_HI_UXN }, []],
  ["more permission", { flags: READ_ONLY, hi: TTD_HI_UXN }, {}, []],
  ["no access from EL0", {}, { flags: USER_PAGE & ~TTD_AP_EL0 }, []],
  ["dirty state", { flags: READ_ONLY, hi: TTD_HI_DBM }, { hi: TTD_HI_DBM }, []],
  ["an entry that was not accessed is not live", { flags: USER_PAGE & ~TTD_AF }, { frame: 0x301 }, []],
  ["invalid", {}, { flags: 0, frame: 0 }, []],
])("%s", (_name, from, to, expected) => {
  expect(change(from, to)).toEqual(expected);
});

test("frames that hold the same may be exchanged if nobody can write", () => {
  const same = (world: World): void => {
    world.ram.write32(0x30_0010, 7);
    world.ram.write32(0x30_1010, 7);
  };
  const from = { flags: READ_ONLY };
  const to = { flags: READ_ONLY, frame: 0x301 };
  expect(change(from, to, same)).toEqual([]);
  expect(change(from, to, (world) => world.ram.write32(0x30_0010, 7))).toEqual([FRAME]);
  expect(change({}, { frame: 0x301 }, same)).toEqual([FRAME]);
});

test.each([
  [0, 1],
  [1, 1],
  [2, 0],
] as const)("a table for a block and a block for a table, FEAT_BBM level %i", (bbmLevel, reports) => {
  for (const first of ["block", "table"] as const) {
    const world = new World({ maySets: {}, profile: { bbmLevel } });
    const may = world.maySets!;
    const slot = world.slot(VA, 0, 2);
    const table = world.frame();
    const block = (): void => world.write(slot, 0x200, USER_PAGE | TTD_VALID);
    const pages = (): void => world.write(slot, table, TTD_VALID | TTD_TABLE);
    for (const write of first === "block" ? [block, pages] : [pages, block]) {
      write();
      may.sync();
    }
    expect(may.violations.map(({ rule, invariant }) => `${rule} ${invariant}`)).toEqual(
      Array(reports).fill("break-before-make I7"),
    );
  }
});

test("nothing is live under tables that no core has loaded, or in the permanent half", () => {
  const world = new World({ maySets: {} });
  const root = world.frame();
  for (const frame of [0x300, 0x301]) {
    world.map(VA, 0, frame, USER_PAGE, 0, 3, root);
    world.map(VA, -1, frame, TTD_AF);
    world.maySets!.sync();
  }
  expect(world.maySets!.violations).toEqual([]);
});

test("the report names both events", () => {
  const world = new World({ maySets: {} });
  world.map(VA, 0, 0x300, USER_PAGE);
  world.unit.translate(VA, 0, READ, USER);
  world.context.core = 0;
  world.context.timeCycles = 77;
  world.map(VA, 0, 0x301, USER_PAGE);
  world.maySets!.sync();
  expect(formatMayViolation(world.maySets!.violations[0]!)).toMatch(
    /^may-sets: I7 break-before-make, frame 0x300\n.*core 0 under tag 1 may hold the level-3 entry that leads to 0x300\n.*core 0 t=77 pc 0x0000000000001000 address 0x0000000000400000: changes the frame/,
  );
});
