/** Puts the cores of an AArch64 litmus machine into their initial state: EL1h, translation on, interrupts masked. */
import type { Aarch64Core } from "../../../emu/traps/aarch64/index.ts";
import type { PhysicalMemory } from "../../../mmu/index.ts";
import { TCR_HI_HA, TCR_HI_HD } from "../../../mmu/index.ts";
import type { LitmusTest } from "../test.ts";
import { codeAddress, type Layout, LINEAR_HI, rootFrame, VECTOR_FRAME } from "./layout.ts";
import { abortHandler, type CoreProgram } from "./program.ts";

/** Of VBAR_EL1: a synchronous exception of the current EL with SP_ELx. */
const SYNCHRONOUS = 0x200;
/** T0SZ = T1SZ = 16, 4 KiB granules, Inner Shareable write-back walks, ASIDs of 16 bits; 48 physical bits. */
const TCR_LO = 0xb510_3510 | 0;
const TCR_HI = 0x15;
/** M, C, I, SA, and what is RES1. */
const SCTLR_ON = 0x30d0_181d;
/** Attribute 0: Normal write-back. */
const MAIR_LO = 0xff;
const EL1H_MASKED = 0x3c5;

export function writeVectors(ram: PhysicalMemory): void {
  abortHandler().forEach((word, at) => {
    ram.write32(VECTOR_FRAME * 4096 + SYNCHRONOUS + at * 4, word | 0);
  });
}

export function writeProgram(ram: PhysicalMemory, program: CoreProgram, core: number): void {
  program.words.forEach((word, at) => {
    ram.write32(codeAddress(core) + at * 4, word | 0);
  });
}

/** Registers as the test begins; the core stands at its first slot. `TTHM=HA HD`: hardware sets AF and dirty state. */
export function prepareCore(core: Aarch64Core, program: CoreProgram, layout: Layout, test: LitmusTest): void {
  const updates = (test.settings["TTHM"] ?? "").split(/\s+/);
  const ha = updates.includes("HA") ? TCR_HI_HA : 0;
  const hd = updates.includes("HD") ? TCR_HI_HD : 0;
  core.phase = "kernel";
  core.msr("VBAR_EL1", VECTOR_FRAME << 12, LINEAR_HI);
  core.msr("MAIR_EL1", MAIR_LO, 0);
  core.msr("TCR_EL1", TCR_LO, TCR_HI | ha | hd);
  core.msr("TTBR0_EL1", rootFrame(0) << 12, 0);
  core.msr("TTBR1_EL1", layout.linearRoot, 0);
  core.msr("SCTLR_EL1", SCTLR_ON, 0);
  core.writeElr(program.start, LINEAR_HI);
  core.writeSpsr(EL1H_MASKED);
  core.returnFromTrap();
}
