import { describe, expect, test } from "vitest";
import {
  CR3_HI_NO_FLUSH,
  CR4_PCIDE,
  entryHi,
  entryLo,
  formatMayViolation,
  INVPCID_ADDRESS,
  INVPCID_ALL,
  INVPCID_ALL_BUT_GLOBAL,
  INVPCID_SINGLE_CONTEXT,
  type MayRule,
  type MaySets,
  PTE_A,
  PTE_D,
  PTE_G,
  PTE_HI_XD,
  PTE_P,
  PTE_RW,
  PTE_US,
  physAddr,
  READ,
  USER,
  WRITE,
} from "../../mmu/index.ts";
import { CR0_DEFAULT, EFER_DEFAULT, World } from "./x86-64/world.ts";

const VA = 0x40_0000;
const PAGE = VA / 4096;
const OTHER = 0x60_0000;
const YOUNG = PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D;
const OLD = PTE_P | PTE_RW | PTE_US;

/** Two cores with PCIDs on; both have `first` loaded under PCID 1. Nobody touches anything: all is what could be. */
class Scene {
  readonly world: World;
  readonly first: number;
  readonly second: number;
  readonly frame: number;

  constructor(capacity = 256) {
    this.world = new World({ cores: 2, maySets: { capacity }, ramBytes: 0x40_0000 });
    this.first = this.world.frame();
    this.second = this.world.frame();
    this.frame = this.world.frame();
    this.map(VA, this.frame, YOUNG);
    this.map(OTHER, this.world.frame(), YOUNG);
    this.open(this.second);
    for (const unit of this.world.units)
      unit.setControls(CR0_DEFAULT, this.world.cr4(CR4_PCIDE), EFER_DEFAULT);
    this.load(0, 1, "flush");
    this.load(1, 1, "flush");
  }

  get may(): MaySets {
    return this.world.maySets!;
  }

  load(
    core: number,
    pcid: number,
    flush: "flush" | "keep",
    root = pcid === 1 ? this.first : this.second,
  ): void {
    this.as(core);
    this.world.units[core]!.writeCr3(
      entryLo(root, pcid),
      entryHi(root, flush === "keep" ? CR3_HI_NO_FLUSH : 0),
    );
  }

  /** Maps with every upper entry accessed. */
  map(va: number, frame: number, flags: number, flagsHi = 0, shift = 12): number {
    const pa = this.world.map(va, 0, frame, flags, flagsHi, shift, this.first);
    for (let level = 4; level > (shift - 3) / 9; level--) {
      const above = this.world.slot(va, 0, level, this.first);
      this.world.ram.write32(above, this.world.ram.read32(above) | PTE_A);
    }
    return pa;
  }

  open(root: number): void {
    const pa = this.world.map(VA, 0, this.world.frame(), YOUNG, 0, 12, root);
    expect(pa).toBeGreaterThan(0);
  }

  clear(level = 1, va = VA): void {
    this.world.ram.write64(this.world.slot(va, 0, level, this.first), 0, 0);
  }

  table(level = 1, va = VA): number {
    return Math.floor(this.world.slot(va, 0, level, this.first) / 4096);
  }

  invlpg(core: number, va = VA): void {
    this.as(core);
    this.world.units[core]!.invlpg(va, 0);
  }

  as(core: number): void {
    this.world.context.core = core;
    this.world.context.timeCycles += 10;
  }

  free(frame = this.frame): void {
    this.as(0);
    this.world.ledger!.frameFreed(frame);
  }

  freeTable(frame: number): void {
    this.as(0);
    this.world.ledger!.tableFreed(frame);
  }

  /** "rule of holder", in order. */
  rules(): string[] {
    return this.may.violations.map(({ rule, holder }) => `${rule} ${holder}`);
  }

  frames(core: number, pcid = 1, va = VA): number[] {
    return this.may.permits(core, pcid, va, 0).map((each) => each.frame);
  }
}

