/** Rates of one host thread: instructions, page faults, scheduling points, shootdowns. */
import type { Guest, GuestOptions } from "../matrix/guest.ts";
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

function instructions(name: string, log2Size: number, asked: boolean): Measurement {
  return steady(
    {
      name,
      what: `guest instructions, integer loop over ${2 ** (log2Size - 10)} KiB, MMU on`,
      unit: "M/s",
      asked: asked ? 60 : null,
      goal: asked ? 100 : null,
    },
    { program: "intloop", args: [String(log2Size), ROUNDS], cpus: 1 },
    (guest) => guest.session.machine.retired / 1e6,
  );
}

/** Pages that a thread maps, touches and unmaps in a round; page_fault1 itself has 128 MiB regions. */
const REGION_PAGES = 1024;

function pageFaults(design: string, cpus: number): Measurement {
  return steady(
    {
      name: `faults-${design}-${cpus}`,
      what: `page faults (page_fault1), ${cpus} core${cpus === 1 ? "" : "s"}, ${design}`,
      unit: "/s",
      asked: 250_000,
      goal: 600_000,
    },
    { program: "faults1", args: [String(cpus), ROUNDS, String(REGION_PAGES * 4)], cpus, design },
    counter("pgfault"),
  );
}

/** Choices of the random scheduler: each slice, and each kernel point that asked whether to go on. */
function schedulingPoints(design: string): Measurement {
  let points = 0;
  let counted: Guest | null = null;
  return steady(
    {
      name: `points-${design}`,
      what: `scheduling points, random scheduler, 4 cores, ${design}`,
      unit: "/s",
      asked: 1_000_000,
      goal: null,
    },
    { program: "faults1", args: ["4", ROUNDS], design, scheduler: "random" },
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

const shootdowns: Measurement = steady(
  {
    name: "shootdowns",
    what: "TLB shootdowns between two cores (mprotect), deterministic",
    unit: "/s",
    asked: 100_000,
    goal: null,
  },
  { program: "tlbshoot", args: [ROUNDS], cpus: 2 },
  counter("nr_tlb_remote_flush_received"),
);

export const SPEED: readonly Measurement[] = [
  instructions("instructions", 16, true),
  instructions("instructions-1m", 20, false),
  pageFaults("classic", 1),
  pageFaults("classic", 4),
  pageFaults("spf-mm", 1),
  pageFaults("spf-mm", 4),
  schedulingPoints("classic"),
  schedulingPoints("spf-mm"),
  shootdowns,
];
