/** The state hash of a core's registers: architectural state only, flags materialised, no temporaries. */
import { STATE_EXTENDED, STATE_REGISTERS } from "../../frontends/x86-64/state.ts";
import { readRflags } from "./flags.ts";
import { INTERRUPT_SHADOW, PC, SYSTEM_FIRST, SYSTEM_FLAGS, SYSTEM_LAST } from "./words.ts";

/** 32 bits over PC, RFLAGS, the frontend's slots and the system words. */
export function hashRegisters(words: Int32Array): number {
  let hash = mix(mix(mix(0x811c_9dc5 | 0, words[PC]), words[PC + 1]), readRflags(words));
  for (let at = STATE_REGISTERS >> 2; at < STATE_EXTENDED >> 2; at++) {
    if (at === SYSTEM_FLAGS) continue;
    hash = mix(hash, at === INTERRUPT_SHADOW ? Math.min(words[at], 1) : words[at]);
  }
  for (let at = SYSTEM_FIRST; at < SYSTEM_LAST; at++) hash = mix(hash, words[at]);
  return hash;
}

function mix(hash: number, word: number): number {
  const x = Math.imul(hash ^ word, 0x0100_0193);
  return (x ^ (x >>> 15)) | 0;
}
