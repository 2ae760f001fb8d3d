/** Broadcasts in flight, on cores that are a clock and a list of what they carried out. */
import { describe, expect, it } from "vitest";
import { BroadcastBus, type BroadcastCore, Broadcasts } from "../../../emu/interrupts/index.ts";

const LATENCY = 100;
const ACKNOWLEDGE = 40;
const NEVER = Number.POSITIVE_INFINITY;
/** Operations on their way to one core, at most. */
const CAPACITY = 32;

class FakeCore implements BroadcastCore {
  readonly id: number;
  clock = 0;
  isParked = false;
  isIdle = false;
  isInsideAccess = false;
  readonly budget = { exploring: false };
  readonly applied: string[] = [];
  readonly words: Int32Array = new Int32Array(Broadcasts.words + 2);
  readonly broadcasts: Broadcasts;

  constructor(id: number, bus: BroadcastBus) {
    this.id = id;
    this.broadcasts = new Broadcasts({ core: this, bus, words: this.words, base: 2 });
  }

  applyBroadcast(code: number, lo: number, hi: number): void {
    this.applied.push(`${code}:${hi}:${lo}`);
  }

  at(clock: number): void {
    this.clock = clock;
    this.broadcasts.advance(clock);
  }

  /** A barrier is complete, and when. */
  barrier(): number | false {
    return this.broadcasts.complete() && this.broadcasts.completionTime;
  }
}

type Cores = readonly [FakeCore, FakeCore, FakeCore];

function coresOf(count: number, exploring = false): FakeCore[] {
  const bus = new BroadcastBus(LATENCY, ACKNOWLEDGE);
  const cores = Array.from({ length: count }, (_, id) => new FakeCore(id, bus));
  for (const core of cores) core.budget.exploring = exploring;
  return cores;
}

const three = (exploring = false): Cores => coresOf(3, exploring) as unknown as Cores;

describe("an operation", () => {
  it("reaches every core but the sender, a latency after the sender's clock", () => {
    const [a, b, c] = three();
    a.clock = 1000;
    a.broadcasts.send(7, -1, 5);
    expect([a, b, c].map((core) => core.broadcasts.nextTime)).toEqual([NEVER, 1100, 1100]);
    b.at(1099);
    c.at(1100);
    a.at(5000);
    expect([a.applied, b.applied, c.applied]).toEqual([[], [], ["7:5:-1"]]);
    b.at(1100);
    expect([b.applied, b.broadcasts.nextTime, b.broadcasts.count]).toEqual([["7:5:-1"], NEVER, 0]);
  });

  it("takes effect in the order in which its sender sent it, at equal times as well", () => {
    const [a, b] = three();
    for (const code of [1, 2, 3]) a.broadcasts.send(code, 0, 0);
    a.clock = 10;
    a.broadcasts.send(4, 0, 0);
    b.at(LATENCY + 10);
    expect(b.applied).toEqual(["1:0:0", "2:0:0", "3:0:0", "4:0:0"]);
  });

  it("of a core that is behind overtakes those that arrive later", () => {
    const [a, b, c] = three();
    a.clock = 500;
    a.broadcasts.send(1, 10, 11);
    a.broadcasts.send(2, 20, 21);
    b.clock = 300;
    b.broadcasts.send(3, 30, 31);
    c.at(2000);
    expect(c.applied).toEqual(["3:31:30", "1:11:10", "2:21:20"]);
  });

  it("is carried out at once by a core that has not been started, and nobody waits for that", () => {
    const [a, b, c] = three();
    b.isParked = c.isParked = true;
    a.broadcasts.send(1, 0, 0);
    expect([b.applied, c.applied, a.barrier()]).toEqual([["1:0:0"], ["1:0:0"], 0]);
  });
});

