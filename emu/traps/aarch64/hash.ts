/** The state hash of a core's registers: architectural state only, flags materialised, no temporaries. */
import { STATE_REGISTERS } from "../../frontends/aarch64/index.ts";
import { readPstate, stackSlot } from "./pstate.ts";
import { MONITOR, PC, REGISTERS_LAST, SP, SYSTEM_FIRST, SYSTEM_LAST, TPIDR_EL0 } from "./words.ts";

/** 32 bits over PC, PSTATE, the monitor, the frontend's slots and the system words. */
export function hashRegisters(words: Int32Array): number {
  let hash = mix(mix(mix(0x811c_9dc5 | 0, words[PC]), words[PC + 1]), readPstate(words));
  hash = mix(hash, words[MONITOR]);
  for (let at = STATE_REGISTERS >> 2; at < SP; at++) hash = mix(hash, words[at]);
  for (const level of [0, 1] as const) {
    const at = stackSlot(words, level);
    hash = mix(mix(hash, words[at]), words[at + 1]);
  }
  for (let at = TPIDR_EL0; at < REGISTERS_LAST; at++) {
    hash = mix(hash, words[at]);
  }
  for (let at = SYSTEM_FIRST; at < SYSTEM_LAST; at++) hash = mix(hash, words[at]);
  return hash;
}

function mix(hash: number, word: number): number {
  const x = Math.imul(hash ^ word, 0x0100_0193);
  return (x ^ (x >>> 15)) | 0;
}
