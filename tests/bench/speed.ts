/**
 * Rates of one host thread on a machine of each architecture: instructions, page faults, scheduling points, shootdowns;
 * and the architectures against each other, in time per repetition of the same C source.
 */
import { defaultModels } from "../../emu/cli/options.ts";
import { Guest, type GuestOptions } from "../matrix/guest.ts";
import { counter, type Measurement, SteadyRate } from "./row.ts";

const SAMPLES = 5;
/** Rounds of a program that is to outlast its measurement. */
const ROUNDS = "1000000";

/** A row of SAMPLES stretches of one run. */
function steady(
  row: Omit<Measurement, "samples" | "better" | "sample" | "end">,
  options: GuestOptions,
  count: (guest: Guest) => number,
): Measurement {
  const rate = new SteadyRate(options, count);
  return { ...row, better: "more", samples: SAMPLES, sample: () => rate.sample(), end: () => rate.end() };
}

const MACHINES: readonly string[] = defaultModels().map(({ name }) => name);

/** Names of the rows of other machines than the first end in the machine's. */
function rowName(name: string, machine: string): string {
  return machine === MACHINES[0] ? name : `${name}-${machine}`;
}

function instructions(name: string, log2Size: number, limits: "asked" | "informative"): Measurement[] {
  return MACHINES.map((machine) =>
    steady(
      {
        name: rowName(name, machine),
        what: `guest instructions, integer loop over ${2 ** (log2Size - 10)} KiB, MMU on, ${machine}`,
        unit: "M/s",
        asked: limits === "asked" ? 60 : null,
        goal: limits === "asked" ? 100 : null,
      },
      { ...integerLoop(log2Size), machine },
      retired,
    ),
  );
}

function integerLoop(log2Size: number, rounds: string = ROUNDS): GuestOptions {
  return { program: "intloop", args: [String(log2Size), rounds], cpus: 1 };
}

/** Millions of instructions. */
function retired(guest: Guest): number {
  return guest.session.machine.retired / 1e6;
}

/** Pages that a thread maps, touches and unmaps in a round; page_fault1 itself has 128 MiB regions. */
const REGION_PAGES = 1024;

function pageFaults(design: string, cpus: number): Measurement[] {
  return MACHINES.map((machine) =>
    steady(
      {
        name: rowName(`faults-${design}-${cpus}`, machine),
        what: `page faults (page_fault1), ${cpus} core${cpus === 1 ? "" : "s"}, ${design}, ${machine}`,
        unit: "/s",
        asked: 250_000,
        goal: 600_000,
      },
      { ...pageFault1(cpus), design, machine },
      counter("pgfault"),
    ),
  );
}

function pageFault1(cpus: number): GuestOptions {
  return { program: "faults1", args: [String(cpus), ROUNDS, String(REGION_PAGES * 4)], cpus };
}

/** Choices of the random scheduler: each slice, and each kernel point that asked whether to go on. */
function schedulingPoints(design: string): Measurement[] {
  return MACHINES.map((machine) => pointsOf(machine, design));
}

function pointsOf(machine: string, design: string): Measurement {
  let points = 0;
  let counted: Guest | null = null;
  return steady(
    {
      name: rowName(`points-${design}`, machine),
      what: `scheduling points, random scheduler, 4 cores, ${design}, ${machine}`,
      unit: "/s",
      asked: 1_000_000,
      goal: null,
    },
    { program: "faults1", args: ["4", ROUNDS], design, scheduler: "random", machine },
    (guest) => {
      if (counted !== guest) {
        counted = guest;
        countPoints(guest, () => points++);
      }
      return points + guest.session.machine.slices;
    },
  );
}

function countPoints(guest: Guest, seen: () => void): void {
  const { scheduler } = guest.session.machine;
  const original = scheduler.pointReached.bind(scheduler);
  scheduler.pointReached = (core) => {
    seen();
    return original(core);
  };
}

const TLBSHOOT: GuestOptions = { program: "tlbshoot", args: [ROUNDS], cpus: 2 };
const received = counter("nr_tlb_remote_flush_received");

/** Flushes that another core was interrupted for, or invalidations that were broadcast to it. */
const shootdowns: readonly Measurement[] = MACHINES.map((machine) =>
  steady(
    {
      name: rowName("shootdowns", machine),
      what: `TLB shootdowns between two cores (mprotect), deterministic, ${machine}`,
      unit: "/s",
      asked: 100_000,
      goal: null,
    },
    { ...TLBSHOOT, machine },
    (guest) => received(guest) + (guest.session.machine.events.counts.get("broadcast") ?? 0),
  ),
);

/** How much longer the slowest architecture takes for the same work than the fastest, work as `count` has it. */
function against(
  name: string,
  what: string,
  options: GuestOptions,
  count: (machine: string) => (guest: Guest) => number,
): Measurement {
  const rates = MACHINES.map((machine) => new SteadyRate({ ...options, machine }, count(machine)));
  return {
    name: `against-${name}`,
    what: `${MACHINES.join(" against ")}, seconds per ${what}: slowest / fastest`,
    unit: "",
    asked: 2,
    goal: null,
    better: "less",
    samples: SAMPLES,
    sample: () => {
      const measured = rates.map((rate) => rate.sample());
      return Math.max(...measured) / Math.min(...measured);
    },
    end: () => {
      for (const rate of rates) rate.end();
    },
  };
}

/** Rounds of the integer loop, by the instructions that one takes. */
function integerRounds(log2Size: number): (machine: string) => (guest: Guest) => number {
  return (machine) => {
    let perRound = 0;
    return (guest) => {
      if (perRound === 0) {
        const [one, two] = ["1", "2"].map((rounds) => {
          const short = new Guest({ ...integerLoop(log2Size, rounds), machine });
          short.run();
          return retired(short);
        });
        perRound = two! - one!;
      }
      return retired(guest) / perRound;
    };
  };
}

export const SPEED: readonly Measurement[] = [
  ...instructions("instructions", 16, "asked"),
  ...instructions("instructions-1m", 20, "informative"),
  ...pageFaults("classic", 1),
  ...pageFaults("classic", 4),
  ...pageFaults("spf-mm", 1),
  ...pageFaults("spf-mm", 4),
  ...schedulingPoints("classic"),
  ...schedulingPoints("spf-mm"),
  ...shootdowns,
  against("intloop", "round of the integer loop over 64 KiB", integerLoop(16), integerRounds(16)),
  against("intloop-1m", "round of the integer loop over 1 MiB", integerLoop(20), integerRounds(20)),
  ...[1, 4].flatMap((cpus) =>
    ["classic", "spf-mm"].map((design) =>
      against(
        `faults-${design}-${cpus}`,
        `page fault, ${cpus} core${cpus === 1 ? "" : "s"}, ${design}`,
        { ...pageFault1(cpus), design },
        () => counter("pgfault"),
      ),
    ),
  ),
  // Each round takes mmap_lock for writing twice.
  against("tlbshoot", "round of store and mprotect there and back", TLBSHOOT, () =>
    counter("mmap_lock_write"),
  ),
];