describe("a barrier", () => {
  it("without anything sent is complete", () => {
    expect(three()[0].barrier()).toBe(0);
    expect((coresOf(1)[0] as FakeCore).barrier()).toBe(0);
  });

  it("waits for every core, and is complete when the last acknowledgement is back", () => {
    const [a, b, c] = three();
    a.broadcasts.send(1, 0, 0);
    expect(a.barrier()).toBe(false);
    b.at(LATENCY);
    expect([a.barrier(), a.broadcasts.outstanding]).toEqual([false, 1]);
    c.at(700);
    expect(a.barrier()).toBe(LATENCY + ACKNOWLEDGE);
  });

  it("waits for all that was sent before it", () => {
    const [a, b] = coresOf(2) as unknown as Cores;
    a.broadcasts.send(1, 0, 0);
    a.clock = 50;
    a.broadcasts.send(2, 0, 0);
    b.at(LATENCY);
    expect([a.barrier(), b.applied]).toEqual([false, ["1:0:0"]]);
    b.at(LATENCY + 50);
    expect(a.barrier()).toBe(LATENCY + 50 + ACKNOWLEDGE);
  });

  it("does not wait for what others sent", () => {
    const [a, b, c] = three();
    b.broadcasts.send(1, 0, 0);
    expect([a.barrier(), c.broadcasts.count]).toEqual([0, 1]);
    expect(b.barrier()).toBe(false);
  });

  it("lets those that have passed the arrival, and those that execute nothing, carry it out at once", () => {
    const [a, b, c] = three();
    a.clock = 1000;
    a.broadcasts.send(1, 0, 0);
    b.clock = 1100;
    c.isIdle = true;
    expect([a.barrier(), b.applied, c.applied]).toEqual([1100 + ACKNOWLEDGE, ["1:0:0"], ["1:0:0"]]);
  });

  it("does not ask a core again that has carried out everything", () => {
    const [a, b, c] = three();
    a.broadcasts.send(1, 0, 0);
    b.isIdle = true;
    expect(a.barrier()).toBe(false);
    b.isIdle = false;
    c.clock = LATENCY;
    expect(a.barrier()).toBe(LATENCY + ACKNOWLEDGE);
    a.broadcasts.send(2, 0, 0);
    c.clock = 5000;
    expect([a.barrier(), b.broadcasts.count]).toEqual([false, 1]);
  });

  it("of two cores that wait for each other both end", () => {
    const [a, b] = coresOf(2) as unknown as Cores;
    a.broadcasts.send(1, 0, 0);
    b.clock = 10;
    b.broadcasts.send(2, 0, 0);
    expect(a.barrier()).toBe(false);
    a.isIdle = true;
    expect(b.barrier()).toBe(10 + LATENCY + ACKNOWLEDGE);
    b.at(10 + LATENCY + ACKNOWLEDGE);
    expect(a.barrier()).toBe(LATENCY + ACKNOWLEDGE);
  });
});

describe("in exploring runs", () => {
  it("nothing takes effect unless it is granted, however late", () => {
    const [a, b, c] = three(true);
    a.broadcasts.send(1, 0, 0);
    b.isIdle = true;
    b.at(1_000_000);
    expect([b.broadcasts.nextTime, b.broadcasts.count, b.applied, a.barrier()]).toEqual([
      NEVER,
      1,
      [],
      false,
    ]);
    b.broadcasts.applyFirst();
    expect([b.applied, a.barrier()]).toEqual([["1:0:0"], false]);
    c.broadcasts.applyFirst();
    expect(a.barrier()).toBe(LATENCY + ACKNOWLEDGE);
  });

  it("the order on one core is that of sending, which the scheduler decides, whatever the clocks say", () => {
    const [a, b, c] = three(true);
    a.clock = 500;
    a.broadcasts.send(1, 0, 0);
    b.clock = 300;
    b.broadcasts.send(2, 0, 0);
    c.broadcasts.applyFirst();
    c.broadcasts.applyFirst();
    expect(c.applied).toEqual(["1:0:0", "2:0:0"]);
  });

  it("whoever waits knows for whom", () => {
    const [a, b, c] = three(true);
    expect(a.broadcasts.awaited).toBe(-1);
    a.broadcasts.send(1, 0, 0);
    expect(a.broadcasts.awaited).toBe(1);
    b.isInsideAccess = true;
    c.broadcasts.applyFirst();
    b.broadcasts.applyFirst();
    expect(a.broadcasts.awaited).toBe(1);
    b.isInsideAccess = false;
    b.broadcasts.settle();
    expect([a.broadcasts.awaited, a.barrier() !== false]).toEqual([-1, true]);
  });

  it("a barrier waits for an access that was begun with an older translation", () => {
    const [a, b] = coresOf(2, true) as unknown as Cores;
    a.broadcasts.send(1, 0, 0);
    b.isInsideAccess = true;
    b.broadcasts.applyFirst();
    expect([a.barrier(), a.broadcasts.outstanding]).toEqual([false, 0]);
    b.broadcasts.settle();
    expect(a.barrier()).toBe(false);
    b.isInsideAccess = false;
    b.broadcasts.settle();
    // The next access of that core is another one.
    b.isInsideAccess = true;
    expect(a.barrier()).not.toBe(false);
  });

  it("a barrier that asks finds out by itself that the access is over", () => {
    const [a, b] = coresOf(2, true) as unknown as Cores;
    a.broadcasts.send(1, 0, 0);
    b.isInsideAccess = true;
    b.broadcasts.applyFirst();
    expect(a.barrier()).toBe(false);
    b.isInsideAccess = false;
    expect(a.barrier()).not.toBe(false);
  });

  it("several operations within one access hold up their senders once each", () => {
    const cores = coresOf(40, true);
    const reader = cores[0]!;
    reader.isInsideAccess = true;
    const senders = [cores[1]!, cores[31]!, cores[32]!, cores[39]!];
    for (const sender of senders) {
      sender.broadcasts.send(sender.id, 0, 0);
      sender.broadcasts.send(sender.id + 100, 0, 0);
    }
    for (const core of cores) while (core.broadcasts.count > 0) core.broadcasts.applyFirst();
    expect(senders.map((sender) => sender.barrier())).toEqual([false, false, false, false]);
    reader.isInsideAccess = false;
    reader.broadcasts.settle();
    expect(senders.map((sender) => sender.barrier() !== false)).toEqual([true, true, true, true]);
  });
});

