/**
 * TLBI … IS between real cores, without a kernel: Arm ARM DDI 0487 D8 "TLB maintenance instructions", B2.3 "DSB". One core
 * (the remover) takes a page away, the other one (the reader) uses it.
 */
import { describe, expect, it } from "vitest";
import type { Core } from "../../../emu/cores/index.ts";
import {
  AGENTS_PER_CORE,
  type Agent,
  type Choices,
  type Decisions,
  ExploringScheduler,
  Pct,
  RandomWalk,
  Replay,
  ROLE_BROADCAST,
  type Strategy,
} from "../../../emu/schedulers/index.ts";
import { StartState } from "../../../emu/start-state.ts";
import type { Aarch64Core } from "../../../emu/traps/aarch64/index.ts";
import { AARCH64_DEFAULT_PROFILE } from "../../../emu/traps/aarch64/index.ts";
import {
  a64,
  EL1H,
  KERNEL_CODE,
  KERNEL_DATA,
  KERNEL_PAGE,
  PSTATE_I,
  pc,
  Rig,
  setX,
  TABLE_3,
  x,
} from "../traps/aarch64/rig.ts";

const REMOVER_CODE = KERNEL_CODE;
const READER_CODE = KERNEL_CODE + 0x400;
/** Where the reader ends after a fault. */
const FAULTED = KERNEL_CODE + 0x800;
const PAGE = 0x10_2000;
const SLOT = TABLE_3 + (PAGE >> 12) * 8;
const FLAG = KERNEL_DATA;
const LATENCY = AARCH64_DEFAULT_PROFILE.broadcastLatencyCycles;

const REMOVE = ["str xzr, [x1]", "dsb ishst", "tlbi vaae1is, x2", "dsb ish", "str x3, [x4]", "b ."];
const READ = ["ldr x5, [x1]", "ldr x6, [x4]", "ldr x0, [x1]", "b ."];

interface World {
  readonly rig: Rig;
  readonly remover: Aarch64Core;
  readonly reader: Aarch64Core;
}

function worldOf(options: {
  scheduler?: "timed" | "random" | ((cores: readonly Core[]) => ExploringScheduler);
  remove?: readonly string[];
  read?: readonly string[];
  address?: number;
}): World {
  const rig = new Rig({
    cpus: 2,
    scheduler: options.scheduler ?? "timed",
    handler: (core) => {
      core.writeElr(FAULTED, 0);
      return "return";
    },
  });
  const [remover, reader] = rig.cores as [Aarch64Core, Aarch64Core];
  rig.put(FAULTED, a64("b ."));
  rig.start(remover, EL1H, a64(...(options.remove ?? REMOVE)), REMOVER_CODE);
  rig.start(reader, EL1H, a64(...(options.read ?? READ)), READER_CODE);
  rig.write64(PAGE, 1n);
  setX(remover, 1, SLOT);
  setX(remover, 2, PAGE >> 12);
  setX(remover, 3, 1);
  setX(remover, 4, FLAG);
  setX(reader, 1, options.address ?? PAGE);
  setX(reader, 4, FLAG);
  return { rig, remover, reader };
}

