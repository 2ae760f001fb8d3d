/** The public face of the interpreter backend. */
export { CodeCache, CodePage } from "./code-cache.ts";
export { Interpreter, type InterpreterOptions } from "./interpreter.ts";
export { Packer } from "./pack.ts";
export { PACKED } from "./packed.ts";
