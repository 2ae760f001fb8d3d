/** Trap frames as text: __show_regs() of arch/arm64/kernel/process.c, Linux 6.6, without its first lines about the machine. */
import type { PhysicalMemory } from "../../../mmu/index.ts";
import type { Kernel } from "../../kernel.ts";
import type { KPtr } from "../../struct.ts";
import { REGS_PC, REGS_PSTATE, REGS_SP, REGS_X30, regsHex, regsOfX, userMode } from "./pt-regs.ts";
import {
  PSR_A_BIT,
  PSR_BTYPE_MASK,
  PSR_BTYPE_SHIFT,
  PSR_C_BIT,
  PSR_D_BIT,
  PSR_DIT_BIT,
  PSR_F_BIT,
  PSR_I_BIT,
  PSR_N_BIT,
  PSR_PAN_BIT,
  PSR_SSBS_BIT,
  PSR_TCO_BIT,
  PSR_UAO_BIT,
  PSR_V_BIT,
  PSR_Z_BIT,
} from "./registers.ts";
import { stubAt, stubName, TEXT_LO, TEXT_PA } from "./stubs.ts";

const BTYPES: readonly string[] = ["--", "jc", "-c", "j-"];
/** X registers that are printed one by one; X30 is lr. */
const TOP_REGISTER = 29;
/** Instructions that a dump of kernel code shows before the PC. */
const CODE_BEFORE = 4;

/** The frame's PC with its symbol, then every register. */
export function describeRegisters(kernel: Kernel, frame: KPtr): string {
  const { ram } = kernel;
  const value = (offset: number): string => regsHex(ram, frame, offset);
  const isUser = userMode(ram, frame);
  const place = (offset: number): string => {
    const symbol = isUser ? null : symbolName(ram.read32(frame + offset), ram.read32(frame + offset + 4));
    return symbol ?? value(offset);
  };
  const lines = [
    `pc : ${place(REGS_PC)}`,
    `lr : ${place(REGS_X30)}`,
    `pstate: ${pstateText(ram.read32(frame + REGS_PSTATE))}`,
    `sp : ${value(REGS_SP)}`,
  ];
  for (let first = TOP_REGISTER; first >= 0; first -= 3) {
    const row = [first, first - 1, first - 2].map((n) => `x${String(n).padEnd(2)}: ${value(regsOfX(n))}`);
    lines.push(row.join(" "));
  }
  return lines.join("\n");
}

/** print_pstate(). */
function pstateText(pstate: number): string {
  const letter = (bit: number, set: string): string => ((pstate & bit) !== 0 ? set : set.toLowerCase());
  const sign = (bit: number): string => ((pstate & bit) !== 0 ? "+" : "-");
  const flags =
    letter(PSR_N_BIT, "N") + letter(PSR_Z_BIT, "Z") + letter(PSR_C_BIT, "C") + letter(PSR_V_BIT, "V");
  const masks =
    letter(PSR_D_BIT, "D") + letter(PSR_A_BIT, "A") + letter(PSR_I_BIT, "I") + letter(PSR_F_BIT, "F");
  const features =
    `${sign(PSR_PAN_BIT)}PAN ${sign(PSR_UAO_BIT)}UAO ${sign(PSR_TCO_BIT)}TCO ` +
    `${sign(PSR_DIT_BIT)}DIT ${sign(PSR_SSBS_BIT)}SSBS`;
  const btype = BTYPES[(pstate & PSR_BTYPE_MASK) >>> PSR_BTYPE_SHIFT]!;
  return `${(pstate >>> 0).toString(16).padStart(8, "0")} (${flags} ${masks} ${features} BTYPE=${btype})`;
}

/** dump_kernel_instr(): the code around a PC in the kernel text; null: it lies elsewhere. */
export function kernelCodeLine(ram: PhysicalMemory, lo: number, hi: number): string | null {
  if (stubAt(lo, hi) < 0) return null;
  const at = TEXT_PA + ((lo - TEXT_LO) | 0);
  const words: string[] = [];
  for (let index = -CODE_BEFORE; index <= 0; index++) {
    const word = at + index * 4;
    const text = word < TEXT_PA ? "????????" : (ram.read32(word) >>> 0).toString(16).padStart(8, "0");
    words.push(index === 0 ? `(${text})` : text);
  }
  return `Code: ${words.join(" ")} `;
}

/** Name of a kernel-text address, or null. */
export function symbolName(lo: number, hi: number): string | null {
  const stub = stubAt(lo, hi);
  return stub < 0 ? null : stubName(stub);
}
