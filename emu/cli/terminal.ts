/** What goes to the user's terminal: progress lines and colours only where a person is looking. */

const ESC = "\u001b[";

function colourful(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && process.env["NO_COLOR"] === undefined && process.env["TERM"] !== "dumb";
}

export function dim(text: string): string {
  return colourful(process.stdout) ? `${ESC}2m${text}${ESC}0m` : text;
}

export function bold(text: string): string {
  return colourful(process.stdout) ? `${ESC}1m${text}${ESC}0m` : text;
}

/** One line on standard error that is rewritten in place; silent when piped. */
export class Progress {
  readonly #active: boolean = process.stderr.isTTY === true;
  #shown = false;
  #last = 0;

  /** Shows a line at most ten times a second. */
  show(text: () => string): void {
    if (!this.#active) return;
    const now = Date.now();
    if (now - this.#last < 100) return;
    this.#last = now;
    const columns = process.stderr.columns ?? 80;
    process.stderr.write(`\r${ESC}K${text().slice(0, columns - 1)}`);
    this.#shown = true;
  }

  /** Removes the line, before other output. */
  clear(): void {
    if (!this.#shown) return;
    process.stderr.write(`\r${ESC}K`);
    this.#shown = false;
  }
}
