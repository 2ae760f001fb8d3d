/** Registers as text, for crash reports. */
import { hexOfHalves } from "../../../mmu/index.ts";
import { PSTATE_EL, PSTATE_SP } from "../../frontends/aarch64/index.ts";
import { readPstate, stackSlot } from "./pstate.ts";
import { ELR, ESR, FAR, GPR, PC, PSTATE, SCTLR, SPSR, TCR, TTBR0, TTBR1, VBAR } from "./words.ts";

const REGISTERS_PER_LINE = 4;

export function dumpRegisters(words: Int32Array): string {
  const wide = (at: number): string =>
    hexOfHalves(words[at], words[at + 1])
      .slice(2)
      .padStart(16, "0");
  const short = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");
  const pstate = words[PSTATE];
  const mode = (pstate & PSTATE_EL) === 0 ? "EL0t" : (pstate & PSTATE_SP) === 0 ? "EL1t" : "EL1h";
  const lines = [`PC: ${wide(PC)}  PSTATE: ${short(readPstate(words))} (${mode})`];
  for (let first = 0; first < 31; first += REGISTERS_PER_LINE) {
    const group: string[] = [];
    for (let n = first; n < Math.min(first + REGISTERS_PER_LINE, 31); n++) {
      group.push(`${`X${n}`.padStart(3)}: ${wide(GPR + n * 2)}`);
    }
    lines.push(group.join("  "));
  }
  lines.push(
    `SP_EL0: ${wide(stackSlot(words, 0))}  SP_EL1: ${wide(stackSlot(words, 1))}`,
    `ELR: ${wide(ELR)}  SPSR: ${short(words[SPSR])}  ESR: ${short(words[ESR])}  FAR: ${wide(FAR)}`,
    `SCTLR: ${wide(SCTLR)}  TCR: ${wide(TCR)}  TTBR0: ${wide(TTBR0)}  TTBR1: ${wide(TTBR1)}  VBAR: ${wide(VBAR)}`,
  );
  return lines.join("\n");
}
