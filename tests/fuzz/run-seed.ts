/** Runs the guest of one seed on a small machine and says what is wrong with how it went. */
import { RandomNumbers } from "../../emu/schedulers/index.ts";
import { Guest, type GuestEnd } from "../matrix/guest.ts";
import { randomAarch64Guest } from "./random-aarch64-guest.ts";
import { randomGuest } from "./random-guest.ts";

/** `whole`: as any run. `suspended`: cores stop after a few memory accesses, inside instructions and trap deliveries. */
export type Execution = "whole" | "suspended";

/** Architectures that have such guests. */
export const FUZZED = ["x86-64", "aarch64"] as const;
export type Fuzzed = (typeof FUZZED)[number];

const MEMORY_BYTES: number = 16 * 2 ** 20;
/** Boot included. */
const MAX_INSTRUCTIONS = 10_000;
/** Events between two suspensions at most. */
const LONGEST_STRETCH = 12;

/** What is wrong; empty: nothing. A host exception is not caught. */
export function checkSeed(seed: number, execution: Execution, arch: Fuzzed): string[] {
  const { kind, image } = arch === "x86-64" ? randomGuest(seed) : randomAarch64Guest(seed);
  const guest = new Guest({
    machine: arch,
    program: image,
    cpus: 1,
    memoryBytes: MEMORY_BYTES,
    design: seed % 2 === 0 ? "classic" : "spf-mm",
    tlb: seed % 3 === 0 ? "adversarial" : "typical",
    scheduler: "random",
    ledger: "on",
    seed,
    verifyIr: true,
    maxInstructions: MAX_INSTRUCTIONS,
  });
  if (execution === "suspended") suspendOften(guest, seed);
  const end = guest.run();
  const wrong = [...end.violations];
  if (!isPossibleEnd(end)) wrong.push(`${end.kind}: ${end.text}, status ${end.status}`);
  return wrong.length === 0 ? [] : [`seed ${seed} (${kind}, ${execution}, ${arch})`, ...wrong];
}

/** A guest ends by itself, by a signal or at the limit; nothing that it does stops the machine otherwise. */
function isPossibleEnd(end: GuestEnd): boolean {
  return end.kind === "power-off" || (end.kind === "limit" && end.status === 124);
}

function suspendOften(guest: Guest, seed: number): void {
  const random = new RandomNumbers(seed + 1);
  const { scheduler } = guest.session.machine;
  const original = scheduler.next.bind(scheduler);
  scheduler.next = () => {
    const core = original();
    if (core !== null) {
      core.budget.exploring = true;
      core.budget.left = 1 + random.below(LONGEST_STRETCH);
    }
    return core;
  };
}
