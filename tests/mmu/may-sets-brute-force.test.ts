import { expect, test } from "vitest";
import {
  CR3_HI_NO_FLUSH,
  CR4_PCIDE,
  DONE,
  entryHi,
  entryLo,
  formatMayViolation,
  INVPCID_ADDRESS,
  INVPCID_ALL,
  INVPCID_ALL_BUT_GLOBAL,
  INVPCID_SINGLE_CONTEXT,
  PTE_A,
  PTE_D,
  PTE_G,
  PTE_HI_XD,
  PTE_P,
  PTE_PS,
  PTE_RW,
  PTE_US,
  READ,
  USER,
  WRITE,
} from "../../mmu/index.ts";
import { ReferenceMaySets } from "./may-sets-reference.ts";
import { CR0_DEFAULT, EFER_DEFAULT, World } from "./x86-64/world.ts";

/** Three pages in two tables of the lowest level, one of which another may replace. */
const ADDRESSES = [0x40_0000, 0x40_1000, 0x60_0000];
/** Where a table that refers to itself serves as a directory, and as a table of the lowest level. */
const SELF_ADDRESSES = [0x4000_2000, 0x4020_1000];
const PCIDS = [1, 2];
const TABLE = PTE_P | PTE_RW | PTE_US | PTE_A;

/** A world that the may-sets and the reference see alike. */
class Twin {
  readonly world: World;
  readonly reference: ReferenceMaySets;
  readonly roots: number[];
  /** Slots that stores change, with the values that they may get. */
  readonly slots: { pa: number; values: [number, number][] }[] = [];
  readonly addresses: readonly number[];
  log: string[] = [];

  constructor(options: { globals: boolean; selfMap: boolean }) {
    this.world = new World({ cores: 2, maySets: { capacity: 4096 }, ramBytes: 0x40_0000 });
    const { world } = this;
    const leaf = (more: number, hi = 0): [number, number] => {
      const frame = 900 + (world.frame() % 3);
      return [entryLo(frame, PTE_P | more), entryHi(frame, hi)];
    };
    this.roots = [world.frame(), world.frame()];
    const tables = [world.frame(), world.frame(), world.frame(), world.frame()];
    const directories = [world.frame(), world.frame()];
    const pointers = world.frame();
    const table = (frame: number, flags = TABLE, hi = 0): [number, number] => [
      entryLo(frame, flags),
      entryHi(frame, hi),
    ];
    const put = (pa: number, [lo, hi]: [number, number]): void => world.ram.write64(pa, lo, hi);
    for (const root of this.roots) put(root * 4096, table(pointers));
    if (options.selfMap) put(pointers * 4096 + 8, table(pointers));
    put(pointers * 4096, table(directories[0]!));
    put(directories[0]! * 4096 + 2 * 8, table(tables[0]!));
    put(directories[0]! * 4096 + 3 * 8, table(tables[1]!));
    put(directories[1]! * 4096 + 2 * 8, table(tables[2]!));
    const none: [number, number] = [0, 0];
    const global = options.globals ? PTE_G : 0;
    const leaves: [number, number][] = [
      none,
      leaf(PTE_RW | PTE_US | PTE_A | PTE_D),
      leaf(PTE_RW | PTE_US | PTE_A),
      leaf(PTE_US | PTE_A, PTE_HI_XD),
      leaf(PTE_RW | PTE_US),
      leaf(PTE_RW | PTE_US | PTE_A | PTE_D | global),
    ];
    for (const frame of tables) {
      for (const index of [0, 1]) this.slots.push({ pa: frame * 4096 + index * 8, values: leaves });
    }
    const large: [number, number] = [entryLo(512, PTE_P | PTE_PS | PTE_US | PTE_A | global), 0];
    for (const frame of directories) {
      for (const index of [2, 3]) {
        this.slots.push({
          pa: frame * 4096 + index * 8,
          values: [
            none,
            large,
            ...tables.map((below) => table(below)),
            table(tables[0]!, TABLE & ~PTE_RW),
            table(tables[1]!, TABLE & ~PTE_A),
          ],
        });
      }
    }
    this.slots.push({
      pa: pointers * 4096,
      values: [
        none,
        table(directories[0]!),
        table(directories[1]!),
        table(directories[0]!, TABLE, PTE_HI_XD),
      ],
    });
    this.slots.push({
      pa: this.roots[1]! * 4096,
      values: [none, table(pointers), table(pointers, TABLE & ~PTE_US)],
    });
    this.addresses = options.selfMap ? [...ADDRESSES, ...SELF_ADDRESSES] : ADDRESSES;
    this.reference = new ReferenceMaySets(world.ram, 2, this.addresses);
    for (const unit of world.units) unit.setControls(CR0_DEFAULT, world.cr4(CR4_PCIDE), EFER_DEFAULT);
    for (const core of [0, 1]) this.load(core, 0, 1, true);
  }

