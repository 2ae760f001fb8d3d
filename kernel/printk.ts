/** The kernel log: lines with virtual time, kept for dmesg and sent to the console as they are printed. */

/** Lines kept; older ones are dropped, as the ring buffer of a real kernel does. */
const MAX_LINES = 4096;

export interface LogLine {
  readonly timeUs: number;
  readonly text: string;
}

export class KernelLog {
  readonly #lines: LogLine[] = [];
  readonly #write: (bytes: Uint8Array) => void;
  readonly #encoder: { encode(text: string): Uint8Array } = new TextEncoder();

  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
  }

  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  /** Prints a message; every line of it gets the time. */
  print(timeUs: number, message: string): void {
    for (const text of message.split("\n")) {
      if (this.#lines.length === MAX_LINES) this.#lines.shift();
      this.#lines.push({ timeUs, text });
      this.#write(this.#encoder.encode(`${stamp(timeUs)} ${text}\n`));
    }
  }

  save(): LogLine[] {
    return [...this.#lines];
  }

  restore(state: unknown): void {
    this.#lines.length = 0;
    for (const line of state as LogLine[]) this.#lines.push(line);
  }
}

/** `[    0.000123]`: seconds and microseconds, as printk_time prints them. */
export function stamp(timeUs: number): string {
  const seconds = Math.floor(timeUs / 1e6);
  const micros = Math.floor(timeUs % 1e6);
  return `[${String(seconds).padStart(5)}.${String(micros).padStart(6, "0")}]`;
}