describe("in timed runs", () => {
  /** The reader loads without end, and counts. */
  const LOAD = ["ldr x0, [x1]", "add x7, x7, #1", "b .-8"];

  /** The reader is far on its way when the remover begins. */
  const START = 5000;

  function timed(read: readonly string[], scheduler: "timed" | "random" = "timed"): World {
    // A loop of 1,700 cycles: the remover leads when it sends.
    const remove = ["nop", "nop", "subs x3, x3, #1", "b.ne .-12", ...REMOVE];
    const world = worldOf({ read, scheduler, remove });
    world.remover.clock = START;
    setX(world.remover, 3, 425);
    world.rig.write64(FLAG, 1n);
    return world;
  }

  it("the reader goes on with its translation until its clock passes the arrival, and the barrier takes the way back", () => {
    const { rig, remover, reader } = timed(LOAD);
    const { broadcasts } = remover;
    let sentAt = 0;
    let arrivedAt = 0;
    const send = broadcasts.send.bind(broadcasts);
    broadcasts.send = (code, lo, hi) => {
      sentAt = remover.clock;
      send(code, lo, hi);
    };
    const apply = reader.applyBroadcast.bind(reader);
    reader.applyBroadcast = (code, lo, hi) => {
      arrivedAt = reader.clock;
      apply(code, lo, hi);
    };
    rig.run(20_000);
    expect(sentAt).toBeGreaterThan(START);
    // A loop of three instructions, in which the slice ends.
    expect(arrivedAt).toBeGreaterThanOrEqual(sentAt + LATENCY);
    expect(arrivedAt).toBeLessThan(sentAt + LATENCY + 4);
    expect(broadcasts.completionTime).toBe(sentAt + 2 * LATENCY);
    expect(rig.entries.map(({ core, far }) => [core, far])).toEqual([[1, BigInt(PAGE)]]);
    // Three cycles a round; a walk or two before.
    expect(Number(x(reader, 7)) * 3).toBeGreaterThan(arrivedAt - 500);
    expect(rig.read64(FLAG)).toBe(0n);
  });

  it("a halted core holds nobody up, and has dropped the entry when it goes on", () => {
    const { rig, remover, reader } = timed(["ldr x5, [x1]", "wfi", "ldr x0, [x1]", "b ."]);
    reader.writeSpsr(EL1H | PSTATE_I);
    reader.returnFromTrap();
    rig.run(3000);
    expect([reader.phase, rig.read64(FLAG), remover.broadcasts.outstanding]).toEqual(["halted", 0n, 0]);
    expect(rig.entries).toEqual([]);
    reader.interrupts.writeRedistributor(0x1_0100, 1);
    reader.interrupts.write("ICC_IGRPEN1_EL1", 1, 0);
    reader.interrupts.writeRedistributor(0x1_0200, 1);
    rig.machine.stopReason = null;
    rig.run(rig.machine.retired + 400);
    expect(rig.entries.map(({ core, far }) => [core, far])).toEqual([[1, BigInt(PAGE)]]);
  });

  it("a core that was not started holds nobody up", () => {
    const rig = new Rig({ cpus: 2 });
    const core = rig.core;
    rig.start(core, EL1H, a64("tlbi vaae1is, x2", "dsb ish", "b ."));
    rig.run(50);
    expect([pc(core), core.broadcasts.outstanding]).toEqual([BigInt(KERNEL_CODE + 8), 0]);
  });

  it("two cores that broadcast to each other without end both go on", () => {
    const code = ["tlbi vaae1is, x2", "dsb ish", "subs x3, x3, #1", "b.ne .-12", "str x0, [x1]", "b ."];
    const { rig, remover, reader } = worldOf({ remove: code, read: code });
    for (const core of [remover, reader]) {
      setX(core, 3, 500);
      setX(core, 1, FLAG + core.id * 8);
      setX(core, 0, 7);
    }
    rig.run(20_000);
    expect([rig.read64(FLAG), rig.read64(FLAG + 8)]).toEqual([7n, 7n]);
  });

  it.each(["timed", "random"] as const)(
    "a saved machine goes on the same in the middle of it (%s)",
    (scheduler) => {
      const { rig, remover } = timed(LOAD, scheduler);
      while (!remover.waiting && rig.machine.stopReason === null) {
        const { slices } = rig.machine;
        rig.machine.advance(rig.machine.retired + 1);
        rig.machine.stopReason = null;
        if (slices > 1000) throw new Error("the remover never waits");
      }
      const saved = rig.machine.save();
      const play = (): unknown => {
        rig.run(rig.machine.retired + 20_000);
        return [rig.machine.stateHash(), rig.machine.events.hash, rig.read64(FLAG)];
      };
      const first = play();
      rig.machine.restore(saved);
      expect(remover.waiting).toBe(true);
      expect(play()).toEqual(first);
      expect((first as unknown[])[2]).toBe(0n);
    },
  );
});

interface Explored {
  /** What the reader got: its first load, the flag, its second load or "fault". */
  readonly outcome: string;
  readonly decisions: Decisions;
  readonly hash: string;
}

type Change = Parameters<typeof worldOf>[0];

/** A world, and its state before the first instruction. */
class Exploration {
  readonly #world: World;
  readonly #start: StartState;
  #scheduler!: ExploringScheduler;

  constructor(change: Change = {}, tweak: (world: World) => void = () => {}) {
    this.#world = worldOf({
      ...change,
      scheduler: (cores) => {
        this.#scheduler = new ExploringScheduler(cores, {
          isParked: (core) => core.state[0] === ended(core as Aarch64Core, change),
          stops: () => false,
          isFinished: () => true,
          maxEvents: 2000,
          maxFairEvents: 2000,
          maxTimers: 0,
        });
        return this.#scheduler;
      },
    });
    tweak(this.#world);
    this.#start = new StartState(this.#world.rig.machine);
  }

  run(strategy: Strategy): Explored {
    const { rig, reader } = this.#world;
    this.#start.restore();
    rig.entries.length = 0;
    this.#scheduler.begin(strategy);
    rig.run(rig.machine.retired + 10_000);
    this.#scheduler.finish();
    const second = rig.entries.length > 0 ? "fault" : x(reader, 0);
    return {
      outcome: `${x(reader, 5)} ${x(reader, 6)} ${second}`,
      decisions: this.#scheduler.recorded,
      hash: rig.machine.events.hash,
    };
  }
}