  load(core: number, root: number, pcid: number, flush: boolean): void {
    this.log.push(`core ${core}: CR3 <- root ${root}, PCID ${pcid}${flush ? "" : ", no flush"}`);
    const frame = this.roots[root]!;
    const hi = entryHi(frame, flush ? 0 : CR3_HI_NO_FLUSH);
    expect(this.world.units[core]!.writeCr3(entryLo(frame, pcid), hi)).toBe(true);
    this.reference.load(core, frame, pcid, flush);
  }

  store(slot: number, value: number): void {
    const { pa, values } = this.slots[slot]!;
    const [lo, hi] = values[value % values.length]!;
    this.log.push(`store ${pa.toString(16)} <- ${(lo >>> 0).toString(16)}, ${(hi >>> 0).toString(16)}`);
    this.world.ram.write64(pa, lo, hi);
    this.reference.close();
  }

  invlpg(core: number, va: number): void {
    this.log.push(`core ${core}: INVLPG ${va.toString(16)}`);
    this.world.units[core]!.invlpg(va, 0);
    this.reference.invlpg(core, va);
  }

  invpcid(core: number, type: number, pcid: number, va: number): void {
    this.log.push(`core ${core}: INVPCID ${type}, ${pcid}, ${va.toString(16)}`);
    this.world.units[core]!.invpcid(type, pcid, va, 0);
    if (type === INVPCID_ADDRESS) this.reference.invpcidAddress(core, pcid, va);
    else if (type === INVPCID_SINGLE_CONTEXT) this.reference.context(core, pcid, false);
    else this.reference.context(core, -1, type === INVPCID_ALL);
  }

  access(core: number, va: number, kind: 0 | 1): void {
    this.log.push(`core ${core}: ${kind === READ ? "reads" : "writes"} ${va.toString(16)}`);
    if (this.world.units[core]!.translate(va, 0, kind, USER) === DONE) this.reference.close();
    else this.reference.pageFault(core, va);
  }

  /** Everything, as a machine keeps its start state. */
  save(): () => void {
    const { world, reference } = this;
    const maySets = world.maySets!.save();
    const ledger = world.ledger!.save();
    // Tables lie in the first frames; nothing writes to the pages that they map.
    const ram = world.ram.u8.slice(0, 64 * 4096);
    const states = world.states.map((state) => state.slice());
    const cores = reference.save();
    const length = this.log.length;
    return () => {
      world.ram.u8.set(ram);
      world.states.forEach((state, core) => {
        state.set(states[core]!);
      });
      world.ledger!.restore(ledger);
      world.maySets!.restore(maySets);
      reference.restore(cores);
      this.log.length = length;
      this.log.push("restored");
    };
  }

  /** Both say the same. */
  compare(): void {
    const maySets = this.world.maySets!;
    for (const core of [0, 1]) {
      for (const pcid of PCIDS) {
        for (const va of this.addresses) {
          const built = maySets.permits(core, pcid, va, 0).map((each) => {
            const { read, write, execute, user, dirty, key } = each.rights;
            expect(read).toBe(true);
            const rights = (write ? 1 : 0) | (user ? 2 : 0) | (execute ? 0 : 4);
            const page = Math.floor(va / 2 ** each.shift);
            const global = each.tag === -1;
            return {
              pcid: global ? -1 : pcid,
              global,
              shift: each.shift,
              page,
              frame: each.frame,
              rights,
              dirty,
              key,
            };
          });
          const expected = undominated(this.reference.leavesFor(core, pcid, va));
          if (text(undominated(built)) !== text(expected)) {
            expect.fail(
              `core ${core} PCID ${pcid} ${va.toString(16)}\n${this.log.join("\n")}\n` +
                `built\n${text(undominated(built))}\nexpected\n${text(expected)}`,
            );
          }
          const ways = maySets.walkPermits(core, pcid, va, 0);
          const wanted = this.reference
            .tablesFor(core, pcid, va)
            .map(({ level, frame, rights }) => ({ level, frame, rights }));
          if (text(ways) !== text(wanted)) {
            expect.fail(
              `tables, core ${core} PCID ${pcid} ${va.toString(16)}\n${this.log.join("\n")}\n` +
                `built\n${text(ways)}\nexpected\n${text(wanted)}`,
            );
          }
        }
      }
    }
    expect(maySets.violations.map(formatMayViolation)).toEqual([]);
    expect(maySets.lost).toBe(0);
  }
}

