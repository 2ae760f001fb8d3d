/**
 * The kernel text: two pages of 16-byte stubs at 0xffffffff81000000 (`_text`), each an enter trap. Numbers:
 *
 *     0-255    interrupt and exception vectors
 *     256      system call entry (LSTAR)
 *     257      resume: an interrupt taken in kernel code comes back here
 *     258      the idle loop
 *     259      start of a secondary core
 *     260      start of the boot core
 *     261      the IRETQ at the end of every trap; a fault of it is the user's
 *     272 + 2n user-access site n, followed by its fixup
 */
import type { PhysicalMemory } from "../../../mmu/index.ts";
import { SITE_NAMES } from "../../access-sites.ts";

export const TEXT_HI = -1;
export const TEXT_LO: number = 0x8100_0000 | 0;
export const TEXT_FRAMES = 2;
/** Where the text lies in RAM: just above the first megabyte. */
export const TEXT_PA = 0x10_0000;
const STUB_SHIFT = 4;
const STUBS: number = (TEXT_FRAMES * 4096) >> STUB_SHIFT;

export const STUB_SYSCALL = 256;
export const STUB_RESUME = 257;
export const STUB_IDLE = 258;
export const STUB_AP_START = 259;
export const STUB_BOOT = 260;
export const STUB_IRET = 261;
export const STUB_FIRST_SITE = 272;

/** UD2, which is the enter trap in these pages. */
const UD2_LOW = 0x0f;
const UD2_HIGH = 0x0b;
/** INT3 fills the rest, as it does between the functions of a real kernel. */
const PADDING = 0xcc;

/** Low half of a stub's address; the high half is TEXT_HI. @hot */
export function stubLo(stub: number): number {
  return (TEXT_LO + (stub << STUB_SHIFT)) | 0;
}

/** The stub at an address in the text, or -1. @hot */
export function stubAt(lo: number, hi: number): number {
  const offset = (lo - TEXT_LO) | 0;
  return hi === TEXT_HI && offset >= 0 && offset < TEXT_FRAMES * 4096 ? offset >> STUB_SHIFT : -1;
}

/** Writes the stubs into the two frames. */
export function writeText(ram: PhysicalMemory, pa: number): void {
  for (let stub = 0; stub < STUBS; stub++) {
    const at = pa + (stub << STUB_SHIFT);
    ram.write8(at, UD2_LOW);
    ram.write8(at + 1, UD2_HIGH);
    for (let byte = 2; byte < 16; byte++) ram.write8(at + byte, PADDING);
  }
}

/** search_exception_table(): the fixup of a user-access site, or -1. */
export function fixupOf(stub: number): number {
  const site = stub - STUB_FIRST_SITE;
  return site >= 0 && site % 2 === 0 && site / 2 < SITE_NAMES.length ? stub + 1 : -1;
}

/** Name of a stub as a backtrace prints it. */
export function stubName(stub: number): string {
  if (stub < 256) return `asm_vector_0x${stub.toString(16)}`;
  const fixed = FIXED_NAMES[stub - STUB_SYSCALL];
  if (fixed !== undefined) return fixed;
  const site = stub - STUB_FIRST_SITE;
  const name = SITE_NAMES[site >> 1];
  if (site < 0 || name === undefined) return "_text";
  return site % 2 === 0 ? name : `${name}.fixup`;
}

const FIXED_NAMES: readonly string[] = [
  "entry_SYSCALL_64",
  "resume",
  "default_idle",
  "secondary_startup_64",
  "startup_64",
  "native_irq_return_iret",
];
