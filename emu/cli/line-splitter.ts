/** Cuts a stream of UTF-8 bytes into lines. */
export class LineSplitter {
  readonly #decoder: { decode(bytes: Uint8Array, options: { stream: boolean }): string } = new TextDecoder();
  readonly #line: (line: string) => void;
  #rest = "";

  constructor(line: (line: string) => void) {
    this.#line = line;
  }

  push(bytes: Uint8Array): void {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) this.#line(line);
  }
}