test("a frame freed while a TLB could hold it is reported, though none does", () => {
  const scene = new Scene();
  scene.as(0);
  scene.clear();
  scene.invlpg(0);
  scene.free();
  expect(scene.rules()).toEqual(["frame-reachable 1"]);
  expect(scene.world.ledger!.total).toBe(0);
  const [violation] = scene.may.violations;
  expect(violation).toMatchObject({ invariant: "I3", frame: scene.frame, tag: 1 });
  expect(violation!.earlier).toMatchObject({ kind: "store", core: 0, address: "0000000000400000" });
  expect(violation!.later).toMatchObject({ kind: "free-frame", core: 0, pc: "0000000000001000" });
  expect(violation!.later.sequence).toBeGreaterThan(violation!.earlier.sequence);
  const text = formatMayViolation(violation!);
  expect(text).toContain("I3 frame-reachable");
  expect(text).toContain("core 1 under tag 1 may still hold frame");
  expect(text.split("\n")).toHaveLength(3);
});

test("a frame that is freed while an entry in memory maps it is reported for every core", () => {
  const scene = new Scene();
  scene.free();
  expect(scene.rules().sort()).toEqual(["frame-reachable 0", "frame-reachable 1"]);
});

test("an entry whose A flag was never set was never cached", () => {
  const scene = new Scene();
  const frame = scene.world.frame();
  scene.map(VA + 0x1000, frame, OLD);
  scene.clear(1, VA + 0x1000);
  scene.free(frame);
  expect(scene.rules()).toEqual([]);
});

test("a walk that sets A makes the entry one that every core may cache", () => {
  const scene = new Scene();
  const frame = scene.world.frame();
  scene.map(VA + 0x1000, frame, OLD);
  expect(scene.frames(1, 1, VA + 0x1000)).toEqual([]);
  scene.world.units[0]!.translate(VA + 0x1000, 0, READ, USER);
  expect(scene.frames(1, 1, VA + 0x1000)).toEqual([frame]);
});

/** Steps of a shootdown of one page, in order; each left out in turn is a mutant. */
const SHOOTDOWN: { name: string; step: (scene: Scene) => void; found: string[] }[] = [
  { name: "clear the entry", step: (s) => s.clear(), found: ["frame-reachable 0", "frame-reachable 1"] },
  { name: "invalidate on core 0", step: (s) => s.invlpg(0), found: ["frame-reachable 0"] },
  { name: "invalidate on core 1", step: (s) => s.invlpg(1), found: ["frame-reachable 1"] },
];

test("a complete shootdown is silent", () => {
  const scene = new Scene();
  for (const { step } of SHOOTDOWN) step(scene);
  scene.free();
  expect(scene.rules()).toEqual([]);
  expect(scene.frames(0)).toEqual([]);
});

test.each(SHOOTDOWN)("a shootdown without the step `$name` is reported", ({ name, found }) => {
  const scene = new Scene();
  for (const each of SHOOTDOWN) if (each.name !== name) each.step(scene);
  scene.free();
  expect(scene.rules().sort()).toEqual(found);
});

test("an invalidation before the store helps nothing", () => {
  const scene = new Scene();
  scene.invlpg(0);
  scene.invlpg(1);
  scene.clear();
  scene.free();
  expect(scene.rules().sort()).toEqual(["frame-reachable 0", "frame-reachable 1"]);
});

