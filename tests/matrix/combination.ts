/** The matrix: every program × fault design × number of cores × TLB policy × schedule. */
import { programs } from "../../emu/cli/programs.ts";
import { listDesigns } from "../../kernel/index.ts";
import { findProgram, Guest, type GuestEnd } from "./guest.ts";

export interface Combination {
  readonly program: string;
  readonly design: string;
  readonly cpus: number;
  readonly tlb: "typical" | "adversarial";
  readonly scheduler: "timed" | "random";
  readonly seed: number;
}

export const CPUS: readonly number[] = [1, 2, 4, 16];
const TLBS = ["typical", "adversarial"] as const;
/** Seeds of the random scheduler. */
const RANDOM_SEEDS = 20;

/** The order keeps combinations that take equally long apart, so that work spreads evenly. */
export function allCombinations(): Combination[] {
  const combinations: Combination[] = [];
  for (let seed = 0; seed <= RANDOM_SEEDS; seed++) {
    const scheduler = seed === 0 ? "timed" : "random";
    for (const { name } of programs().filter((program) => program.matrix)) {
      for (const { name: design } of listDesigns()) {
        for (const cpus of CPUS) {
          for (const tlb of TLBS) {
            combinations.push({ program: name, design, cpus, tlb, scheduler, seed: Math.max(1, seed) });
          }
        }
      }
    }
  }
  return combinations;
}

/**
 * A fixed sample: for each program and design the same number of combinations, the first of them `timed`, shifted from
 * one program to the next so that every value of each dimension meets all programs and designs.
 * @param most combinations
 */
export function sample(most: number): Combination[] {
  const names = programs().filter((program) => program.matrix);
  const designs = listDesigns();
  const each = Math.floor(most / (names.length * designs.length));
  const chosen: Combination[] = [];
  for (const [place, { name: program }] of names.entries()) {
    for (const [side, { name: design }] of designs.entries()) {
      const shift = place + side;
      for (let i = 0; i < each; i++) {
        chosen.push({
          program,
          design,
          cpus: CPUS[(shift + i) % CPUS.length]!,
          tlb: TLBS[(shift + i + Math.floor(i / CPUS.length)) % 2]!,
          scheduler: i === 0 ? "timed" : "random",
          seed: i === 0 ? 1 : 1 + ((place * (each - 1) + i - 1 + side) % RANDOM_SEEDS),
        });
      }
    }
  }
  return chosen;
}

/** The command that runs it again. */
export function replayCommand(combination: Combination): string {
  const { program, design, cpus, tlb, scheduler, seed } = combination;
  return (
    `npx faultline run --mm ${design} --cpus ${cpus} --tlb ${tlb} --scheduler ${scheduler} ` +
    `--seed ${seed} --ledger on ${program}`
  );
}

/** Runs it. What is wrong; empty: nothing. */
export function checkCombination(combination: Combination, ledger: "on" | "off" = "on"): string[] {
  const { program, ...machine } = combination;
  return faultsOf(new Guest({ ...machine, program, ledger }).run(), findProgram(program).exitStatus);
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
