/** Runs litmus tests on the machine of their architecture. */
import { Aarch64LitmusWorld } from "./aarch64/world.ts";
import { atomsOf, holds } from "./condition.ts";
import { type Bounds, DEFAULT_BOUNDS, type Exploration, explore, type LitmusMachine } from "./explore.ts";
import type { FinalState, LitmusOutcome, LitmusResult, Vacuity, WitnessStep } from "./result.ts";
import type { Enumeration } from "./speculation.ts";
import { type Atom, essentials, type LitmusTest, type LitmusVariant, verdictOf, without } from "./test.ts";
import { X86LitmusWorld } from "./x86-64/world.ts";

export interface LitmusOptions {
  readonly bounds?: Bounds;
  /** Whether each operation that the verdict rests on is removed once, to see that it matters. */
  readonly vacuity: "checked" | "unchecked";
  /** What of TLB content is enumerated; `relevant` unless it is to be compared with everything. */
  readonly enumeration?: Enumeration;
  /** The architecture's base model unless another one is asked for. */
  readonly variant?: LitmusVariant;
}

/** @throws UserError if the machine cannot hold the test */
export function runLitmusTest(given: LitmusTest, options: LitmusOptions): LitmusResult {
  const { bounds = DEFAULT_BOUNDS, variant = "base" } = options;
  const test = { ...given, verdict: verdictOf(given, variant) };
  const open = opener(test, options, variant);
  if (open === null) {
    const nothing = { states: 0, transitions: 0, exceeded: null };
    return { test, variant, outcome: "no-machine", ...nothing, bounds, finals: [], witness: [], vacuity: [] };
  }
  const { exploration, finals, strayed, witness } = exploreTest(open(test), test, bounds);
  const vacuity = options.vacuity === "checked" ? checkVacuity(test, open, bounds) : [];
  return {
    test,
    variant,
    outcome: judge(test, exploration, finals, strayed),
    ...exploration,
    bounds,
    finals,
    witness,
    vacuity,
  };
}

type Opener = (test: LitmusTest) => LitmusMachine;

/** What makes the machine of a test; null: there is none. */
function opener(test: LitmusTest, { enumeration }: LitmusOptions, variant: LitmusVariant): Opener | null {
  switch (test.architecture) {
    case "x86-64":
      return (each) => new X86LitmusWorld(each, enumeration);
    case "aarch64":
      return (each) => new Aarch64LitmusWorld(each, enumeration, variant);
    case "ppc64":
      return null;
  }
}

interface Explored {
  readonly exploration: Exploration;
  readonly finals: readonly FinalState[];
  /** A final state satisfied none of the permitted ones. */
  readonly strayed: boolean;
  readonly witness: readonly WitnessStep[];
}

function exploreTest(world: LitmusMachine, test: LitmusTest, bounds: Bounds): Explored {
  const atoms = distinctAtoms(test);
  const finals = new Map<string, FinalState>();
  let strayed = false;
  let answer = null as readonly number[] | null;
  const initial = new Int32Array(world.stateWords);
  world.save(initial);
  const exploration = explore(world, bounds, (path) => {
    const truth = (atom: Atom): boolean => world.truth(atom);
    const text = atoms.map((atom) => world.observe(atom)).join(" ");
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

function checkVacuity(test: LitmusTest, open: Opener, bounds: Bounds): Vacuity[] {
  return essentials(test).map((operation) => {
    const changed = without(test, operation);
    const { exploration, finals, strayed } = exploreTest(open(changed), changed, bounds);
    const outcome = judge(test, exploration, finals, strayed);
    return { without: operation.text, reached: outcome === "reached" ? 1 : 0 };
  });
}
