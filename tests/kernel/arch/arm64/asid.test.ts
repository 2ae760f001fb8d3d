import { describe, expect, test } from "vitest";
import {
  Asids,
  type AsidsClass,
  activeAsids,
  asidGeneration,
  mmContextId,
  reservedAsids,
} from "../../../../kernel/arch/arm64/asid.ts";
import type { Context, Work } from "../../../../kernel/context.ts";
import type { KPtr } from "../../../../kernel/struct.ts";
import { FakeCores } from "./support/fake-cores.ts";

const COUNT = 8;

/** The rules of the allocator in the plainest words: what a switch gives, if nothing comes in between. */
class Reference {
  generation = 1;
  next = 1;
  readonly taken = new Set<number>();
  readonly ids = new Map<KPtr, { generation: number; asid: number }>();
  readonly active: ({ generation: number; asid: number } | null)[];
  readonly reserved: ({ generation: number; asid: number } | null)[];
  readonly owesFlush: boolean[];

  constructor(cores: number) {
    this.active = Array.from({ length: cores }, () => null);
    this.reserved = Array.from({ length: cores }, () => null);
    this.owesFlush = Array.from({ length: cores }, () => false);
  }

  /** @returns the ASID, and whether the core flushed */
  switchTo(core: number, mm: KPtr): { asid: number; flushed: boolean } {
    const id = this.ids.get(mm);
    const current = id !== undefined && id.generation === this.generation;
    if (current && this.active[core] !== null) {
      this.active[core] = id;
      return { asid: id.asid, flushed: false };
    }
    const fresh = current ? id : this.#fresh(id);
    this.ids.set(mm, fresh);
    const flushed = this.owesFlush[core]!;
    this.owesFlush[core] = false;
    this.active[core] = fresh;
    return { asid: fresh.asid, flushed };
  }

  #fresh(id: { generation: number; asid: number } | undefined): { generation: number; asid: number } {
    if (id !== undefined) {
      const renewed = { generation: this.generation, asid: id.asid };
      const holders = this.reserved.flatMap((held, core) =>
        held !== null && held.generation === id.generation && held.asid === id.asid ? [core] : [],
      );
      for (const core of holders) this.reserved[core] = renewed;
      if (holders.length > 0) return renewed;
      if (!this.taken.has(id.asid)) {
        this.taken.add(id.asid);
        return renewed;
      }
    }
    let asid = this.#free(this.next);
    if (asid === COUNT) {
      this.generation++;
      this.taken.clear();
      this.active.forEach((active, core) => {
        const kept = active ?? this.reserved[core]!;
        this.active[core] = null;
        this.reserved[core] = kept;
        this.taken.add(kept?.asid ?? 0);
        this.owesFlush[core] = true;
      });
      asid = this.#free(1);
    }
    this.taken.add(asid);
    this.next = asid;
    return { generation: this.generation, asid };
  }

  #free(from: number): number {
    let asid = from;
    while (asid < COUNT && this.taken.has(asid)) asid++;
    return asid;
  }
}

/** A core's TLB as far as tags matter: under which ASID it has entries of which address space. */
class Tags {
  readonly #owner: Map<number, KPtr>[];
  readonly violations: string[] = [];

  constructor(cores: number) {
    this.#owner = Array.from({ length: cores }, () => new Map());
  }

  drop(core: number): void {
    this.#owner[core]!.clear();
  }

  /** The core executes user code of an address space under an ASID. */
  use(core: number, asid: number, mm: KPtr): void {
    const owner = this.#owner[core]!;
    const before = owner.get(asid);
    if (before !== undefined && before !== mm) {
      this.violations.push(`core ${core}: entries of ${before} are used by ${mm} under ASID ${asid}`);
    }
    owner.set(asid, mm);
  }
}

class CountsFlushes extends Asids {
  flushes = 0;

  // biome-ignore lint/correctness/useYield: the core has no TLB.
  override *flushLocal(): Work {
    this.flushes++;
  }
}

describe("the allocator does what the rules say", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])("3,000 switches of 12 address spaces on 3 cores, seed %i", (seed) => {
    const cores = new FakeCores(3);
    const asids = new CountsFlushes(cores.kernel, cores.memory, COUNT);
    const mms = Array.from({ length: 12 }, () => cores.newMm());
    const reference = new Reference(3);
    let state = seed * 7919;
    const random = (limit: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fff_ffff;
      return (state >>> 8) % limit;
    };
    for (let step = 0; step < 3000; step++) {
      const cpu = random(3);
      const mm = mms[random(12)]!;
      const before = asids.flushes;
      const asid = finish(asids.activate(cores.contexts[cpu]!, mm));
      expect({ step, asid, flushed: asids.flushes > before }).toEqual({
        step,
        ...reference.switchTo(cpu, mm),
      });
    }
    expect(reference.generation).toBeGreaterThan(100);
    expect(asidGeneration.get(cores.ram, asids.at) / COUNT).toBe(reference.generation);
  });
});

/**
 * Four cores switch among address spaces in any order of steps; what is wrong with the tags that they use. Two of them stay
 * with one address space for a while, so that rollovers pass them.
 */