describe("which invalidations cover a stale leaf of PCID 1 on a core that has it loaded", () => {
  const invpcid =
    (type: number, pcid: number, va = VA) =>
    (scene: Scene): void => {
      scene.world.units[1]!.invpcid(type, pcid, va, 0);
    };
  const cases: [string, (scene: Scene) => void, "gone" | "kept"][] = [
    ["nothing", () => {}, "kept"],
    ["INVLPG of the page", (s) => s.invlpg(1), "gone"],
    ["INVLPG of another page", (s) => s.invlpg(1, OTHER), "kept"],
    ["INVPCID 0 of the page and PCID", invpcid(INVPCID_ADDRESS, 1), "gone"],
    ["INVPCID 0 of another PCID", invpcid(INVPCID_ADDRESS, 2), "kept"],
    ["INVPCID 0 of another page", invpcid(INVPCID_ADDRESS, 1, OTHER), "kept"],
    ["INVPCID 1 of the PCID", invpcid(INVPCID_SINGLE_CONTEXT, 1), "gone"],
    ["INVPCID 1 of another PCID", invpcid(INVPCID_SINGLE_CONTEXT, 2), "kept"],
    ["INVPCID 2", invpcid(INVPCID_ALL, 0), "gone"],
    ["INVPCID 3", invpcid(INVPCID_ALL_BUT_GLOBAL, 0), "gone"],
    ["MOV to CR3", (s) => s.load(1, 1, "flush"), "gone"],
    ["MOV to CR3 without flush", (s) => s.load(1, 1, "keep"), "kept"],
    [
      "MOV to CR3 of another PCID and back without flush",
      (s) => {
        s.load(1, 2, "flush");
        s.load(1, 1, "keep");
      },
      "kept",
    ],
    [
      "a change of CR4.PGE",
      (s) => {
        const unit = s.world.units[1]!;
        unit.setControls(CR0_DEFAULT, s.world.cr4(CR4_PCIDE) ^ 0x80, EFER_DEFAULT);
      },
      "gone",
    ],
    [
      "a page fault at the address",
      (s) => {
        s.world.units[1]!.translate(VA, 0, WRITE, USER);
      },
      "gone",
    ],
  ];
  test.each(cases)("%s", (_name, invalidate, result) => {
    const scene = new Scene();
    scene.clear();
    invalidate(scene);
    expect(scene.frames(1)).toEqual(result === "gone" ? [] : [scene.frame]);
    expect(scene.may.total).toBe(0);
  });
});

describe("a stale global leaf", () => {
  const global = (): Scene => {
    const scene = new Scene();
    scene.map(VA, scene.frame, YOUNG | PTE_G);
    for (const core of [0, 1]) scene.load(core, 1, "flush");
    scene.invlpg(0);
    scene.invlpg(1);
    return scene;
  };
  const cases: [string, (scene: Scene) => void, "gone" | "kept"][] = [
    ["outlives a MOV to CR3", (s) => s.load(1, 1, "flush"), "kept"],
    ["is found under another PCID", (s) => s.load(1, 2, "flush"), "kept"],
    ["outlives INVPCID 0", (s) => s.world.units[1]!.invpcid(INVPCID_ADDRESS, 1, VA, 0), "kept"],
    ["outlives INVPCID 3", (s) => s.world.units[1]!.invpcid(INVPCID_ALL_BUT_GLOBAL, 0, 0, 0), "kept"],
    ["goes with INVPCID 2", (s) => s.world.units[1]!.invpcid(INVPCID_ALL, 0, 0, 0), "gone"],
    [
      "goes with INVLPG under another PCID",
      (s) => {
        s.load(1, 2, "flush");
        s.invlpg(1);
      },
      "gone",
    ],
  ];
  test.each(cases)("%s", (_name, then, result) => {
    const scene = global();
    scene.clear();
    then(scene);
    expect(scene.frames(1, 2)).toEqual(result === "gone" ? [] : [scene.frame]);
    scene.free();
    expect(scene.rules()).toContain("frame-reachable 0");
    expect(scene.rules().includes("frame-reachable 1")).toBe(result === "kept");
  });
});

