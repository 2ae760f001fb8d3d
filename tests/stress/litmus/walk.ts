/** Random paths through a litmus machine, of any architecture. */
import { expect } from "vitest";
import { RandomNumbers } from "../../../emu/schedulers/index.ts";
import { type LitmusMachine, MAX_CHOICES } from "../../../stress/litmus/explore.ts";

const PATH_LENGTH = 60;

/** A path of random choices and the key after each, going back and forth at every state or never. */
export function walk(world: LitmusMachine, seed: number, going: "straight" | "back and forth"): number[] {
  const random = new RandomNumbers(seed);
  const choices = new Int32Array(MAX_CHOICES);
  const here = new Int32Array(world.stateWords);
  const keys: number[] = [];
  for (let step = 0; step < PATH_LENGTH; step++) {
    const count = world.choices(choices);
    if (count === 0) break;
    const chosen = random.below(count);
    if (going === "back and forth") {
      world.save(here);
      const key = world.key();
      for (let i = 0; i < count; i++) {
        world.take(choices[i]!);
        world.restore(here);
        expect(world.key()).toBe(key);
      }
    }
    world.take(choices[chosen]!);
    keys.push(world.key());
  }
  return keys;
}
