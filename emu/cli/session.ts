/**
 * The composition root: one machine, one kernel on it, one init program. What a command wants to see of the run comes
 * through the callbacks; what it wants to know afterwards is in the result.
 */
import { createKernel, type Kernel } from "../../kernel/index.ts";
import type { StopReason } from "../hardware.ts";
import { tuneHostCompiler } from "../host-compiler.ts";
import { Machine, type MachineOptions } from "../machine.ts";
import type { MachineModel } from "../machines/model.ts";
import type { TraceSink } from "../trace.ts";

export interface SessionOptions {
  readonly model: MachineModel;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly design: string;
  readonly seed: number;
  readonly scheduler: MachineOptions["scheduler"];
  readonly tlb: "typical" | "adversarial";
  readonly ledger: "on" | "off";
  readonly verifyIr?: boolean;
  readonly maxInstructions: number;
  readonly timeoutSeconds: number;
  /** The init program and its arguments; argv[0] is the name it is known by. */
  readonly image: Uint8Array;
  readonly argv: readonly string[];
  readonly envp?: readonly string[];
  /** The whole standard input of the init program; called when a program reads for the first time. */
  readonly stdin?: () => Uint8Array;
  readonly sink?: TraceSink | null;
  /** What the guest and its kernel write. */
  console(stream: "stdout" | "stderr" | "kernel", bytes: Uint8Array): void;
  /** Looked at now and then; true: stop. */
  readonly interrupted?: () => boolean;
}

export class Session {
  readonly machine: Machine;
  readonly kernel: Kernel;
  readonly #options: SessionOptions;

  /** @throws UserError if the program cannot be loaded or the machine cannot be built */
  constructor(options: SessionOptions) {
    this.#options = options;
    tuneHostCompiler();
    this.machine = new Machine({
      model: options.model,
      cpus: options.cpus,
      memoryBytes: options.memoryBytes,
      scheduler: options.scheduler,
      tlb: options.tlb,
      seed: options.seed,
      ledger: options.ledger,
      verifyIr: options.verifyIr ?? false,
      console: options.console,
    });
    this.machine.events.sink = options.sink ?? null;
    this.kernel = createKernel(this.machine, options.model.arch, {
      design: options.design,
      seed: options.seed,
      init: {
        image: options.image,
        argv: options.argv,
        envp: options.envp ?? ["PATH=/bin"],
        stdin: options.stdin ?? (() => new Uint8Array(0)),
      },
    });
    this.machine.kernel = this.kernel;
    const kernel = this.kernel;
    this.machine.register("kernel", {
      save: () => kernel.save(),
      restore: (saved) => kernel.restore(saved as Record<string, unknown>),
    });
    kernel.boot();
  }

  /** Runs until the machine stops or a limit is reached. */
  run(): StopReason {
    const deadline = this.#deadline();
    return this.machine.run({
      maxInstructions: this.#options.maxInstructions,
      interrupted: () => Date.now() > deadline || this.#options.interrupted?.() === true,
    });
  }

  /**
   * The same, giving way to the caller between parts of a few milliseconds.
   * @param between true: stop
   */
  async runInParts(between: () => Promise<boolean>): Promise<StopReason> {
    const deadline = this.#deadline();
    for (;;) {
      const reason = this.machine.advance(this.#options.maxInstructions);
      if (reason !== null) return reason;
      if (await between()) this.machine.stop({ kind: "limit", text: "interrupted", status: 130 });
      else if (Date.now() > deadline) this.machine.stop(this.#timeLimit());
    }
  }

  #deadline(): number {
    return Date.now() + this.#options.timeoutSeconds * 1000;
  }

  #timeLimit(): StopReason {
    return {
      kind: "limit",
      text: `it ran for ${this.#options.timeoutSeconds} seconds of host time`,
      status: 124,
    };
  }
}
