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
  { machine: "aarch64", program: "mmaprace", cpus: 4 },
  { machine: "aarch64", program: "mmaprace", cpus: 4, scheduler: "random", tlb: "adversarial", seed: 5 },
  { machine: "aarch64-stress", program: "cow", cpus: 2, design: "spf-mm", scheduler: "random", ledger: "on" },
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
    { machine: "aarch64", program: "mmaprace", cpus: 4, scheduler: "random" as const },
  ])("differs with another seed: %o", (options) => {
    const traces = [1, 2, 3].map((seed) => {
      const guest = new Guest({ ...options, seed });
      guest.run();
      return guest.session.machine.events.hash;
    });
    expect(new Set(traces).size).toBe(3);
  });

  it("takes the same course whether or not the ledger watches, which poisons free memory besides", () => {
    const options: GuestOptions = { program: "mmaprace", cpus: 4, scheduler: "random", seed: 3 };
    const withoutState = (text: string): string => text.replace(/ [0-9a-f]{16} /, " ");
    expect(withoutState(result({ ...options, ledger: "on" }))).toBe(withoutState(result(options)));
  });

  it("is the same whether or not a trace is written or it is cut into parts", () => {
    const options: GuestOptions = { program: "mmaprace", cpus: 4, scheduler: "random", seed: 3 };
    const plain = result(options);
    let events = 0;
    expect(result({ ...options, sink: { event: () => events++ } })).toBe(plain);
    expect(events).toBeGreaterThan(0);
    const guest = new Guest(options);
    const { machine } = guest.session;
    while (machine.advance(Number.MAX_SAFE_INTEGER) === null);
    expect(plain.startsWith(guest.hashes())).toBe(true);
  });
});

/**
 * Runs to a moment at which the machine can be saved: every task in user mode or asleep, no trap on its way. With the
 * random scheduler several threads are at work by then; in timed runs such moments are rare once there are threads.
 */
function runUntilQuiet(guest: Guest, options: GuestOptions): boolean {
  const { machine, kernel } = guest.session;
  const from = options.scheduler === "random" ? 60_000 : 0;
  for (;;) {
    const reason = machine.advance(machine.retired + 1);
    if (reason === null) continue;
    if (reason.kind !== "limit") return false;
    machine.stopReason = null;
    if (!guest.output.booted || machine.retired < from) continue;
    if (kernel.isQuiet() && machine.cores.every(isAtRest)) return true;
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
      expect(runUntilQuiet(guest, options)).toBe(true);
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
