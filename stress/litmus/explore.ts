/**
 * Exhaustive exploration of a litmus machine: depth first over all choices, without going on from a state that was
 * reached before. States are recognised by a 53-bit hash (hash compaction: P. Wolper, D. Leroy, "Reliable hashing without
 * collision detection", CAV 1993): with 200,000 states, two of them are confused with a probability of about 2 in a
 * million.
 */
import type { WitnessStep } from "./result.ts";
import type { Atom } from "./test.ts";

/** A machine that can go back: what a choice number means is its own business. */
export interface LitmusWorld {
  /** Words that save() needs. */
  readonly stateWords: number;
  /** Puts what can happen next into the list, in a fixed order; returns how many. At most MAX_CHOICES. */
  choices(into: Int32Array): number;
  take(choice: number): void;
  save(into: Int32Array): void;
  restore(from: Int32Array): void;
  /** A number below 2^53, equal for states with the same future. */
  key(): number;
  /** Every thread has come to its end. */
  isFinal(): boolean;
}

/** The machine of a test: it says what a choice was, and what the question asks of a final state. */
export interface LitmusMachine extends LitmusWorld {
  /** Takes a choice, and says what it was. */
  narrate(choice: number): WitnessStep;
  truth(atom: Atom): boolean;
  observe(atom: Atom): string;
}

export const MAX_CHOICES = 512;

export interface Bounds {
  /** Distinct states. */
  readonly maxStates: number;
  /** Choices from the initial state to any other. */
  readonly maxDepth: number;
}

export const DEFAULT_BOUNDS: Bounds = { maxStates: 200_000, maxDepth: 2_000 };

export interface Exploration {
  readonly states: number;
  /** Choices taken. */
  readonly transitions: number;
  /** Name of the bound that was reached; null: everything was explored. */
  readonly exceeded: keyof Bounds | null;
}

/**
 * Explores from the present state on, and leaves the world in some other state.
 * @param onFinal called in each final state with the choices that led to it
 */
export function explore(
  world: LitmusWorld,
  bounds: Bounds,
  onFinal: (path: readonly number[]) => void,
): Exploration {
  const visited = new Set<number>();
  const snapshots: Int32Array[] = [];
  const lists: Int32Array[] = [];
  const path: number[] = [];
  let transitions = 0;
  let exceeded: keyof Bounds | null = null;

  const visit = (depth: number): void => {
    const key = world.key();
    if (visited.has(key)) return;
    if (visited.size >= bounds.maxStates || depth >= bounds.maxDepth) {
      exceeded = visited.size >= bounds.maxStates ? "maxStates" : "maxDepth";
      return;
    }
    visited.add(key);
    if (world.isFinal()) onFinal(path);
    const choices = (lists[depth] ??= new Int32Array(MAX_CHOICES));
    const snapshot = (snapshots[depth] ??= new Int32Array(world.stateWords));
    const count = world.choices(choices);
    world.save(snapshot);
    for (let i = 0; i < count && exceeded !== "maxStates"; i++) {
      if (i > 0) world.restore(snapshot);
      world.take(choices[i]!);
      transitions++;
      path.push(choices[i]!);
      visit(depth + 1);
      path.pop();
    }
  };
  visit(0);
  return { states: visited.size, transitions, exceeded };
}
