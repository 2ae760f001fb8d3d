/** From the options of a command to a session, and from the end of a session to the end of the command. */
import { readSync } from "node:fs";
import { selectDesign } from "../../kernel/index.ts";
import type { MachineModel } from "../machines/model.ts";
import { UserError } from "../user-error.ts";
import { type RunEnd, runToEnd } from "./host.ts";
import { checkMachineArguments, type MachineArguments, memoryBytes } from "./options.ts";
import { Session, type SessionOptions } from "./session.ts";
import { formatNumber } from "./table.ts";
import type { Progress } from "./terminal.ts";
import { TraceFile } from "./trace-file.ts";
import { STATUS_USAGE } from "./verdict.ts";

/** Host time after which a run counts as long and shows its progress. */
const PROGRESS_AFTER_MS = 1000;
const INPUT_PART_BYTES = 65536;
/** Between two looks at an input that has nothing yet. */
const INPUT_PAUSE_MS = 5;

/** The part of SessionOptions that the common options give. @throws UserError */
export function sessionOptions(
  args: MachineArguments,
  model: MachineModel,
): Omit<SessionOptions, "image" | "argv" | "console"> {
  checkMachineArguments(args, model);
  selectDesign(args.mm, "--mm", model.arch);
  return {
    model,
    cpus: args.cpus,
    memoryBytes: memoryBytes(args.mem),
    design: args.mm,
    seed: args.seed,
    scheduler: args.scheduler,
    tlb: args.tlb,
    ledger: args.ledger,
    maxInstructions: args.maxInstructions,
    timeoutSeconds: args.timeout,
  };
}

/** A machine with its options applied. @throws UserError, also if the host has not the memory */
export function openSession(options: SessionOptions): Session {
  try {
    return new Session(options);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const megabytes = Math.ceil(options.memoryBytes / 2 ** 20);
    throw new UserError(
      `the machine does not fit the host: ${error.message}`,
      `--mem ${megabytes}M, --cpus ${options.cpus}`,
      "give it less memory or fewer cores",
    );
  }
}

/** @throws UserError */
export function openTrace(path: string | undefined): TraceFile | null {
  return path === undefined ? null : new TraceFile(path);
}

/** Runs with a progress line that `label` begins. Whoever writes to the terminal clears it first. */
export async function runShowingProgress(
  session: Session,
  label: string,
  progress: Progress,
): Promise<RunEnd> {
  const from = Date.now();
  const end = await runToEnd(session, () => {
    if (Date.now() - from < PROGRESS_AFTER_MS) return;
    const { retired, clock, cyclesPerSecond } = session.machine;
    progress.show(
      () => `${label}: ${formatNumber(retired)} instructions, ${(clock / cyclesPerSecond).toFixed(6)} s`,
    );
  });
  progress.clear();
  return end;
}

/** Everything on descriptor 0 until its end; nothing if it is closed. Waits, as a guest that reads does. */
export function standardInput(): Uint8Array {
  const parts: Uint8Array[] = [];
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    const part = new Uint8Array(INPUT_PART_BYTES);
    try {
      const length = readSync(0, part);
      if (length === 0) return Buffer.concat(parts);
      parts.push(part.subarray(0, length));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return Buffer.concat(parts);
      Atomics.wait(pause, 0, 0, INPUT_PAUSE_MS);
    }
  }
}

/**
 * Ends a trace, and says so if it could not be written to its end.
 * @param status what the command ends with otherwise
 * @returns the command's exit status: a lost trace is a failure unless there is a worse one
 */
export function reportTrace(trace: TraceFile | null, status: number): number {
  trace?.close();
  if (trace === null || trace.failure === null) return status;
  process.stderr.write(`faultline: ${trace.failure}\n`);
  return status === 0 ? STATUS_USAGE : status;
}
