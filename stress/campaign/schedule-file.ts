/**
 * A schedule as a text file: everything that decides a run, and what the run showed. One item a line; the decisions are
 * segments, an agent and how many events it took in a row. Agents are written as role and core: c core, m its MMU,
 * i its interrupt, t its timer, b the broadcasts to it.
 *
 *     faultline schedule 1
 *     scenario fault-vs-munmap
 *     machine x86-64
 *     design spf-mm+A01
 *     tlb typical
 *     seed 17
 *     found pct depth 3, run 17 of seed 1
 *     invariant I1
 *     signature I1 structure: zap_pte_range / do_anonymous_page
 *     trace 0123456789abcdef
 *     absent 2
 *     failures 0 3
 *     run c0 12 m0 3 c1 40
 */
import { AGENTS_PER_CORE, type Agent, type Decisions } from "../../emu/schedulers/index.ts";
import { UserError } from "../../emu/user-error.ts";

export interface Schedule {
  readonly scenario: string;
  readonly machine: string;
  /** With its broken variant, if any. */
  readonly design: string;
  readonly tlb: "typical" | "adversarial";
  /** Stored in scenario_seed, and decides how the run ends (exit for real or not). */
  readonly seed: number;
  /** Kernel assertions that did not count. */
  readonly assertionsOff: readonly string[];
  /** How it was found, in words. */
  readonly found: string;
  readonly invariant: string;
  readonly signature: string;
  /** Trace hash of the run: a replay has the same. */
  readonly trace: string;
  /** Threads that take no part. */
  readonly absent: readonly number[];
  readonly decisions: Decisions;
}

const HEADER = "faultline schedule 1";
const ROLES = "cmitb";
/** Segments in a line. */
const PER_LINE = 12;
const MAX_SEGMENTS = 1_000_000;

export function formatSchedule(schedule: Schedule): string {
  const { decisions } = schedule;
  const lines = [
    HEADER,
    `scenario ${schedule.scenario}`,
    `machine ${schedule.machine}`,
    `design ${schedule.design}`,
    `tlb ${schedule.tlb}`,
    `seed ${schedule.seed}`,
    `found ${schedule.found}`,
    `invariant ${schedule.invariant}`,
    `signature ${schedule.signature}`,
    `trace ${schedule.trace}`,
  ];
  for (const name of schedule.assertionsOff) lines.push(`assertion-off ${name}`);
  if (schedule.absent.length > 0) lines.push(`absent ${schedule.absent.join(" ")}`);
  if (decisions.failures.length > 0) lines.push(`failures ${decisions.failures.join(" ")}`);
  for (let at = 0; at < decisions.segments.length; at += PER_LINE) {
    const part = decisions.segments.slice(at, at + PER_LINE);
    lines.push(`run ${part.map(([agent, events]) => `${agentName(agent)} ${events}`).join(" ")}`);
  }
  return `${lines.join("\n")}\n`;
}

/** @param file its name, for messages @throws UserError */
export function parseSchedule(text: string, file: string): Schedule {
  const lines = text.split(/\r?\n/);
  const fail = (line: number, what: string): never => {
    throw new UserError(what, `${file}, line ${line + 1}`, "give a file that `faultline stress` wrote");
  };
  if (lines[0] !== HEADER) {
    const version = /^faultline schedule (\d+)$/.exec(lines[0] ?? "")?.[1];
    if (version !== undefined) fail(0, `format ${version} of schedule files is of another version than this`);
    fail(0, `a schedule file begins with "${HEADER}"`);
  }
  const single = new Map<string, string>();
  /** Where each item is. */
  const places = new Map<string, number>();
  const assertionsOff: string[] = [];
  const segments: [Agent, number][] = [];
  for (let at = 1; at < lines.length; at++) {
    const line = lines[at]!;
    if (line.trim() === "" || line.startsWith("#")) continue;
    const space = line.indexOf(" ");
    const key = space < 0 ? line : line.slice(0, space);
    const value = space < 0 ? "" : line.slice(space + 1);
    if (key === "run") readSegments(value, segments, (what) => fail(at, what));
    else if (key === "assertion-off") assertionsOff.push(value);
    else if (!KEYS.has(key)) fail(at, `there is no item "${key}"`);
    else if (single.has(key)) fail(at, `"${key}" is there twice`);
    else {
      single.set(key, value);
      places.set(key, at);
    }
  }
  const failAt =
    (key: string): Fail =>
    (what) =>
      fail(places.get(key) ?? 0, what);
  const item = (key: string): string =>
    single.get(key) ?? fail(lines.length - 1, `the item "${key}" is missing`);
  const tlb = item("tlb");
  if (tlb !== "typical" && tlb !== "adversarial")
    return failAt("tlb")(`tlb is typical or adversarial, not ${tlb}`);
  const invariant = item("invariant");
  const signature = item("signature");
  if (!signature.startsWith(`${invariant} `))
    failAt("invariant")(`invariant ${invariant} is not the one of signature ${signature}`);
  return {
    scenario: item("scenario"),
    machine: item("machine"),
    design: item("design"),
    tlb,
    seed: number(item("seed"), failAt("seed")),
    assertionsOff,
    found: item("found"),
    invariant,
    signature,
    trace: item("trace"),
    absent: numbers(single.get("absent"), failAt("absent")),
    decisions: { segments, failures: numbers(single.get("failures"), failAt("failures")) },
  };
}

/** As files and stories name an agent: c0, m1, i0, t3. */
export function agentName(agent: Agent): string {
  return `${ROLES[agent % AGENTS_PER_CORE]}${Math.floor(agent / AGENTS_PER_CORE)}`;
}

const KEYS: ReadonlySet<string> = new Set([
  "scenario",
  "machine",
  "design",
  "tlb",
  "seed",
  "found",
  "invariant",
  "signature",
  "trace",
  "absent",
  "failures",
]);

type Fail = (what: string) => never;

function readSegments(text: string, into: [Agent, number][], fail: Fail): void {
  const words = text.split(" ");
  if (words.length % 2 !== 0) fail("a run is agents and numbers in turn");
  for (let at = 0; at < words.length; at += 2) {
    const name = words[at]!;
    const role = ROLES.indexOf(name[0] ?? "?");
    if (role < 0 || !/^.\d{1,4}$/.test(name)) fail(`"${name}" is no agent`);
    if (into.length >= MAX_SEGMENTS) fail(`more than ${MAX_SEGMENTS} segments`);
    into.push([Number(name.slice(1)) * AGENTS_PER_CORE + role, number(words[at + 1]!, fail)]);
  }
}

function number(text: string, fail: Fail): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : fail(`"${text}" is no number`);
}

function numbers(text: string | undefined, fail: Fail): number[] {
  return text === undefined || text === "" ? [] : text.split(" ").map((word) => number(word, fail));
}
