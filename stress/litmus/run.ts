/** Runs litmus tests on the machine of their architecture. */
import { atomsOf, holds } from "./condition.ts";
import { type Bounds, DEFAULT_BOUNDS, type Exploration, explore } from "./explore.ts";
import type { FinalState, LitmusOutcome, LitmusResult, Vacuity, WitnessStep } from "./result.ts";
import { type Atom, essentials, type LitmusTest, without } from "./test.ts";
import { observe, truthIn } from "./x86-64/observation.ts";
import type { Enumeration } from "./x86-64/speculation.ts";
import { X86LitmusWorld } from "./x86-64/world.ts";

export interface LitmusOptions {
  readonly bounds?: Bounds;
  /** Whether each operation that the verdict rests on is removed once, to see that it matters. */
  readonly vacuity: "checked" | "unchecked";
  /** What of TLB content is enumerated; `relevant` unless it is to be compared with everything. */
  readonly enumeration?: Enumeration;
}

/** @throws UserError if the machine cannot hold the test */
export function runLitmusTest(test: LitmusTest, options: LitmusOptions): LitmusResult {
  const bounds = options.bounds ?? DEFAULT_BOUNDS;
  if (test.architecture !== "x86-64") {
    const nothing = { states: 0, transitions: 0, exceeded: null };
    return { test, outcome: "no-machine", ...nothing, bounds, finals: [], witness: [], vacuity: [] };
  }
  const { exploration, finals, strayed, witness } = exploreX86(test, bounds, options.enumeration);
  const vacuity = options.vacuity === "checked" ? checkVacuity(test, bounds) : [];
  return {
    test,
    outcome: judge(test, exploration, finals, strayed),
    ...exploration,
    bounds,
    finals,
    witness,
    vacuity,
  };
}

interface Explored {
  readonly exploration: Exploration;
  readonly finals: readonly FinalState[];
  /** A final state satisfied none of the permitted ones. */
  readonly strayed: boolean;
  readonly witness: readonly WitnessStep[];
}

function exploreX86(test: LitmusTest, bounds: Bounds, enumeration?: Enumeration): Explored {
  const world = new X86LitmusWorld(test, enumeration);
  const atoms = distinctAtoms(test);
  const finals = new Map<string, FinalState>();
  let strayed = false;
  let answer = null as readonly number[] | null;
  const initial = new Int32Array(world.stateWords);
  world.save(initial);
  const exploration = explore(world, bounds, (path) => {
    const truth = (atom: Atom): boolean => truthIn(world, atom);
    const text = atoms.map((atom) => observe(world, atom)).join(" ");
    const satisfied = holds(test.question, truth);
    const strays = test.permitted.length > 0 && !test.permitted.some((state) => holds(state, truth));
    if (!finals.has(text)) finals.set(text, { text, holds: satisfied ? 1 : 0 });
    if (answer === null && (strays || satisfied === (test.verdict !== "required"))) answer = [...path];
    strayed ||= strays;
  });
  world.restore(initial);
  return {
    exploration,
    finals: [...finals.values()].sort((a, b) => (a.text < b.text ? -1 : 1)),
    strayed,
    witness: (answer ?? []).map((choice) => world.narrate(choice)),
  };
}

/** What the question and the permitted states look at, each once. */
function distinctAtoms(test: LitmusTest): Atom[] {
  const atoms = new Map<string, Atom>();
  for (const atom of [test.question, ...test.permitted].flatMap(atomsOf)) {
    const key =
      atom.kind === "register"
        ? `${atom.core}:${atom.name}`
        : JSON.stringify({ ...atom, value: atom.kind === "place" ? "" : atom });
    if (!atoms.has(key)) atoms.set(key, atom);
  }
  return [...atoms.values()];
}

function judge(
  test: LitmusTest,
  { exceeded }: Exploration,
  finals: readonly FinalState[],
  strayed: boolean,
): LitmusOutcome {
  const satisfied = finals.some((state) => state.holds === 1);
  const violated = finals.some((state) => state.holds === 0);
  if (strayed || (test.verdict === "forbidden" && satisfied) || (test.verdict === "required" && violated)) {
    return "reached";
  }
  if (test.verdict === "allowed" && satisfied) return "ok";
  if (exceeded !== null) return "incomplete";
  if (finals.length === 0) return "no-final-state";
  if (test.verdict === "allowed") return "Inexpressible" in test.settings ? "inexpressible" : "unwitnessed";
  return test.verdict === "unspecified" || test.verdict === "unstated" ? "informative" : "ok";
}

function checkVacuity(test: LitmusTest, bounds: Bounds): Vacuity[] {
  return essentials(test).map((operation) => {
    const { exploration, finals, strayed } = exploreX86(without(test, operation), bounds);
    const outcome = judge(test, exploration, finals, strayed);
    return { without: operation.text, reached: outcome === "reached" ? 1 : 0 };
  });
}
