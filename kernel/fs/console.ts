/** The console behind descriptors 0, 1 and 2: writes go to the platform, reads come from a buffer given at start. */
import type { Platform } from "../../emu/hardware.ts";

export class Console {
  readonly #platform: Platform;
  readonly #stdin: Uint8Array;
  #position = 0;

  constructor(platform: Platform, stdin: Uint8Array) {
    this.#platform = platform;
    this.#stdin = stdin;
  }

  write(stream: "stdout" | "stderr", bytes: Uint8Array): void {
    this.#platform.console(stream, bytes);
  }

  /** The next bytes of the input, at most `lengthBytes`; empty at its end. They stay until advance(). */
  peek(lengthBytes: number): Uint8Array {
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