describe("table pages", () => {
  test("a table freed while a walk cache could lead to it is reported, on a lazy core too", () => {
    const scene = new Scene();
    const table = scene.table();
    scene.clear();
    for (const core of [0, 1]) scene.invlpg(core);
    scene.world.ledger!.enterLazy(1);
    scene.clear(2);
    scene.invlpg(0);
    scene.freeTable(table);
    expect(scene.rules()).toEqual(["table-reachable 1"]);
    expect(scene.may.violations[0]).toMatchObject({ invariant: "I2", frame: table });
  });

  test("INVLPG of any address drops every walk-cache entry, INVPCID 0 those of its address alone", () => {
    for (const [covered, address] of [
      ["INVLPG", OTHER],
      ["INVPCID 0", VA + 0x5000],
    ] as const) {
      const scene = new Scene();
      const table = scene.table();
      scene.clear(2);
      for (const core of [0, 1]) {
        if (covered === "INVLPG") scene.invlpg(core, address);
        else scene.world.units[core]!.invpcid(INVPCID_ADDRESS, 1, address, 0);
      }
      scene.freeTable(table);
      expect(scene.rules(), covered).toEqual([]);
    }
    const scene = new Scene();
    const table = scene.table();
    scene.clear(2);
    scene.world.units[0]!.invpcid(INVPCID_ADDRESS, 1, OTHER, 0);
    scene.freeTable(table);
    expect(scene.rules().sort()).toEqual(["table-reachable 0", "table-reachable 1"]);
  });

  test("a cached upper entry outlives its clear and leads walks into the table as it is then", () => {
    const scene = new Scene();
    const slot = scene.world.slot(VA, 0, 1, scene.first);
    const next = scene.world.frame();
    scene.clear(2);
    scene.world.write(slot, next, YOUNG);
    expect(scene.frames(1).sort()).toEqual([scene.frame, next].sort());
    scene.invlpg(1, OTHER);
    const later = scene.world.frame();
    scene.world.write(slot, later, YOUNG);
    // The way is gone; what was filled before it went may still be there.
    expect(scene.frames(1).sort()).toEqual([scene.frame, next].sort());
  });

  test("a page-table page freed as a loaded root is reported", () => {
    const scene = new Scene();
    scene.load(1, 2, "flush");
    scene.freeTable(scene.second);
    expect(scene.rules()).toEqual(["root-reachable 1"]);
  });

  test("a table that was freed after every core's invalidation may become anything", () => {
    const scene = new Scene();
    const table = scene.table();
    scene.clear();
    scene.clear(2);
    for (const core of [0, 1]) scene.invlpg(core);
    scene.freeTable(table);
    scene.world.ledger!.frameAllocated(table);
    scene.world.ram.fill(physAddr(table * 4096), 4096, 0xff);
    scene.world.ram.fill(physAddr(table * 4096), 4096, 0);
    expect(scene.frames(0)).toEqual([]);
    expect(scene.rules()).toEqual([]);
  });

  test("a fill and a copy over a linked table are stores to each of its entries", () => {
    for (const how of ["fill", "copy"] as const) {
      const scene = new Scene();
      const table = scene.table();
      const { ram } = scene.world;
      if (how === "fill") ram.fill(physAddr(table * 4096), 4096, 0);
      else ram.copy(physAddr(table * 4096), physAddr(scene.world.frame() * 4096), 4096);
      expect(scene.frames(1), how).toEqual([scene.frame]);
      scene.invlpg(1);
      expect(scene.frames(1), how).toEqual([]);
    }
  });
});

test("a large page and the table that replaces it may both be cached until the flush", () => {
  const scene = new Scene();
  const va = 0x80_0000;
  scene.map(va, 512, YOUNG, 0, 21);
  expect(scene.frames(1, 1, va + 0x3000)).toEqual([512]);
  const table = scene.world.frame();
  scene.world.ram.write64(table * 4096 + 24, entryLo(99, YOUNG), 0);
  scene.world.write(scene.world.slot(va, 0, 2, scene.first), table, YOUNG);
  expect(scene.frames(1, 1, va + 0x3000).sort()).toEqual([512, 99].sort());
  scene.free(515);
  expect(scene.rules().sort()).toEqual(["frame-reachable 0", "frame-reachable 1"]);
  scene.invlpg(1, va + 0x7000);
  expect(scene.frames(1, 1, va + 0x3000)).toEqual([99]);
});

