import { describe, expect, it } from "vitest";
import type { Core } from "../../../emu/cores/index.ts";
import {
  type CoreScheduler,
  KERNEL_QUANTUM,
  RandomNumbers,
  RandomScheduler,
  TimedScheduler,
  USER_QUANTUM,
} from "../../../emu/schedulers/index.ts";

/** What a scheduler sees of a core. */
class ScriptedCore {
  readonly id: number;
  clock = 0;
  /** Null: ready at its clock. */
  readyAt: number | null = null;
  waiting = false;
  changed = false;
  limits: readonly [number, number] = [0, 0];

  constructor(id: number, clock: number) {
    this.id = id;
    this.clock = clock;
  }

  readyTime(): number {
    if (this.waiting) return Number.POSITIVE_INFINITY;
    return this.readyAt === null ? this.clock : Math.max(this.clock, this.readyAt);
  }

  wordChanged(): boolean {
    return this.waiting && this.changed;
  }

  endWait(time: number): void {
    this.waiting = false;
    this.clock = Math.max(this.clock, time);
  }

  setLimits(user: number, kernel: number): void {
    this.limits = [user, kernel];
  }
}

function scripted(...clocks: number[]): { cores: ScriptedCore[]; asCores: readonly Core[] } {
  const cores = clocks.map((clock, id) => new ScriptedCore(id, clock));
  return { cores, asCores: cores as unknown as readonly Core[] };
}

describe("timed", () => {
  it("chooses the smallest clock, the lower number first", () => {
    const { asCores } = scripted(500, 300, 300, 900);
    expect(new TimedScheduler(asCores).next()?.id).toBe(1);
  });

  it("lets a core lead the slowest other one by a quantum and no more", () => {
    const { cores, asCores } = scripted(100, 300, 900);
    new TimedScheduler(asCores).next();
    expect(cores[0]!.limits).toEqual([300 + USER_QUANTUM, 300 + KERNEL_QUANTUM]);
  });

  it("moves a halted core's clock to its event", () => {
    const { cores, asCores } = scripted(100, 200);
    cores[0]!.readyAt = 5000;
    cores[1]!.readyAt = 7000;
    expect(new TimedScheduler(asCores).next()?.id).toBe(0);
    expect(cores[0]!.clock).toBe(5000);
  });

  it("keeps a core that others spin on on a short leash", () => {
    const { cores, asCores } = scripted(100, 50);
    cores[1]!.waiting = true;
    expect(new TimedScheduler(asCores).next()?.id).toBe(0);
    expect(cores[0]!.limits).toEqual([100 + USER_QUANTUM, 100 + KERNEL_QUANTUM]);
  });

  it("charges a spinner for the time until its word changed", () => {
    const { cores, asCores } = scripted(100, 50);
    cores[1]!.waiting = true;
    const scheduler = new TimedScheduler(asCores);
    scheduler.next();
    cores[0]!.clock = 180;
    cores[1]!.changed = true;
    scheduler.next();
    expect([cores[1]!.waiting, cores[1]!.clock]).toEqual([false, 180]);
  });

  it("finds nobody when no core will ever run", () => {
    const { cores, asCores } = scripted(0, 0);
    for (const core of cores) core.readyAt = Number.POSITIVE_INFINITY;
    expect(new TimedScheduler(asCores).next()).toBeNull();
  });
});

/** Core numbers of the first choices, each core advancing by its slice. */
function choices(scheduler: CoreScheduler, count: number): number[] {
  return Array.from({ length: count }, () => {
    const core = scheduler.next() as unknown as ScriptedCore;
    core.clock = Math.max(core.clock + 1, core.limits[0]);
    return core.id;
  });
}

describe("random", () => {
  it("makes the same choices for the same seed and others for another", () => {
    const run = (seed: number): number[] =>
      choices(new RandomScheduler(scripted(0, 0, 0, 0).asCores, seed), 200);
    expect(run(7)).toEqual(run(7));
    expect(run(7)).not.toEqual(run(8));
  });

  it("chooses every ready core about equally often", () => {
    const chosen = choices(new RandomScheduler(scripted(0, 0, 0, 0).asCores, 3), 4000);
    for (const id of [0, 1, 2, 3]) {
      const count = chosen.filter((each) => each === id).length;
      expect(count).toBeGreaterThan(800);
      expect(count).toBeLessThan(1200);
    }
  });

  it("leaves a core whose event is far away alone while others can run", () => {
    const { cores, asCores } = scripted(0, 0);
    cores[1]!.readyAt = 1e9;
    expect(new Set(choices(new RandomScheduler(asCores, 1), 50))).toEqual(new Set([0]));
  });

  it("goes on from a saved state with the same choices", () => {
    const { asCores } = scripted(0, 0, 0);
    const scheduler = new RandomScheduler(asCores, 5);
    choices(scheduler, 20);
    const saved = scheduler.save();
    const first = choices(scheduler, 30);
    scheduler.restore(saved);
    expect(choices(scheduler, 30)).toEqual(first);
  });
});

describe("random numbers", () => {
  it("are the same for the same seed, 32 bits wide, and do not soon repeat", () => {
    const numbers = new RandomNumbers(1);
    const again = new RandomNumbers(1);
    const drawn = Array.from({ length: 1000 }, () => numbers.next());
    expect(drawn).toEqual(Array.from({ length: 1000 }, () => again.next()));
    expect(new Set(drawn).size).toBe(1000);
    expect(drawn.every((value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32)).toBe(true);
  });
});
