/**
 * The kernel text: one page of 16-byte stubs at 0xffff800080000000 (`_text`, KIMAGE_VADDR of Linux 6.6 with 48-bit
 * addresses), each an enter trap. VBAR_EL1 points at the first, so the stubs at multiples of 0x80 below 0x800 are the
 * exception vectors (DDI 0487, D1.3.1.5 "Exception vectors"). Numbers:
 *
 *     8n       vector n: 0-3 current EL with SP_EL0, 4-7 with SP_ELx, 8-11 lower EL AArch64, 12-15 AArch32,
 *              each synchronous, IRQ, FIQ, SError; the stubs in between are never reached
 *     128      resume: an interrupt taken in kernel code comes back here
 *     129      the idle loop
 *     130      start of a secondary core, fetched at its physical address with the MMU off
 *     131      start of the boot core
 *     132 + 2n user-access site n, followed by its fixup
 */
import type { PhysicalMemory } from "../../../mmu/index.ts";
import { SITE_NAMES } from "../../access-sites.ts";

export const TEXT_HI: number = 0xffff_8000 | 0;
export const TEXT_LO: number = 0x8000_0000 | 0;
export const TEXT_FRAMES = 1;
/** Where the text lies in RAM: just above the first megabyte. */
export const TEXT_PA = 0x10_0000;
const STUB_SHIFT = 4;
const STUBS: number = (TEXT_FRAMES * 4096) >> STUB_SHIFT;
/** log2 of the stubs between two vectors. */
const VECTOR_SHIFT = 3;

export const STUB_RESUME = 128;
export const STUB_IDLE = 129;
export const STUB_SECONDARY = 130;
export const STUB_BOOT = 131;
export const STUB_FIRST_SITE = 132;

/** UDF #0, which is the enter trap in this page. */
const UDF = 0;
/** BRK #0x100 fills the rest (AARCH64_BREAK_FAULT: code that is not meant to be executed). */
const PADDING: number = 0xd420_2000 | 0;

/** Low half of a stub's address; the high half is TEXT_HI. @hot */
export function stubLo(stub: number): number {
  return (TEXT_LO + (stub << STUB_SHIFT)) | 0;
}

/** Physical address of a stub: where a core without translation starts. */
export function stubPa(stub: number): number {
  return TEXT_PA + (stub << STUB_SHIFT);
}

/** The stub at an address in the text, or -1. @hot */
export function stubAt(lo: number, hi: number): number {
  const offset = (lo - TEXT_LO) | 0;
  return hi === TEXT_HI && offset >= 0 && offset < TEXT_FRAMES * 4096 ? offset >> STUB_SHIFT : -1;
}

/** The vector whose stub this is. @param stub below STUB_RESUME @hot */
export function vectorOfStub(stub: number): number {
  return stub >> VECTOR_SHIFT;
}

/** Writes the stubs into the frame. */
export function writeText(ram: PhysicalMemory, pa: number): void {
  for (let stub = 0; stub < STUBS; stub++) {
    const at = pa + (stub << STUB_SHIFT);
    ram.write64(at, UDF, PADDING);
    ram.write64(at + 8, PADDING, PADDING);
  }
}

/** search_exception_tables(): the fixup of a user-access site, or -1. */
export function fixupOf(stub: number): number {
  const site = stub - STUB_FIRST_SITE;
  return site >= 0 && site % 2 === 0 && site / 2 < SITE_NAMES.length ? stub + 1 : -1;
}

/** Name of a stub as a backtrace prints it. */
export function stubName(stub: number): string {
  if (stub < STUB_RESUME) return stub % 8 === 0 ? VECTOR_NAMES[stub >> VECTOR_SHIFT]! : "vectors";
  const fixed = FIXED_NAMES[stub - STUB_RESUME];
  if (fixed !== undefined) return fixed;
  const name = SITE_NAMES[(stub - STUB_FIRST_SITE) >> 1];
  if (name === undefined) return "_text";
  return (stub - STUB_FIRST_SITE) % 2 === 0 ? name : `${name}.fixup`;
}

/** As entry.S names its handlers. */
const VECTOR_NAMES: readonly string[] = ["el1t_64", "el1h_64", "el0t_64", "el0t_32"].flatMap((origin) =>
  ["sync", "irq", "fiq", "error"].map((kind) => `${origin}_${kind}`),
);

const FIXED_NAMES: readonly string[] = ["resume", "cpu_do_idle", "secondary_entry", "primary_entry"];

/** The text's pages in the kernel's half, as page tables map them. */
export function textPages(): readonly { lo: number; hi: number; frame: number; rights: "text" }[] {
  return Array.from({ length: TEXT_FRAMES }, (_, page) => ({
    lo: (TEXT_LO + page * 4096) | 0,
    hi: TEXT_HI,
    frame: TEXT_PA / 4096 + page,
    rights: "text" as const,
  }));
}