describe("rights", () => {
  const bits = [0, 1, 2, 3, 4, 5, 6, 7];
  test("the rights of a stale translation are those of all entries that led to it, old or new", () => {
    for (const upper of bits) {
      for (const next of bits) {
        for (const leaf of bits) {
          const scene = new Scene();
          const flags = (rights: number): [number, number] => [
            PTE_P | PTE_A | ((rights & 1) * PTE_RW) | ((rights >> 1) & 1 ? PTE_US : 0),
            rights & 4 ? PTE_HI_XD : 0,
          ];
          const table = scene.table();
          const pde = scene.world.slot(VA, 0, 2, scene.first);
          const pte = scene.world.slot(VA, 0, 1, scene.first);
          scene.world.write(pde, table, ...flags(upper));
          scene.world.write(pte, scene.frame, ...flags(leaf));
          for (const core of [0, 1]) scene.load(core, 1, "flush");
          scene.world.write(pde, table, ...flags(next));
          const expected = [upper, next].map((above) => (above & leaf & 3) | ((above | leaf) & 4));
          const found = scene.may.permits(1, 1, VA, 0).map(({ rights: { write, user, execute } }) => {
            return (write ? 1 : 0) | (user ? 2 : 0) | (execute ? 0 : 4);
          });
          expect(found.sort()).toEqual([...new Set(expected)].sort());
        }
      }
    }
  });
});

describe("lazy cores and tags that are not loaded", () => {
  test("a leaf on a lazy core is condemned, and reported when the core leaves lazy mode without a flush", () => {
    for (const flush of ["none", "flush"] as const) {
      const scene = new Scene();
      scene.world.ledger!.enterLazy(1);
      scene.clear();
      scene.invlpg(0);
      scene.free();
      expect(scene.rules()).toEqual([]);
      if (flush === "flush") scene.load(1, 1, "flush");
      scene.world.ledger!.leaveLazy(1);
      expect(scene.rules()).toEqual(flush === "flush" ? [] : ["condemned-not-lazy 1"]);
    }
  });

  test("a leaf under a tag that is not loaded is condemned, and reported when the tag is loaded without a flush", () => {
    for (const flush of ["keep", "flush"] as const) {
      const scene = new Scene();
      scene.load(1, 2, "flush");
      scene.clear();
      scene.invlpg(0);
      scene.free();
      expect(scene.rules()).toEqual([]);
      scene.load(1, 1, flush);
      expect(scene.rules()).toEqual(flush === "flush" ? [] : ["condemned-loaded 1"]);
      if (flush === "keep") expect(scene.may.violations[0]!.earlier.kind).toBe("free-frame");
    }
  });

  test("nothing is derived under a tag while it is not loaded", () => {
    const scene = new Scene();
    scene.load(1, 2, "flush");
    const next = scene.world.frame();
    scene.map(VA, next, YOUNG);
    expect(scene.frames(1)).toEqual([scene.frame]);
    scene.clear();
    scene.invlpg(0);
    scene.free(next);
    scene.load(1, 1, "keep");
    expect(scene.rules()).toEqual([]);
    expect(scene.frames(1)).toEqual([scene.frame]);
  });

  test("a table freed under a tag that is not loaded is reported when the tag is loaded without a flush", () => {
    const scene = new Scene();
    const table = scene.table();
    scene.load(1, 2, "flush");
    scene.clear();
    scene.clear(2);
    scene.invlpg(0);
    scene.freeTable(table);
    expect(scene.rules()).toEqual([]);
    scene.load(1, 1, "keep");
    expect(scene.rules()).toEqual(["condemned-loaded 1"]);
    expect(scene.may.violations[0]!.invariant).toBe("I2");
  });

  test("two roots under one PCID without a flush mix", () => {
    const scene = new Scene();
    scene.load(1, 1, "keep", scene.second);
    expect(scene.frames(1)).toContain(scene.frame);
    scene.clear();
    scene.invlpg(0);
    scene.free();
    expect(scene.rules()).toEqual(["frame-reachable 1"]);
  });
});

