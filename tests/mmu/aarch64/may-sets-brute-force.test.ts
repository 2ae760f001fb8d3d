/** May-sets of AArch64 against the closure of all walks, over random histories: no more and no less than is permitted. */
import { expect, test } from "vitest";
import {
  decodeTlbi,
  type TlbiName,
  TTD_AF,
  TTD_AP_EL0,
  TTD_AP_RO,
  TTD_HI_AP_TABLE_NO_EL0,
  TTD_HI_AP_TABLE_RO,
  TTD_HI_UXN,
  TTD_HI_UXN_TABLE,
  TTD_NG,
  TTD_TABLE,
  TTD_VALID,
} from "../../../mmu/index.ts";
import { ANY, ReferenceMaySets, type ReferenceTlbi } from "./may-sets-reference.ts";
import { World } from "./world.ts";

/** Three pages in two tables of the last level. */
const ADDRESSES = [0x40_0000, 0x40_1000, 0x60_0000];
const ASIDS = [1, 2];
const NAMES: readonly TlbiName[] = [
  "VAE1",
  "VALE1",
  "VAAE1",
  "VAALE1",
  "RVAE1",
  "RVALE1",
  "ASIDE1",
  "VMALLE1",
];
const PERMISSIONS = 15;

class Twin {
  readonly world: World;
  readonly reference: ReferenceMaySets;
  readonly roots: readonly number[];
  readonly slots: { pa: number; values: (readonly [number, number, number])[] }[] = [];
  readonly log: string[] = [];

  constructor(hasGlobals: boolean) {
    this.world = new World({ cores: 2, maySets: { capacity: 4096 }, ramBytes: 0x40_0000 });
    const { world } = this;
    this.roots = [world.roots[0], world.frame()];
    const middle = world.frame();
    const directories = [world.frame(), world.frame()];
    const tables = [world.frame(), world.frame(), world.frame()];
    const table = (frame: number, hi = 0): readonly [number, number, number] => [
      frame,
      TTD_VALID | TTD_TABLE,
      hi,
    ];
    for (const root of this.roots) world.write(root * 4096, middle, TTD_VALID | TTD_TABLE);
    world.write(middle * 4096, directories[0]!, TTD_VALID | TTD_TABLE);
    world.write(directories[0]! * 4096 + 16, tables[0]!, TTD_VALID | TTD_TABLE);
    world.write(directories[0]! * 4096 + 24, tables[1]!, TTD_VALID | TTD_TABLE);
    world.write(directories[1]! * 4096 + 16, tables[2]!, TTD_VALID | TTD_TABLE);
    const none = [0, 0, 0] as const;
    const page = TTD_VALID | TTD_TABLE | TTD_AF;
    const leaves: (readonly [number, number, number])[] = [
      none,
      [900, page | TTD_AP_EL0 | TTD_NG, 0],
      [901, page | TTD_AP_EL0 | TTD_NG | TTD_AP_RO, 0],
      [900, page | TTD_NG, TTD_HI_UXN],
      [902, (page & ~TTD_AF) | TTD_NG, 0],
      [902, page | TTD_AP_EL0 | (hasGlobals ? 0 : TTD_NG), 0],
    ];
    for (const frame of tables) {
      for (const index of [0, 1]) this.slots.push({ pa: frame * 4096 + index * 8, values: leaves });
    }
    const block = [512, TTD_VALID | TTD_AF | (hasGlobals ? 0 : TTD_NG), 0] as const;
    for (const frame of directories) {
      const values = [
        none,
        block,
        ...tables.map((below) => table(below)),
        table(tables[0]!, TTD_HI_AP_TABLE_RO),
      ];
      for (const index of [2, 3]) this.slots.push({ pa: frame * 4096 + index * 8, values });
    }
    this.slots.push({
      pa: middle * 4096,
      values: [
        none,
        table(directories[0]!),
        table(directories[1]!),
        table(directories[0]!, TTD_HI_UXN_TABLE),
      ],
    });
    this.slots.push({
      pa: this.roots[1]! * 4096,
      values: [none, table(middle), table(middle, TTD_HI_AP_TABLE_NO_EL0)],
    });
    this.reference = new ReferenceMaySets(world.ram, 2, ADDRESSES);
    world.maySets!.sync();
    for (const core of [0, 1]) this.load(core, 0, 1);
  }

  load(core: number, root: number, asid: number): void {
    this.log.push(`core ${core}: TTBR0 <- root ${root}, ASID ${asid}`);
    this.world.load(asid, this.world.units[core], this.roots[root]);
    this.reference.load(core, this.roots[root]!, asid);
  }

  store(slot: number, value: number): void {
    const { pa, values } = this.slots[slot]!;
    const [frame, lo, hi] = values[value % values.length]!;
    this.log.push(`store ${pa.toString(16)} <- ${frame} ${lo.toString(16)} ${hi.toString(16)}`);
    this.world.write(pa, frame, lo, hi);
    this.reference.close();
  }

