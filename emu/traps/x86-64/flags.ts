/**
 * RFLAGS as a whole: the six status flags of the condition record and the system flags word. Intel SDM vol. 1 3.4.3.
 */
import { RFLAGS_FIXED } from "../../frontends/x86-64/state.ts";
import { FLAGS_ALL, readFlags, writeFlags } from "../../ir/index.ts";
import { SYSTEM_FLAGS } from "./words.ts";

/** Bits that exist: all but 1 (fixed), 3, 5, 15 and 22 up. */
export const RFLAGS_DEFINED = 0x3f_7fd5;

/** @hot */
export function readRflags(words: Int32Array): number {
  return readFlags(words) | words[SYSTEM_FLAGS] | RFLAGS_FIXED;
}

/** Reserved bits are forced to their fixed values. @hot */
export function writeRflags(words: Int32Array, value: number): void {
  writeFlags(words, value);
  words[SYSTEM_FLAGS] = (value & RFLAGS_DEFINED & ~FLAGS_ALL) | RFLAGS_FIXED;
}
