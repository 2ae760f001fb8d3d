/** One guest on one machine, for tests and measurements: what it wrote, how it ended, and its hashes. */
import { GuestOutput } from "../../emu/cli/guest-output.ts";
import { type Program, programPath, programs, readProgram } from "../../emu/cli/programs.ts";
import { Session } from "../../emu/cli/session.ts";
import { violationLines } from "../../emu/cli/verdict.ts";
import { MACHINE_MODELS } from "../../emu/machines/index.ts";
import type { TraceSink } from "../../emu/trace.ts";

export interface GuestOptions {
  /** Name of a program that comes with Faultline, or the bytes of an ELF file. */
  readonly program: string | Uint8Array;
  /** Arguments; default: those of the program's table. */
  readonly args?: readonly string[];
  /** Name of a machine; default: the first of the list. */
  readonly machine?: string;
  readonly design?: string;
  readonly cpus?: number;
  readonly tlb?: "typical" | "adversarial";
  readonly scheduler?: "timed" | "random";
  readonly seed?: number;
  readonly ledger?: "on" | "off";
  readonly memoryBytes?: number;
  readonly maxInstructions?: number;
  readonly timeoutSeconds?: number;
  readonly verifyIr?: boolean;
  readonly sink?: TraceSink;
}

export interface GuestEnd {
  readonly kind: string;
  readonly text: string;
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Kernel lines after the start of the first program. */
  readonly messages: readonly string[];
  /** What the kernel's assertions and the ledger reported. */
  readonly violations: readonly string[];
}

/** The command line's default. */
const MEMORY_BYTES: number = 256 * 2 ** 20;
/** Enough for every program of the matrix many times over. */
const MAX_INSTRUCTIONS = 2_000_000_000;
const TIMEOUT_SECONDS = 120;

export class Guest {
  readonly session: Session;
  readonly output: GuestOutput;
  readonly #stdout: Uint8Array[] = [];
  readonly #stderr: Uint8Array[] = [];

  constructor(options: GuestOptions) {
    const model = MACHINE_MODELS.find((each) => each.name === options.machine) ?? MACHINE_MODELS[0]!;
    this.output = new GuestOutput((stream, bytes) => {
      if (stream === "stdout") this.#stdout.push(bytes.slice());
      else if (stream === "stderr") this.#stderr.push(bytes.slice());
    });
    const known = typeof options.program === "string" ? findProgram(options.program) : null;
    const args = options.args ?? known?.args ?? [];
    this.session = new Session({
      model,
      cpus: options.cpus ?? 4,
      memoryBytes: options.memoryBytes ?? MEMORY_BYTES,
      design: options.design ?? "classic",
      seed: options.seed ?? 1,
      scheduler: options.scheduler ?? "timed",
      tlb: options.tlb ?? "typical",
      ledger: options.ledger ?? "off",
      verifyIr: options.verifyIr ?? false,
      maxInstructions: options.maxInstructions ?? MAX_INSTRUCTIONS,
      timeoutSeconds: options.timeoutSeconds ?? TIMEOUT_SECONDS,
      image: known === null ? (options.program as Uint8Array) : readProgram(programPath(model.arch, known)),
      argv: [known?.name ?? "guest", ...args],
      sink: options.sink ?? null,
      console: this.output.console,
    });
  }

  /** Runs to the end of the machine or a limit. */
  run(): GuestEnd {
    const { kind, text, status } = this.session.run();
    return {
      kind,
      text,
      status,
      stdout: decode(this.#stdout),
      stderr: decode(this.#stderr),
      messages: this.output.messages,
      violations: violationLines(this.session),
    };
  }

  /** Trace hash and state hash of the machine as it is now. */
  hashes(): string {
    const { machine } = this.session;
    return `${machine.events.hash} ${machine.stateHash()}`;
  }
}

export function findProgram(name: string): Program {
  const program = programs().find((each) => each.name === name);
  if (program === undefined) throw new Error(`there is no program ${name}`);
  return program;
}

function decode(parts: readonly Uint8Array[]): string {
  return Buffer.concat(parts).toString("utf8");
}
