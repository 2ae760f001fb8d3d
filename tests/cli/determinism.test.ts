import { describe, expect, it } from "vitest";
import { Guest, type GuestOptions } from "../matrix/guest.ts";

/** Hashes and output of a whole run. */
function result(options: GuestOptions): string {
  const guest = new Guest(options);
  const end = guest.run();
  expect(end.kind).toBe("power-off");
  return `${guest.hashes()} ${end.status} ${end.stdout} ${end.stderr} ${guest.output.log.join("\n")}`;
}

const MACHINES: readonly GuestOptions[] = [
  { program: "mmaprace", cpus: 4 },
  { program: "mmaprace", cpus: 4, scheduler: "random", seed: 5 },
  { program: "mmaprace", cpus: 4, scheduler: "random", tlb: "adversarial", design: "spf-mm", seed: 5 },
  { program: "ebizzy", cpus: 16, tlb: "adversarial", design: "spf-mm" },
  { program: "cow", cpus: 2, scheduler: "random", seed: 9, ledger: "on" },
];

function name(options: GuestOptions): string {
  return Object.values(options).join(" ");
}

describe("a run", () => {
  it.each(MACHINES.map((options) => [name(options), options] as const))(
    "is the same byte for byte with the same seed: %s",
    (_name, options) => {
      expect(result(options)).toBe(result(options));
    },
  );

  it.each([
    { program: "mmaprace", cpus: 4, scheduler: "random" as const },
    { program: "mmaprace", cpus: 4, tlb: "adversarial" as const },
    { program: "storm", cpus: 2, scheduler: "random" as const, design: "spf-mm" },
  ])("differs with another seed: %o", (options) => {
    const traces = [1, 2, 3].map((seed) => {
      const guest = new Guest({ ...options, seed });
      guest.run();
      return guest.session.machine.events.hash;
    });
    expect(new Set(traces).size).toBe(3);
  });

  it("is the same whether or not the ledger watches, a trace is written or it is cut into parts", () => {
    const options: GuestOptions = { program: "mmaprace", cpus: 4, scheduler: "random", seed: 3 };
    const plain = result(options);
    expect(result({ ...options, ledger: "on" })).toBe(plain);
    let events = 0;
    expect(result({ ...options, sink: { event: () => events++ } })).toBe(plain);
    expect(events).toBeGreaterThan(0);
    const guest = new Guest(options);
    const { machine } = guest.session;
    while (machine.advance(Number.MAX_SAFE_INTEGER) === null);
    expect(plain.startsWith(guest.hashes())).toBe(true);
  });
});

/** Looks for a moment at which the machine can be saved, from a number of instructions on. */
function runUntilQuiet(guest: Guest, instructions: number): boolean {
  const { machine, kernel } = guest.session;
  let limit = instructions;
  for (;;) {
    const reason = machine.advance(limit);
    if (reason === null) continue;
    if (reason.kind !== "limit") return false;
    machine.stopReason = null;
    if (kernel.isQuiet() && machine.cores.every(isAtRest)) return true;
    limit = machine.retired + 1;
  }
}

function isAtRest(core: { phase: string }): boolean {
  return core.phase === "execute" || core.phase === "halted" || core.phase === "parked";
}

describe("a saved machine", () => {
  it.each(MACHINES.map((options) => [name(options), options] as const))(
    "goes on to the same hashes as often as it is restored: %s",
    (_name, options) => {
      const guest = new Guest(options);
      const { machine } = guest.session;
      expect(runUntilQuiet(guest, 60_000)).toBe(true);
      const start = guest.hashes();
      const state = machine.save();
      const ends = new Set<string>();
      for (let round = 0; round < 3; round++) {
        machine.restore(state);
        expect(guest.hashes()).toBe(start);
        const end = guest.run();
        expect(end.kind).toBe("power-off");
        ends.add(`${guest.hashes()} ${end.status} ${machine.retired} ${machine.clock}`);
      }
      expect([...ends]).toHaveLength(1);
      expect(result(options).startsWith([...ends][0]!.split(" ").slice(0, 2).join(" "))).toBe(true);
    },
  );
});
