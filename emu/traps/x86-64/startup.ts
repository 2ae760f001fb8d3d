/**
 * Reset, INIT and start-up of a core. Intel SDM vol. 3A 8.4 (multiple-processor initialization), 9.1 (reset state).
 *
 * Simplification: a core that receives a start-up IPI with vector v starts in 64-bit mode with paging on, at the state
 * that lies in physical memory at v * 4096, where a processor would find real-mode code:
 *
 *     +0x00  not read (may hold anything)
 *     +0x08  CR3
 *     +0x10  RIP
 *     +0x18  RSP
 *     +0x20  CR0;  0: PE ET NE WP AM PG
 *     +0x28  CR4;  0: PAE PGE
 *     +0x30  EFER; 0: SCE LME NXE
 *
 * CPL is 0, RFLAGS 2, GDTR, IDTR, LDTR and TR are empty, all other registers 0. Values that MOV to the register would
 * refuse shut the machine down.
 */
import {
  CR0_AM,
  CR0_PE,
  CR0_PG,
  CR0_WP,
  CR4_PAE,
  CR4_PGE,
  EFER_LME,
  EFER_NXE,
  type PhysicalMemory,
} from "../../../mmu/index.ts";
import { CS, STATE_EXTENDED, STATE_REGISTERS } from "../../frontends/x86-64/state.ts";
import type { Controls } from "./controls.ts";
import { writeRflags } from "./flags.ts";
import { DR6, DR7, GPR_RSP, NMI_BLOCKED, PC, RECORD_FIRST, RECORD_LAST, SEGMENT_RIGHTS } from "./words.ts";

/** Value of M_KIND: a start-up IPI has arrived; M_VECTOR is its vector. */
export const MICRO_STARTUP = 8;

const CR0_DEFAULT: number = CR0_PE | 0x30 | CR0_WP | CR0_AM | CR0_PG;
const CR4_DEFAULT: number = CR4_PAE | CR4_PGE;
const EFER_DEFAULT: number = EFER_LME | EFER_NXE | 1;
/** Rights of a present, accessed 64-bit code segment of DPL 0. */
const KERNEL_CODE_RIGHTS = 0x209b;
const DR6_RESET = 0xffff_0ff0 | 0;
const DR7_RESET = 0x400;

/** Registers after reset or INIT; control registers and MSRs come after. The time-stamp counter goes on. */
export function resetRegisters(words: Int32Array): void {
  words.fill(0, STATE_REGISTERS >> 2, STATE_EXTENDED >> 2);
  words.fill(0, RECORD_FIRST, RECORD_LAST);
  words.fill(0, SEGMENT_RIGHTS, SEGMENT_RIGHTS + 6);
  words[NMI_BLOCKED] = 0;
  words[PC] = 0;
  words[PC + 1] = 0;
  writeRflags(words, 2);
  words[SEGMENT_RIGHTS + CS] = KERNEL_CODE_RIGHTS;
  words[DR6] = DR6_RESET;
  words[DR7] = DR7_RESET;
}

/** Loads the start-up state of a vector. False: the state is one that no core can be in. */
export function loadStartupState(
  words: Int32Array,
  ram: PhysicalMemory,
  controls: Controls,
  vector: number,
): boolean {
  const at = (vector * 4096) >>> 2;
  if (at + 14 > ram.i32.length) return false;
  const state = ram.i32;
  if (!controls.writeCr3(state[at + 2], state[at + 3])) return false;
  const cr0 = state[at + 8] === 0 ? CR0_DEFAULT : state[at + 8];
  const cr4 = state[at + 10] === 0 ? CR4_DEFAULT : state[at + 10];
  const efer = state[at + 12] === 0 ? EFER_DEFAULT : state[at + 12];
  if ((cr0 & CR0_PG) === 0 || !controls.writeAll(cr0, cr4, efer)) return false;
  words[PC] = state[at + 4];
  words[PC + 1] = state[at + 5];
  words[GPR_RSP] = state[at + 6];
  words[GPR_RSP + 1] = state[at + 7];
  return true;
}