describe("more than fit", () => {
  it.each([false, true])("take effect early in their order, none is lost (exploring: %s)", (exploring) => {
    const [a, b] = coresOf(2, exploring) as unknown as Cores;
    const sent = Array.from({ length: CAPACITY + 10 }, (_, code) => code);
    for (const code of sent) {
      a.clock++;
      a.broadcasts.send(code, 0, 0);
    }
    expect(b.applied).toEqual(sent.slice(0, 10).map((code) => `${code}:0:0`));
    expect([b.broadcasts.count, a.broadcasts.outstanding, a.barrier()]).toEqual([CAPACITY, CAPACITY, false]);
    while (b.broadcasts.count > 0) b.broadcasts.applyFirst();
    expect(b.applied).toEqual(sent.map((code) => `${code}:0:0`));
    expect(a.barrier()).toBe(sent.length + LATENCY + ACKNOWLEDGE);
  });

  it("inside an access still hold up the barrier", () => {
    const [a, b] = coresOf(2, true) as unknown as Cores;
    b.isInsideAccess = true;
    for (let code = 0; code <= CAPACITY; code++) a.broadcasts.send(code, 0, 0);
    b.isInsideAccess = false;
    b.broadcasts.settle();
    while (b.broadcasts.count > 0) b.broadcasts.applyFirst();
    expect(a.barrier()).not.toBe(false);
    b.isInsideAccess = true;
    for (let code = 0; code <= CAPACITY; code++) a.broadcasts.send(code, 0, 0);
    while (b.broadcasts.count > 0) b.broadcasts.applyFirst();
    expect(a.barrier()).toBe(false);
  });
});

describe("state", () => {
  it("lies in the words: copies of them go on as the originals", () => {
    const cores = three(true);
    const [a, b, c] = cores;
    a.broadcasts.send(1, 2, 3);
    c.clock = 7;
    c.broadcasts.send(4, 5, 6);
    b.isInsideAccess = true;
    b.broadcasts.applyFirst();
    b.isInsideAccess = false;
    const saved = cores.map((core) => core.words.slice());
    const hashes = cores.map((core) => core.broadcasts.hash(1));
    const play = (): unknown => {
      for (const core of cores) core.applied.length = 0;
      c.broadcasts.applyFirst();
      const early = a.barrier();
      b.broadcasts.applyFirst();
      a.broadcasts.applyFirst();
      return [early, c.barrier(), cores.map((core) => core.applied.join()), b.broadcasts.hash(1)];
    };
    const first = play();
    cores.forEach((core, at) => {
      core.words.set(saved[at]!);
    });
    expect(cores.map((core) => core.broadcasts.hash(1))).toEqual(hashes);
    expect(play()).toEqual(first);
    expect(first).toEqual([140, 147, ["4:6:5", "4:6:5", "1:3:2"], expect.any(Number)]);
  });

  it("cores take part in the order of their numbers", () => {
    const bus = new BroadcastBus(1, 1);
    expect(() => new FakeCore(1, bus)).toThrow("core 1 cannot be number 0");
  });
});