/** The last instruction of a program, a branch to itself, or the one after a fault. */
function ended(core: Aarch64Core, { remove = REMOVE, read = READ }: Change): number {
  if (core.state[0] === FAULTED) return FAULTED;
  return core.id === 0 ? REMOVER_CODE + (remove.length - 1) * 4 : READER_CODE + (read.length - 1) * 4;
}

function outcomes(runs: number, change?: Change, tweak?: (world: World) => void): Set<string> {
  const exploration = new Exploration(change, tweak);
  const found = new Set<string>();
  for (let seed = 1; seed <= runs; seed++) {
    const strategy =
      seed % 2 === 0 ? new RandomWalk(seed) : new Pct({ seed, depth: 3, steps: 40, cores: 10 });
    found.add(exploration.run(strategy).outcome);
  }
  return found;
}

describe("in exploring runs", () => {
  it("the reader may use its translation until the barrier is complete, and never after", () => {
    const found = outcomes(400);
    // First load, flag, second load. The flag is set after the barrier.
    expect([...found].sort()).toEqual(["0 0 fault", "1 0 1", "1 0 fault", "1 1 fault"]);
  });

  it("without the barrier it may use it after", () => {
    const remove = REMOVE.filter((line) => line !== "dsb ish");
    expect(outcomes(400, { remove })).toContain("1 1 1");
  });

  it("after an invalidation of the own core alone it may use it for ever", () => {
    const remove = REMOVE.map((line) => (line === "tlbi vaae1is, x2" ? "tlbi vaae1, x2" : line));
    expect(outcomes(400, { remove })).toContain("1 1 1");
  });

  it("a waiting core is no agent, and the effect is an event of the other one's", () => {
    const seen: string[] = [];
    const strategy: Strategy = {
      name: "remover first",
      choose: ({ agents, count }: Choices): Agent => {
        const list = [...agents.slice(0, count)];
        const agent = list[0]!;
        seen.push(list.join());
        return agent;
      },
      fails: () => false,
    };
    new Exploration().run(strategy);
    const READER = AGENTS_PER_CORE;
    // The remover's agents come first; once it waits, only the reader's are left.
    const at = seen.findIndex((list) => list === `${READER},${READER + ROLE_BROADCAST}`);
    expect(at).toBeGreaterThan(0);
    expect(seen.slice(0, at).every((list) => list.startsWith("0,") || list.startsWith("1,"))).toBe(true);
  });

  it("a replay of what was decided does the same", () => {
    const exploration = new Exploration();
    for (let seed = 1; seed <= 50; seed++) {
      const first = exploration.run(new RandomWalk(seed));
      expect(exploration.run(new Replay(first.decisions))).toEqual(first);
    }
  });

  /** The reader's second load crosses into the following page, whose walk can be suspended. */
  const CROSSING = {
    address: PAGE + 0xffc,
    // Once the barrier is complete the frame is somebody else's, who writes to it by another address.
    remove: [...REMOVE.slice(0, 4), "str x3, [x4]", "b ."],
    read: ["ldr x0, [x1]", "b ."],
  } as const;
  const ALIAS = 0x12_0000;

  function crossing({ rig, remover }: World): void {
    rig.write64(PAGE + 0xff8, 0x1111_1111_0000_0000n);
    rig.map(ALIAS, KERNEL_PAGE, PAGE);
    setX(remover, 4, ALIAS + 0xff8);
    setX(remover, 3, 0x2222_2222_0000_0000n);
  }

  it("a barrier waits for an access that was begun with the dropped translation", () => {
    const found = outcomes(400, CROSSING, crossing);
    expect(found).toContain(`0 0 ${0x1111_1111}`);
    expect(found).toContain("0 0 fault");
    expect(found).not.toContain(`0 0 ${0x2222_2222}`);
  });

  it("if it did not, the access would see what the frame's next owner writes", () => {
    const found = outcomes(400, CROSSING, (world) => {
      crossing(world);
      Object.defineProperty(world.reader, "isInsideAccess", { value: false });
    });
    expect(found).toContain(`0 0 ${0x2222_2222}`);
  });
});
