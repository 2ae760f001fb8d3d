/** Rates of one host thread: instructions, page faults, scheduling points, shootdowns. */
import type { Guest } from "../matrix/guest.ts";
import { counter, type Measurement, rate } from "./row.ts";

const SAMPLES = 5;

function instructions(name: string, log2Size: number, rounds: number, asked: boolean): Measurement {
  return {
    name,
    what: `guest instructions, integer loop over ${2 ** (log2Size - 10)} KiB, MMU on`,
    unit: "M/s",
    asked: asked ? 60 : null,
    goal: asked ? 100 : null,
    better: "more",
    samples: SAMPLES,
    sample: () =>
      rate(
        { program: "intloop", args: [String(log2Size), String(rounds)], cpus: 1 },
        (guest) => guest.session.machine.retired / 1e6,
      ),
  };
}

const FAULTS = 400_000;
/** Pages that a thread maps, touches and unmaps in a round; page_fault1 itself has 128 MiB regions. */
const REGION_PAGES = 1024;

function pageFaults(design: string, cpus: number): Measurement {
  const rounds = Math.ceil(FAULTS / (REGION_PAGES * cpus));
  return {
    name: `faults-${design}-${cpus}`,
    what: `page faults (page_fault1), ${cpus} core${cpus === 1 ? "" : "s"}, ${design}`,
    unit: "/s",
    asked: 250_000,
    goal: 600_000,
    better: "more",
    samples: SAMPLES,
    sample: () =>
      rate(
        { program: "faults1", args: [String(cpus), String(rounds), String(REGION_PAGES * 4)], cpus, design },
        counter("pgfault"),
      ),
  };
}

/** Choices of the random scheduler: each slice, and each kernel point that asked whether to go on. */
function schedulingPoints(design: string): Measurement {
  return {
    name: `points-${design}`,
    what: `scheduling points, random scheduler, 4 cores, ${design}`,
    unit: "/s",
    asked: 1_000_000,
    goal: null,
    better: "more",
    samples: SAMPLES,
    sample: () => {
      let points = 0;
      return rate({ program: "faults1", args: ["4", "400"], design, scheduler: "random" }, (guest) => {
        if (points === 0) countPoints(guest, () => points++);
        return points + guest.session.machine.slices;
      });
    },
  };
}

function countPoints(guest: Guest, seen: () => void): void {
  const { scheduler } = guest.session.machine;
  const original = scheduler.pointReached.bind(scheduler);
  scheduler.pointReached = (core) => {
    seen();
    return original(core);
  };
}

const SHOOTDOWNS = 50_000;

const shootdowns: Measurement = {
  name: "shootdowns",
  what: "TLB shootdowns between two cores (mprotect), deterministic",
  unit: "/s",
  asked: 100_000,
  goal: null,
  better: "more",
  samples: SAMPLES,
  sample: () =>
    rate(
      { program: "tlbshoot", args: [String(SHOOTDOWNS)], cpus: 2 },
      counter("nr_tlb_remote_flush_received"),
    ),
};

export const SPEED: readonly Measurement[] = [
  instructions("instructions", 16, 100, true),
  instructions("instructions-1m", 20, 6, false),
  pageFaults("classic", 1),
  pageFaults("classic", 4),
  pageFaults("spf-mm", 1),
  pageFaults("spf-mm", 4),
  schedulingPoints("classic"),
  schedulingPoints("spf-mm"),
  shootdowns,
];
