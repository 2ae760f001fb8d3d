/** `--trace FILE`: one JSON object a line, written as the run goes on, so that an interrupted run keeps what it had. */
import { closeSync, openSync, writeSync } from "node:fs";
import type { TraceSink } from "../trace.ts";
import { UserError } from "../user-error.ts";

const BUFFERED_LINES = 4096;

export class TraceFile implements TraceSink {
  readonly #file: number;
  #lines: string[] = [];

  /** @throws UserError if the file cannot be written */
  constructor(path: string) {
    try {
      this.#file = openSync(path, "w");
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "error";
      throw new UserError(
        `cannot be written (${code})`,
        `--trace ${path}`,
        "give a path in a writable folder",
      );
    }
  }

  event(core: number, clock: number, name: string, a: number, b: number): void {
    this.#lines.push(JSON.stringify({ core, clock, event: name, a: a >>> 0, b: b >>> 0 }));
    if (this.#lines.length >= BUFFERED_LINES) this.#flush();
  }

  close(): void {
    this.#flush();
    closeSync(this.#file);
  }

  #flush(): void {
    if (this.#lines.length === 0) return;
    writeSync(this.#file, `${this.#lines.join("\n")}\n`);
    this.#lines = [];
  }
}
