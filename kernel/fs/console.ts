/** The console behind descriptors 0, 1 and 2: writes go to the platform, reads come from an input that is fetched when the first is made. */
import type { Platform } from "../../emu/hardware.ts";

export class Console {
  readonly #platform: Platform;
  readonly #source: () => Uint8Array;
  #stdin: Uint8Array | null = null;
  #position = 0;

  /** @param stdin the whole input; asked for once, and only if a program reads */
  constructor(platform: Platform, stdin: () => Uint8Array) {
    this.#platform = platform;
    this.#source = stdin;
  }

  write(stream: "stdout" | "stderr", bytes: Uint8Array): void {
    this.#platform.console(stream, bytes);
  }

  /** The next bytes of the input, at most `lengthBytes`; empty at its end. They stay until advance(). */
  peek(lengthBytes: number): Uint8Array {
    this.#stdin ??= this.#source();
    return this.#stdin.subarray(this.#position, this.#position + lengthBytes);
  }

  advance(lengthBytes: number): void {
    this.#position += lengthBytes;
  }

  save(): unknown {
    return { position: this.#position };
  }

  restore(state: unknown): void {
    this.#position = (state as { position: number }).position;
  }
}
