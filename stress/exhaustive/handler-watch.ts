/** Which events of a core belong to an interrupt handler: from the acceptance on, until what it interrupted goes on. */
import type { Core, Phase } from "../../emu/cores/index.ts";
import { AGENTS_PER_CORE, type Agent, ROLE_INTERRUPT } from "../../emu/schedulers/index.ts";
import type { Context, Kernel } from "../../kernel/index.ts";

/** Where a core was when it accepted an interrupt: back there, the handler is over. */
interface Interrupted {
  readonly phase: Phase;
  readonly depth: number;
  readonly context: Context;
  /** It is the idle task's: when another task runs, the handler is over too. */
  readonly isIdle: boolean;
  /** The kernel has been entered. */
  entered: boolean;
}

export class HandlerWatch {
  readonly #kernel: Kernel;
  /** By core. */
  readonly #interrupted: (Interrupted | null)[] = [];

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** A run begins. */
  begun(cores: readonly Core[]): void {
    for (const { id } of cores) this.#interrupted[id] = null;
  }

  /** An event of a core, or of its interrupts, is over; true: it is one of a handler. @param before the core's phase before it */
  ended(core: Core, agent: Agent, before: Phase): boolean {
    const { id, phase } = core;
    const k = this.#kernel.current[id]!;
    const depth = k.traps.length;
    const interrupted = this.#interrupted[id]!;
    if (agent % AGENTS_PER_CORE >= ROLE_INTERRUPT) {
      const isIdle = k.task?.idle === true;
      this.#interrupted[id] ??= { phase: before, depth, context: k, isIdle, entered: false };
      return false;
    }
    if (interrupted === null) return false;
    const { context, isIdle } = interrupted;
    if (k === context && depth > interrupted.depth) interrupted.entered = true;
    // What was interrupted goes on in the event in which the handler ends: it is no event of the handler any more.
    const isBack = isIdle
      ? k !== context || (depth === interrupted.depth && phase !== "microcode")
      : k === context && depth === interrupted.depth && phase === interrupted.phase;
    if (isBack && interrupted.entered) this.#interrupted[id] = null;
    else return true;
    return false;
  }
}
