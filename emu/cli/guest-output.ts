/** Where the bytes of a guest and its kernel go, and what is kept of them. */
import { LineSplitter } from "./line-splitter.ts";

export type GuestStream = "stdout" | "stderr" | "kernel";

/** The kernel's line before the first program starts: what comes later is about programs. */
const FIRST_PROGRAM = /\] Run .* as init process$/;
/** Said at every orderly end. */
const POWER_DOWN = /\] reboot: Power down/;

export class GuestOutput {
  /** Every kernel line so far. */
  readonly log: string[] = [];
  /** Those up to the start of the first program. */
  get bootLog(): readonly string[] {
    return this.log.slice(0, this.#bootLines);
  }
  /** Kernel lines about programs: faults, signals, memory that ran out, assertions. */
  readonly messages: string[] = [];
  /** The first program has been started. */
  booted = false;
  #bootLines = 0;
  readonly #write: (stream: GuestStream, bytes: Uint8Array) => void;
  readonly #lines: LineSplitter;

  /** @param write takes the bytes as they come; they are valid during the call */
  constructor(write: (stream: GuestStream, bytes: Uint8Array) => void) {
    this.#write = write;
    this.#lines = new LineSplitter((line) => this.#kernelLine(line));
  }

  /** SessionOptions.console. */
  readonly console: (stream: GuestStream, bytes: Uint8Array) => void = (stream, bytes) => {
    if (stream === "kernel") this.#lines.push(bytes);
    this.#write(stream, bytes);
  };

  #kernelLine(line: string): void {
    this.log.push(line);
    if (this.booted && !POWER_DOWN.test(line)) this.messages.push(line);
    if (!this.booted) this.#bootLines = this.log.length;
    if (FIRST_PROGRAM.test(line)) this.booted = true;
  }
}
