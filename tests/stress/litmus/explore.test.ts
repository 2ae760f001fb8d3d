import { describe, expect, it } from "vitest";
import { explore, type LitmusWorld } from "../../../stress/litmus/explore.ts";
import { readLitmusTest, runLitmusTest } from "../../../stress/litmus/index.ts";

/** Counters that are raised by one, each up to a limit: as many states as the product, one of them final. */
class Counters implements LitmusWorld {
  readonly stateWords: number;
  readonly #values: Int32Array;
  readonly #limit: number;

  constructor(count: number, limit: number) {
    this.stateWords = count;
    this.#values = new Int32Array(count);
    this.#limit = limit;
  }

  choices(into: Int32Array): number {
    let count = 0;
    this.#values.forEach((value, i) => {
      if (value < this.#limit) into[count++] = i;
    });
    return count;
  }

  take(choice: number): void {
    this.#values[choice]!++;
  }

  save(into: Int32Array): void {
    into.set(this.#values);
  }

  restore(from: Int32Array): void {
    this.#values.set(from);
  }

  key(): number {
    return this.#values.reduce((key, value) => key * (this.#limit + 1) + value, 0);
  }

  isFinal(): boolean {
    return this.#values.every((value) => value === this.#limit);
  }
}

const BOUNDS = { maxStates: 10_000, maxDepth: 100 };

describe("exploration", () => {
  it("visits every state once, whatever the number of ways to it", () => {
    let finals = 0;
    const result = explore(new Counters(3, 4), BOUNDS, () => finals++);
    expect(result).toEqual({ states: 125, transitions: 3 * 4 * 25, exceeded: null });
    expect(finals).toBe(1);
  });

  it("names the bound that it reached", () => {
    const run = (bounds: typeof BOUNDS): string | null =>
      explore(new Counters(3, 4), bounds, () => {}).exceeded;
    expect(run({ ...BOUNDS, maxStates: 124 })).toBe("maxStates");
    expect(run({ ...BOUNDS, maxStates: 125 })).toBeNull();
    expect(run({ ...BOUNDS, maxDepth: 12 })).toBe("maxDepth");
    expect(run({ ...BOUNDS, maxDepth: 13 })).toBeNull();
  });
});

const FALSE_CLAIM = `X86_64 t
{ x=1; }
 P0                 ;
 MOV [PTE(x)],(P:0) ;
 L0: MOV RBX,[x]    ;
~exists (0:RBX=1 /\\ ~fault(P0:L0,x))
`;

function outcome(text: string, bounds = BOUNDS): string {
  return runLitmusTest(readLitmusTest("f", text), { vacuity: "unchecked", bounds }).outcome;
}

describe("the result of a test", () => {
  it("is `reached` where a forbidden outcome can happen", () => {
    expect(outcome(FALSE_CLAIM)).toBe("reached");
  });

  it("is `reached` where a final state lies outside the permitted ones", () => {
    const text = FALSE_CLAIM.replace("~exists", "exists");
    expect(outcome(text)).toBe("ok");
    expect(outcome(`${text}permitted (fault(P0:L0,x))\n`)).toBe("reached");
  });

  it("is `reached` where a required outcome can fail", () => {
    expect(outcome(FALSE_CLAIM.replace(/~exists.*/, "forall (fault(P0:L0,x))"))).toBe("reached");
  });

  it("is `incomplete` when a bound ends the exploration before it found anything", () => {
    const sound = FALSE_CLAIM.replace(" L0:", " INVLPG [x]         ;\n L0:");
    expect(outcome(sound)).toBe("ok");
    expect(outcome(sound, { maxStates: 3, maxDepth: 100 })).toBe("incomplete");
  });

  it("is `no-final-state` when a thread waits for ever", () => {
    const text = "X86_64 t\n{ x=0; }\n P0 ;\n AWAIT [x],$1 ;\n MOV RBX,[x] ;\n~exists (0:RBX=2)\n";
    expect(outcome(text)).toBe("no-final-state");
  });

  it("is the same every time, counts included", () => {
    const text = FALSE_CLAIM.replace(" P0                 ;", " P0                 ;\n MOV [x],$2 ;");
    const run = (): object => {
      const { test: _, ...rest } = runLitmusTest(readLitmusTest("f", text), { vacuity: "unchecked" });
      return rest;
    };
    expect(run()).toEqual(run());
  });
});
