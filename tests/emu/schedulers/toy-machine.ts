/** A machine of a few cores with a few words, for schedulers that explore: what the search makes of it can be counted. */
import {
  AGENTS_PER_CORE,
  type Agent,
  type Choices,
  type EventWatch,
  Exhaustive,
  type ExhaustiveOptions,
  NO_AGENT,
  ROLE_INTERRUPT,
} from "../../../emu/schedulers/index.ts";

/**
 * One event of a core. `lock` is possible while the word is 0; `await` looks, and waits until the word is not 0; `hide`
 * changes a word that only `see` reads and that is no part of the final state; `send` interrupts a core; `mask` 1 holds
 * interrupts off.
 */
export type ToyOperation =
  | { readonly kind: "read" | "write" | "lock" | "unlock" | "await" | "hide" | "see"; readonly word: number }
  | { readonly kind: "send"; readonly core: number }
  | { readonly kind: "mask"; readonly masked: 0 | 1 }
  | { readonly kind: "none" };

export interface ToyProgram {
  readonly words: number;
  readonly cores: readonly (readonly ToyOperation[])[];
  /** Of each core. */
  readonly handlers: readonly (readonly ToyOperation[])[];
}

export interface ToySearch {
  readonly finals: ReadonlySet<string>;
  readonly schedules: number;
}

class ToyCore {
  at = 0;
  /** Place in the handler, or -1. */
  handling = -1;
  masked = 0;
  pending = 0;
  /** The word that it waits for, or -1. */
  awaited = -1;
  /** What it has read, and what its handler has. */
  seen = "";
  handlerSeen = "";
}

export class ToyMachine implements EventWatch {
  readonly #program: ToyProgram;
  readonly #cores: readonly ToyCore[];
  readonly #words: Int32Array;
  readonly #hidden: Int32Array;
  search!: Exhaustive;
  #handled = false;
  #isBarrier = false;

  constructor(program: ToyProgram) {
    this.#program = program;
    this.#words = new Int32Array(program.words);
    this.#hidden = new Int32Array(program.words);
    this.#cores = program.cores.map(() => new ToyCore());
  }

  begun(): void {}

  ended(agent: Agent): void {
    if (this.#handled) this.search.inHandler((agent / AGENTS_PER_CORE) | 0);
    if (this.#isBarrier) this.search.barrier();
  }

  /** One schedule; its final state, or null if it was given up or nobody can go on. */
  run(): string | null {
    const choices: Choices = {
      agents: new Int32Array(this.#cores.length * AGENTS_PER_CORE),
      count: 0,
      current: NO_AGENT,
      continues: false,
      spins: false,
    };
    this.#words.fill(0);
    this.#hidden.fill(0);
    for (const core of this.#cores) Object.assign(core, new ToyCore());
    this.search.begin();
    let result: string | null = null;
    for (;;) {
      this.#collect(choices);
      if (choices.count === 0) {
        result = `${[...this.#words]} ${this.#cores.map((core) => `${core.at}:${core.seen};${core.handlerSeen}`).join(" ")}`;
        break;
      }
      const agent = this.search.choose(choices);
      if (agent === NO_AGENT) break;
      choices.current = agent;
      this.#step(agent);
    }
    this.search.end();
    return result;
  }

  #collect(choices: Choices): void {
    choices.count = 0;
    choices.continues = false;
    this.#cores.forEach((core, id) => {
      const agent = id * AGENTS_PER_CORE;
      const operation = this.#next(core, id);
      if (operation !== undefined && this.#isPossible(core, operation)) {
        choices.agents[choices.count++] = agent;
        if (choices.current === agent) choices.continues = true;
      }
      if (core.pending === 1 && core.masked === 0 && core.handling < 0) {
        choices.agents[choices.count++] = agent + ROLE_INTERRUPT;
      }
    });
  }

  #isPossible(core: ToyCore, operation: ToyOperation): boolean {
    if (operation.kind === "lock") return this.#words[operation.word] === 0;
    return core.handling >= 0 || core.awaited < 0 || this.#words[core.awaited] !== 0;
  }

  #next(core: ToyCore, id: number): ToyOperation | undefined {
    return core.handling >= 0
      ? this.#program.handlers[id]![core.handling]
      : this.#program.cores[id]![core.at];
  }

  #step(agent: Agent): void {
    const id = (agent / AGENTS_PER_CORE) | 0;
    const core = this.#cores[id]!;
    const handler = this.#program.handlers[id]!;
    this.#handled = this.#isBarrier = false;
    if (agent % AGENTS_PER_CORE === ROLE_INTERRUPT) {
      core.pending = 0;
      core.handling = handler.length === 0 ? -1 : 0;
      return;
    }
    const operation = this.#next(core, id)!;
    this.#handled = core.handling >= 0;
    switch (operation.kind) {
      case "read":
        if (this.#handled) core.handlerSeen += ` ${this.#words[operation.word]}`;
        else core.seen += ` ${this.#words[operation.word]}`;
        this.search.touch(operation.word, 0);
        break;
      case "await":
        this.search.touch(operation.word, 0);
        core.awaited = this.#words[operation.word] === 0 ? operation.word : -1;
        if (core.awaited < 0) break;
        this.search.waits(operation.word);
        return;
      case "hide":
        this.#hidden[operation.word] = this.#hidden[operation.word]! * 10 + id + 1;
        this.search.touchUnseen(this.#program.words + operation.word, 1);
        break;
      case "see":
        core.seen += ` ${this.#hidden[operation.word]}`;
        this.search.touch(this.#program.words + operation.word, 0);
        this.search.sees();
        break;
      case "write":
        this.#words[operation.word] = this.#words[operation.word]! * 10 + id + (this.#handled ? 5 : 1);
        this.search.touch(operation.word, 1);
        break;
      case "lock":
      case "unlock":
        this.#words[operation.word] = operation.kind === "lock" ? 1 : 0;
        this.search.touch(operation.word, 1);
        break;
      case "send":
        this.#cores[operation.core]!.pending = 1;
        this.search.sends(operation.core);
        break;
      case "mask":
        core.masked = operation.masked;
        this.#isBarrier = true;
        break;
      case "none":
        break;
    }
    if (core.handling < 0) core.at++;
    else if (++core.handling === handler.length) core.handling = -1;
  }
}

/** All schedules of a program that the search finds. */
export function searchToy(
  program: ToyProgram,
  options: Pick<ExhaustiveOptions, "reduction"> & { readonly preemptions: number },
): ToySearch {
  const machine = new ToyMachine(program);
  const search = new Exhaustive({
    reduction: options.reduction,
    cores: program.cores.length,
    places: program.words * 2 + 1,
    watch: machine,
  });
  search.bound = options.preemptions;
  machine.search = search;
  let finals = new Set<string>();
  do {
    search.restart();
    finals = new Set();
    do {
      const final = machine.run();
      if (final !== null) finals.add(final);
    } while (search.advance());
  } while (!search.isSettled);
  return { finals, schedules: search.schedules };
}