  /** @param level TTL, 0: none; ignored by the forms that have none */
  tlbi(core: number, name: TlbiName, va: number, asid: number, level: number): void {
    this.log.push(`core ${core}: TLBI ${name} ${va.toString(16)}, ASID ${asid}, TTL ${level}`);
    const isRange = name.startsWith("R");
    const hint = isRange ? (1 << 14) | (level << 5) : level === 0 ? 0 : (1 << 14) | (level << 12);
    const operation = decodeTlbi(name, "local", va >>> 12, (asid << 16) | hint)!;
    this.world.units[core]!.invalidate(operation);
    this.reference.tlbi(core, referenceOf(name, va, asid, level));
  }

  compare(): void {
    const may = this.world.maySets!;
    for (const core of [0, 1]) {
      for (const asid of ASIDS) {
        for (const va of ADDRESSES) {
          const where = `core ${core} ASID ${asid} ${va.toString(16)}\n${this.log.join("\n")}\n`;
          const leaves = may.permits(core, asid, va, 0).map(({ tag, shift, frame, attributes }) => ({
            asid: tag,
            shift,
            page: Math.floor(va / 2 ** shift),
            frame,
            rights: attributes & PERMISSIONS,
          }));
          same(leaves, this.reference.leavesFor(core, asid, va), where);
          const tables = may
            .walkPermits(core, asid, va, 0)
            .map(({ level, frame, rights }) => ({ level: 4 - level, frame, rights }));
          const expected = this.reference.tablesFor(core, asid, va);
          same(
            tables,
            expected.map(({ level, frame, rights }) => ({ level, frame, rights })),
            where,
          );
        }
      }
    }
    expect(may.lost).toBe(0);
  }
}

function referenceOf(name: TlbiName, va: number, asid: number, level: number): ReferenceTlbi {
  const page = va / 4096;
  const lastLevel = name.endsWith("LE1") && name !== "VMALLE1";
  if (name === "VMALLE1") return { asid: ANY, pages: null, lastLevel: false, level: null };
  if (name === "ASIDE1") return { asid, pages: null, lastLevel: false, level: null };
  const pages = name.startsWith("R") ? [page, page + 1] : [page];
  return { asid: name.includes("VAA") ? ANY : asid, pages, lastLevel, level: level === 0 ? null : level };
}

function same(built: readonly object[], expected: readonly object[], where: string): void {
  if (text(built) === text(expected)) return;
  expect.fail(`${where}built\n${text(built)}\nexpected\n${text(expected)}`);
}

function text(items: readonly object[]): string {
  return [...new Set(items.map((item) => JSON.stringify(item, Object.keys(item).sort())))].sort().join("\n");
}

function generator(seed: number): (below: number) => number {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return (below) => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

test.each([
  ["an ASID's pages", false],
  ["global pages among them", true],
])("what may be cached equals the closure of all walks after every event: %s", (_name, hasGlobals) => {
  for (let seed = 1; seed <= 30; seed++) {
    const twin = new Twin(hasGlobals);
    const below = generator(seed);
    for (let event = 0; event < 50; event++) {
      const core = below(2);
      const choice = below(16);
      if (choice < 8) twin.store(below(twin.slots.length), below(8));
      else if (choice < 11) twin.load(core, below(2), ASIDS[below(2)]!);
      else {
        const level = below(3) === 0 ? 1 + below(3) : 0;
        twin.tlbi(core, NAMES[below(NAMES.length)]!, ADDRESSES[below(3)]!, ASIDS[below(2)]!, level);
      }
      twin.compare();
    }
  }
});

test("the comparison notices one invalidation that one side did not hear of", () => {
  const page = ADDRESSES[0]!;
  const all = { asid: 1, pages: [page / 4096], lastLevel: true, level: null };
  for (const invalidate of [
    (twin: Twin) => twin.reference.tlbi(1, all),
    (twin: Twin) => twin.world.units[1]!.invalidate(decodeTlbi("VALE1", "local", page >>> 12, 1 << 16)!),
  ]) {
    const twin = new Twin(false);
    twin.store(0, 1);
    twin.store(0, 0);
    twin.compare();
    invalidate(twin);
    expect(() => twin.compare()).toThrow(/built/);
  }
});

test("a range is its pages one by one", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const twins = [new Twin(seed % 2 === 0), new Twin(seed % 2 === 0)] as const;
    for (const [which, twin] of twins.entries()) {
      const below = generator(seed);
      for (let event = 0; event < 40; event++) {
        if (below(3) > 0) twin.store(below(twin.slots.length), below(8));
        else if (below(3) === 0) twin.load(below(2), below(2), ASIDS[below(2)]!);
        else {
          const name = below(2) === 0 ? "VAE1" : "VALE1";
          const core = below(2);
          const asid = ASIDS[below(2)]!;
          if (which === 0) twin.tlbi(core, `R${name}`, ADDRESSES[0]!, asid, 0);
          else for (const va of ADDRESSES.slice(0, 2)) twin.tlbi(core, name, va, asid, 0);
        }
      }
    }
    for (const core of [0, 1]) {
      for (const va of ADDRESSES) {
        const [range, single] = twins.map(({ world }) =>
          ASIDS.map((asid) =>
            world.maySets!.permits(core, asid, va, 0).map(({ frame, attributes }) => [frame, attributes]),
          ),
        );
        expect(text([range!])).toEqual(text([single!]));
      }
    }
  }
});