function violations(asidsClass: AsidsClass, seed: number): readonly string[] {
  const cores = new FakeCores(4);
  const { ram } = cores;
  const asids = new asidsClass(cores.kernel, cores.memory, COUNT);
  const mms = Array.from({ length: 9 }, () => cores.newMm());
  const tags = new Tags(4);
  const running: ({ mm: KPtr; asid: number } | null)[] = [null, null, null, null];
  const found: string[] = [];
  cores.listener = (cpu, what) => {
    if (what === "TLBI vmalle1") tags.drop(cpu);
  };
  const check = (): void => {
    for (const one of running) {
      if (one === null) continue;
      const named = asids.asidOf(mmContextId.get(ram, one.mm));
      if (named !== one.asid)
        found.push(`${one.mm} runs under ASID ${one.asid}, and is flushed under ${named}`);
      for (const other of running) {
        if (other !== null && other.asid === one.asid && other.mm !== one.mm) {
          found.push(`ASID ${one.asid} is that of ${one.mm} and of ${other.mm}`);
        }
      }
    }
  };
  function* core(k: Context): Work {
    const cpu = k.cpu.id;
    const turns = cpu < 2 ? 8 : 80;
    for (let turn = 0; turn < turns; turn++) {
      const mm = cpu < 2 ? mms[(turn + seed) % 3]! : mms[(turn * (cpu + 3) + seed) % mms.length]!;
      running[cpu] = null;
      const asid = yield* asids.activate(k, mm);
      running[cpu] = { mm, asid };
      for (let use = 0; use < (cpu < 2 ? 250 : 1); use++) {
        tags.use(cpu, asid, mm);
        check();
        yield;
      }
    }
    running[cpu] = null;
  }
  cores.run(
    cores.contexts.map((k) => core(k)),
    seed,
  );
  return [...found, ...tags.violations];
}

const SEEDS: readonly number[] = Array.from({ length: 40 }, (_, index) => index + 1);

describe("no two address spaces share a live ASID, and none has two", () => {
  test("whatever comes in between", () => {
    for (const seed of SEEDS) expect([seed, ...violations(Asids, seed).slice(0, 1)]).toEqual([seed]);
  });

  const mutants: readonly [name: string, mutant: AsidsClass][] = [
    [
      "what a core keeps through a second rollover is forgotten",
      class extends Asids {
        override keptAsid(_k: Context, _core: KPtr, active: number): number {
          return active;
        }
      },
    ],
    [
      "only the first copy of a reserved ASID is renewed",
      class extends Asids {
        override updateReserved(k: Context, id: number, newId: number): boolean {
          for (let cpu = 0; cpu < this.cores; cpu++) {
            if (reservedAsids.get(k.ram, this.core(cpu)) !== id) continue;
            reservedAsids.set(k.ram, this.core(cpu), newId);
            return true;
          }
          return false;
        }
      },
    ],
    [
      "a core does not flush after a rollover",
      class extends Asids {
        override takeFlushPending(k: Context): boolean {
          super.takeFlushPending(k);
          return false;
        }
      },
    ],
    [
      "the fast path does not look at the generation",
      class extends Asids {
        override isCurrent(_k: Context, id: number): boolean {
          return id !== 0;
        }
      },
    ],
  ];
  test.each(mutants)("but they do if %s", (_name, mutant) => {
    expect(SEEDS.some((seed) => violations(mutant, seed).length > 0)).toBe(true);
  });
});

describe("an allocator", () => {
  test("is refused if cores could use up all ASIDs", () => {
    const cores = new FakeCores(3);
    expect(() => new Asids(cores.kernel, cores.memory, 4)).toThrow(RangeError);
    expect(() => new Asids(cores.kernel, cores.memory, 5)).not.toThrow();
  });

  test("never hands out ASID 0, which is the reserved table's", () => {
    const cores = new FakeCores(1);
    const asids = new Asids(cores.kernel, cores.memory, 3);
    for (let turn = 0; turn < 50; turn++) {
      const mm = cores.newMm();
      expect(finish(asids.activate(cores.contexts[0]!, mm))).toBeGreaterThan(0);
      expect(activeAsids.get(cores.ram, asids.core(0))).toBe(mmContextId.get(cores.ram, mm));
    }
  });

  test("finds free ASIDs past the first word of its map", () => {
    const cores = new FakeCores(1);
    const asids = new Asids(cores.kernel, cores.memory, 256);
    const given = Array.from({ length: 255 }, () =>
      finish(asids.activate(cores.contexts[0]!, cores.newMm())),
    );
    expect(given).toEqual(Array.from({ length: 255 }, (_, index) => index + 1));
    expect(asidGeneration.get(cores.ram, asids.at)).toBe(256);
    expect(finish(asids.activate(cores.contexts[0]!, cores.newMm()))).toBe(1);
    expect(asidGeneration.get(cores.ram, asids.at)).toBe(512);
  });
});

/** Runs work that nobody disturbs to its end. */
function finish<T>(work: Work<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value as T;
  }
}