/** Without what only differs from another by a clear D: nobody can tell, as a write through it walks again. */
function undominated<T extends { dirty: boolean }>(leaves: readonly T[]): T[] {
  return leaves.filter(
    (leaf) => leaf.dirty || !leaves.some((other) => text([{ ...leaf, dirty: true }]) === text([other])),
  );
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

function randomEvent(twin: Twin, below: (n: number) => number): void {
  const core = below(2);
  const va = twin.addresses[below(twin.addresses.length)]!;
  const choice = below(20);
  if (choice < 9) twin.store(below(twin.slots.length), below(8));
  else if (choice < 11) twin.invlpg(core, va);
  else if (choice < 14) twin.access(core, va, below(2) === 0 ? READ : WRITE);
  else if (choice < 17) twin.load(core, below(2), PCIDS[below(2)]!, below(2) === 0);
  else {
    const types = [INVPCID_ADDRESS, INVPCID_SINGLE_CONTEXT, INVPCID_ALL, INVPCID_ALL_BUT_GLOBAL];
    twin.invpcid(core, types[below(4)]!, PCIDS[below(2)]!, va);
  }
}

test.each([
  ["private pages", { globals: false, selfMap: false }],
  ["global pages among them", { globals: true, selfMap: false }],
  ["a table that refers to itself", { globals: false, selfMap: true }],
])(
  "what may be cached equals the closure of all walks after every event of random histories: %s",
  (_name, options) => {
    for (let seed = 1; seed <= 40; seed++) {
      const twin = new Twin(options);
      const below = generator(seed);
      for (let event = 0; event < 60; event++) {
        randomEvent(twin, below);
        twin.compare();
      }
    }
  },
);

test("going back to a saved state forgets what happened since, and to an older one as well", () => {
  for (let seed = 1; seed <= 12; seed++) {
    const twin = new Twin({ globals: seed % 2 === 0, selfMap: seed % 3 === 0 });
    const below = generator(seed + 1000);
    const restores: (() => void)[] = [];
    for (let round = 0; round < 3; round++) {
      for (let event = 0; event < 25; event++) randomEvent(twin, below);
      twin.compare();
      restores.push(twin.save());
    }
    for (const which of [2, 2, 0, 0, 1, 2]) {
      restores[which]!();
      twin.compare();
      for (let event = 0; event < 20; event++) {
        randomEvent(twin, below);
        twin.compare();
      }
    }
  }
});

/** Events of the exhaustive histories: one page, its table, its neighbour's invalidation, a second tag. */
const EVENTS: readonly ((twin: Twin) => void)[] = [
  (twin) => twin.store(0, 0),
  (twin) => twin.store(0, 1),
  (twin) => twin.store(8, 0),
  (twin) => twin.invlpg(0, ADDRESSES[0]!),
  (twin) => twin.invlpg(0, ADDRESSES[1]!),
  (twin) => twin.load(0, 1, 2, false),
  (twin) => twin.load(0, 0, 1, false),
];

test("the same for every history of four events of a small set", () => {
  const twin = new Twin({ globals: false, selfMap: false });
  twin.store(0, 1);
  let histories = 0;
  const extend = (depth: number): void => {
    if (depth === 0) return;
    const back = twin.save();
    for (const event of EVENTS) {
      event(twin);
      twin.compare();
      histories++;
      extend(depth - 1);
      back();
    }
  };
  extend(4);
  expect(histories).toBe(7 + 7 ** 2 + 7 ** 3 + 7 ** 4);
});

test("the comparison notices one invalidation that one side did not hear of", () => {
  for (const invalidate of [
    (twin: Twin) => twin.reference.invlpg(1, ADDRESSES[0]!),
    (twin: Twin) => twin.world.units[1]!.invlpg(ADDRESSES[0]!, 0),
    (twin: Twin) => twin.reference.context(1, 1, false),
    (twin: Twin) => twin.world.units[1]!.invpcid(INVPCID_ADDRESS, 1, ADDRESSES[0]!, 0),
  ]) {
    const twin = new Twin({ globals: false, selfMap: false });
    twin.store(0, 1);
    twin.store(0, 0);
    twin.compare();
    invalidate(twin);
    expect(() => twin.compare()).toThrow(/built/);
  }
});