describe("the return of a call", () => {
  const protect = (scene: Scene): void => {
    scene.map(VA, scene.frame, YOUNG & ~PTE_RW);
    scene.invlpg(0);
  };
  const returns = (scene: Scene): void => {
    scene.as(0);
    scene.may.callReturned({
      root: scene.first,
      start: PAGE,
      end: PAGE + 1,
      kind: "call-return",
      staleBefore: () => scene.may.sequence,
      allows: ({ rights }) => !rights.write,
      text: "mprotect returns",
    });
  };

  test("a right that a core may still use is reported with the store and the return", () => {
    const scene = new Scene();
    protect(scene);
    returns(scene);
    expect(scene.rules()).toEqual(["stale-after-return 1"]);
    const [violation] = scene.may.violations;
    expect(violation).toMatchObject({
      invariant: "I4",
      earlier: { kind: "store" },
      later: { kind: "call-return" },
    });
  });

  test("after every core's invalidation it is silent, and so is a right that the call leaves", () => {
    const scene = new Scene();
    protect(scene);
    scene.invlpg(1);
    returns(scene);
    scene.map(VA, scene.frame, YOUNG);
    returns(scene);
    expect(scene.rules()).toEqual([]);
    expect(scene.may.stale(scene.first, PAGE, PAGE + 1)).not.toEqual([]);
  });

  test("on a lazy core it is reported when the core leaves lazy mode without a flush", () => {
    const scene = new Scene();
    scene.world.ledger!.enterLazy(1);
    protect(scene);
    returns(scene);
    expect(scene.rules()).toEqual([]);
    scene.world.ledger!.leaveLazy(1);
    expect(scene.rules()).toEqual(["condemned-not-lazy 1"]);
    expect(scene.may.violations[0]!.invariant).toBe("I4");
  });

  test("what became stale after the call's last store is another call's", () => {
    const scene = new Scene();
    const before = scene.may.sequence;
    protect(scene);
    scene.may.callReturned({
      root: scene.first,
      start: PAGE,
      end: PAGE + 1,
      kind: "call-return",
      staleBefore: () => before,
      allows: () => false,
      text: "munmap returns",
    });
    expect(scene.rules()).toEqual([]);
  });

  test("pages outside the range are not judged, and leaves behind a stale upper entry are", () => {
    const scene = new Scene();
    scene.clear(2);
    scene.invlpg(0);
    const judge = (start: number): void =>
      scene.may.callReturned({
        root: scene.first,
        start,
        end: start + 1,
        kind: "call-return",
        staleBefore: () => scene.may.sequence,
        allows: () => false,
        text: "munmap returns",
      });
    judge(PAGE + 1);
    expect(scene.rules()).toEqual([]);
    judge(PAGE);
    expect(scene.rules()).toEqual(["stale-after-return 1"]);
  });
});

test("a use that no history permits is reported as a defect of the emulator", () => {
  const scene = new Scene();
  scene.world.units[0]!.translate(VA, 0, WRITE, USER);
  expect(scene.may.total).toBe(0);
  scene.may.used(0, 1, VA, 0, 3, scene.frame + 1);
  scene.may.used(0, 1, VA, 0, 7, scene.frame);
  scene.may.walkUsed(0, 1, VA, 0, 2, 3, scene.frame);
  expect(scene.may.violations.map(({ rule }) => rule)).toEqual([
    "outside-may",
    "outside-may",
    "outside-may",
  ] satisfies MayRule[]);
});

test("records past the bound are counted as lost, and hide but never invent", () => {
  const scene = new Scene(2);
  for (let i = 0; i < 4; i++) {
    const va = VA + 0x1000 * i;
    const frame = scene.world.frame();
    scene.map(va, frame, YOUNG);
    scene.clear(1, va);
  }
  // Five values of an entry, two cores, two places.
  expect(scene.may.lost).toBe(5 * 2 - 2);
  for (const core of [0, 1]) scene.load(core, 1, "flush");
  scene.clear();
  expect(scene.rules()).toEqual([]);
});

test("who may hold an address space's translations, and how", () => {
  const scene = new Scene();
  scene.world.ledger!.enterLazy(0);
  scene.load(1, 2, "flush");
  expect(scene.may.holdersOf(scene.first)).toEqual([
    { core: 0, tag: 1, use: "lazy" },
    { core: 1, tag: 1, use: "frozen" },
  ]);
});
