/** The one piece of the WebAssembly API that the project uses, as the language's library for Node lacks it. */
declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum?: number });
    readonly buffer: ArrayBuffer;
  }
}
