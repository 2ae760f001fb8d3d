/** The matrix: every architecture × program × fault design × number of cores × TLB policy × schedule. */
import { programs } from "../../emu/cli/programs.ts";
import { MACHINE_MODELS } from "../../emu/machines/index.ts";
import { listDesigns } from "../../kernel/index.ts";
import { findProgram, Guest, type GuestEnd } from "./guest.ts";

export interface Combination {
  /** Name of an architecture; its first machine is meant. */
  readonly arch: string;
  readonly program: string;
  readonly design: string;
  readonly cpus: number;
  readonly tlb: "typical" | "adversarial";
  readonly scheduler: "timed" | "random";
  readonly seed: number;
}

export const ARCHES: readonly string[] = [...new Set(MACHINE_MODELS.map((model) => model.arch))];
export const CPUS: readonly number[] = [1, 2, 4, 16];
const TLBS = ["typical", "adversarial"] as const;
/** Seeds of the random scheduler. */
const RANDOM_SEEDS = 20;
/** Cores × TLB policies, schedules, and what each program has of both on each architecture and under each design. */
const MACHINES: number = CPUS.length * TLBS.length;
const SCHEDULES: number = RANDOM_SEEDS + 1;
const TURNS: number = MACHINES * SCHEDULES;

/** The order keeps combinations that take equally long apart, so that work spreads evenly. */
export function allCombinations(): Combination[] {
  const combinations: Combination[] = [];
  for (let seed = 0; seed <= RANDOM_SEEDS; seed++) {
    const scheduler = seed === 0 ? "timed" : "random";
    for (const { name } of programs().filter((program) => program.matrix)) {
      for (const { arch, design } of sides()) {
        for (const cpus of CPUS) {
          for (const tlb of TLBS) {
            combinations.push({ arch, program: name, design, cpus, tlb, scheduler, seed: Math.max(1, seed) });
          }
        }
      }
    }
  }
  return combinations;
}

/** What each program is run under. */
function sides(): { arch: string; design: string }[] {
  return ARCHES.flatMap((arch) => listDesigns().map(({ name: design }) => ({ arch, design })));
}

/**
 * A fixed sample, evenly spread: programs and sides take turns, and each turn gives a pair of them another number of cores, TLB policy and schedule, `timed` in one turn of four at first. The longest sample is all combinations.
 * @param most combinations, of which there may be fewer
 */
export function sample(most: number): Combination[] {
  const names = programs().filter((program) => program.matrix);
  const all = sides();
  const pairs = names.length * all.length;
  const step = stepThrough(pairs);
  const total = Math.min(most, pairs * TURNS);
  return Array.from({ length: total }, (_, at) => {
    const pair = (at * step) % pairs;
    const place = Math.floor(pair / all.length);
    const side = pair % all.length;
    const turn = Math.floor(at / pairs);
    // Turns in groups of four, each pair beginning elsewhere in the group.
    const own = turn - (turn % 4) + ((turn + (at % pairs)) % 4);
    // The numbers of machines and of schedules have no common factor: each turn is another combination of both.
    const machine = (own + place) % MACHINES;
    const schedule = own % SCHEDULES;
    return {
      ...all[side]!,
      program: names[place]!.name,
      cpus: CPUS[machine % CPUS.length]!,
      tlb: TLBS[(machine + Math.floor(machine / CPUS.length)) % TLBS.length]!,
      scheduler: schedule === 0 ? "timed" : "random",
      seed: schedule === 0 ? 1 : 1 + ((schedule - 1 + place * 7 + side * 3) % RANDOM_SEEDS),
    };
  });
}

/** A step that reaches every one of `count` places, far from the one before: near the golden section, no factor shared. */
function stepThrough(count: number): number {
  const shared = (a: number, b: number): number => (b === 0 ? a : shared(b, a % b));
  let step = Math.max(1, Math.round(count * 0.618));
  while (shared(step, count) !== 1) step++;
  return step;
}

/** The command that runs it again. */
export function replayCommand(combination: Combination): string {
  const { arch, program, design, cpus, tlb, scheduler, seed } = combination;
  return (
    `npx faultline run --arch ${arch} --mm ${design} --cpus ${cpus} --tlb ${tlb} --scheduler ${scheduler} ` +
    `--seed ${seed} --ledger on ${program}`
  );
}

/** Runs it. What is wrong; empty: nothing. */
export function checkCombination(combination: Combination, ledger: "on" | "off" = "on"): string[] {
  const { arch, program, ...rest } = combination;
  const machine = MACHINE_MODELS.find((model) => model.arch === arch)!.name;
  return faultsOf(new Guest({ ...rest, machine, program, ledger }).run(), findProgram(program).exitStatus);
}

/** What is wrong with an end; empty: nothing. */
export function faultsOf(end: GuestEnd, expected: number | null): string[] {
  const wrong = [...end.violations];
  if (end.kind !== "power-off") wrong.push(`${end.kind}: ${end.text}`);
  else if (end.status !== expected) wrong.push(`exit status ${end.status} instead of ${expected}`);
  if (wrong.length > 0) wrong.push(...tail(end.stderr), ...end.messages.slice(-20));
  return wrong;
}

function tail(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .slice(-20);
}
