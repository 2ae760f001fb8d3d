/** `--trace FILE`: one JSON object a line, written as the run goes on, so that an interrupted run keeps what it had. */
import { closeSync, openSync, writeSync } from "node:fs";
import type { TraceSink } from "../trace.ts";
import { UserError } from "../user-error.ts";

const BUFFERED_LINES = 4096;

export class TraceFile implements TraceSink {
  readonly #file: number;
  readonly #path: string;
  #lines: string[] = [];
  #open = true;
  /** Why no more is written; null: all is well. The run goes on: a full disk does not change what a guest does. */
  failure: string | null = null;

  /** @throws UserError if the file cannot be opened */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#file = openSync(path, "w");
    } catch (error) {
      throw new UserError(
        `cannot be written (${errorCode(error)})`,
        `--trace ${path}`,
        "give a path in a writable folder",
      );
    }
    process.once("exit", () => this.close());
  }

  event(core: number, clock: number, name: string, a: number, b: number): void {
    this.#lines.push(JSON.stringify({ core, clock, event: name, a: a >>> 0, b: b >>> 0 }));
    if (this.#lines.length >= BUFFERED_LINES) this.#flush();
  }

  /** Writes the rest. What was written stays written, however the process ends. */
  close(): void {
    if (!this.#open) return;
    this.#flush();
    this.#open = false;
    try {
      closeSync(this.#file);
    } catch (error) {
      this.#fail(error);
    }
  }

  #flush(): void {
    if (this.#lines.length === 0) return;
    const bytes = Buffer.from(`${this.#lines.join("\n")}\n`);
    this.#lines = [];
    if (this.failure !== null) return;
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.failure ??=
      `--trace ${this.#path}: cannot be written (${errorCode(error)}), so the trace is incomplete; ` +
      "give it a place with room";
  }
}

function errorCode(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "error";
}
