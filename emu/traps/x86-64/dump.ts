/** Registers as text, for triple faults and crash reports. */
import { hexOfHalves } from "../../../mmu/index.ts";
import { CS, DS, ES, FS, GS, SS } from "../../frontends/x86-64/state.ts";
import { readRflags } from "./flags.ts";
import {
  CPL,
  CR0,
  CR2,
  CR3,
  CR4,
  EFER,
  FS_BASE,
  GDTR,
  GPR,
  GS_BASE,
  IDTR,
  KERNEL_GS_BASE,
  LIMIT,
  PC,
  SELECTORS,
  TR,
  TR_SELECTOR,
} from "./words.ts";

const NAMES = "RAX RCX RDX RBX RSP RBP RSI RDI R8 R9 R10 R11 R12 R13 R14 R15".split(" ");

export function dumpRegisters(words: Int32Array): string {
  const wide = (at: number): string =>
    hexOfHalves(words[at], words[at + 1])
      .slice(2)
      .padStart(16, "0");
  const short = (value: number): string => (value >>> 0).toString(16).padStart(4, "0");
  const selector = (segment: number): string => short(words[SELECTORS + segment]);
  const lines = [
    `RIP: ${selector(CS)}:${wide(PC)}  RFLAGS: ${(readRflags(words) >>> 0).toString(16).padStart(8, "0")}  CPL: ${words[CPL]}`,
  ];
  for (let i = 0; i < 16; i += 4) {
    const group = NAMES.slice(i, i + 4).map((name, n) => `${name}: ${wide(GPR + (i + n) * 2)}`);
    lines.push(group.join("  "));
  }
  lines.push(
    `CR0: ${short(words[CR0])}  CR2: ${wide(CR2)}  CR3: ${wide(CR3)}  CR4: ${short(words[CR4])}  EFER: ${short(words[EFER])}`,
    `SS: ${selector(SS)}  DS: ${selector(DS)}  ES: ${selector(ES)}  FS: ${selector(FS)} ${wide(FS_BASE)}  ` +
      `GS: ${selector(GS)} ${wide(GS_BASE)}  kernel GS: ${wide(KERNEL_GS_BASE)}`,
    `GDT: ${wide(GDTR)} limit ${short(words[GDTR + LIMIT])}  IDT: ${wide(IDTR)} limit ${short(words[IDTR + LIMIT])}  ` +
      `TR: ${short(words[TR_SELECTOR])} ${wide(TR)} limit ${short(words[TR + LIMIT])}`,
  );
  return lines.join("\n");
}
