/** The list: a new backend is added here. */
import { type Backend, REFERENCE } from "./backend.ts";
import { INTERPRETERS } from "./interpreter.ts";

export const BACKENDS: readonly Backend[] = [REFERENCE, ...INTERPRETERS];
