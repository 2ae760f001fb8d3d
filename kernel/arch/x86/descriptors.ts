/**
 * Segment descriptors, task-state segment and interrupt gates as bytes in guest RAM, laid out as Linux does
 * (arch/x86/include/asm/segment.h, asm/desc_defs.h; SDM vol. 3A chapters 3, 6 and 7).
 *
 * Every core has an area of its own, in frames:
 *
 *     0  GDT (16 entries) at +0, TSS at +0x80
 *     1  IST stack of NMI
 *     2  IST stack of #DF
 *     3-6  stack of the idle task
 */
import type { PhysicalMemory } from "../../../mmu/index.ts";
import { KERNEL_STACK_BYTES } from "../../sched/task.ts";
import { stubLo, TEXT_HI } from "./stubs.ts";
import { VECTOR_BP, VECTOR_DF, VECTOR_NMI, VECTOR_OF } from "./vectors.ts";

export const KERNEL_CS = 0x10;
export const KERNEL_DS = 0x18;
export const USER32_CS = 0x23;
export const USER_DS = 0x2b;
export const USER_CS = 0x33;
export const TSS_SELECTOR = 0x40;

export const GDT_LIMIT: number = 16 * 8 - 1;
export const IDT_LIMIT: number = 256 * 16 - 1;

const TSS_OFFSET = 0x80;
const TSS_BYTES = 0x68;
const TSS_RSP0 = 4;
const TSS_IST1 = 0x24;
const TSS_IO_MAP_BASE = 0x66;
/** IST_INDEX_DF and IST_INDEX_NMI, from 1. */
const IST_DF = 1;
const IST_NMI = 2;

const PAGE = 4096;
const NMI_STACK_TOP: number = 2 * PAGE;
const DF_STACK_TOP: number = 3 * PAGE;
const IDLE_STACK: number = 3 * PAGE;
/** Length of a core's area. */
export const CORE_AREA_BYTES: number = IDLE_STACK + KERNEL_STACK_BYTES;

/** Present, DPL 0, 64-bit interrupt gate; and the same callable from user mode. */
const GATE_KERNEL = 0x8e;
const GATE_USER = 0xee;

/** The task-state segment of a core. */
export function tssOf(area: number): number {
  return area + TSS_OFFSET;
}

/** The stack of a core's idle task (low end). */
export function idleStackOf(area: number): number {
  return area + IDLE_STACK;
}

/** Writes GDT and TSS of one core. */
export function writeCoreArea(ram: PhysicalMemory, area: number): void {
  const hi = ram.directMapHi;
  const entry = (selector: number, lo: number, high: number): void =>
    ram.write64(area + (selector & ~7), lo | 0, high | 0);
  entry(0x08, 0x0000_ffff, 0x00cf_9b00);
  entry(KERNEL_CS, 0x0000_ffff, 0x00af_9b00);
  entry(KERNEL_DS, 0x0000_ffff, 0x00cf_9300);
  entry(USER32_CS, 0x0000_ffff, 0x00cf_fb00);
  entry(USER_DS, 0x0000_ffff, 0x00cf_f300);
  entry(USER_CS, 0x0000_ffff, 0x00af_fb00);
  const tss = tssOf(area);
  entry(TSS_SELECTOR, (tss << 16) | (TSS_BYTES - 1), (tss & 0xff00_0000) | 0x8900 | ((tss >>> 16) & 0xff));
  entry(TSS_SELECTOR + 8, hi, 0);
  setIst(ram, tss, IST_DF, area + DF_STACK_TOP);
  setIst(ram, tss, IST_NMI, area + NMI_STACK_TOP);
  ram.write16(tss + TSS_IO_MAP_BASE, TSS_BYTES);
  setRsp0(ram, area, idleStackOf(area) + KERNEL_STACK_BYTES);
}

/** Stack that the CPU switches to for traps from user mode. @hot */
export function setRsp0(ram: PhysicalMemory, area: number, stackTop: number): void {
  const at = area + TSS_OFFSET + TSS_RSP0;
  ram.write32(at, stackTop | 0);
  ram.write32(at + 4, ram.directMapHi);
}

/** Writes the gates of all vectors; all cores share the table. */
export function writeIdt(ram: PhysicalMemory, idt: number): void {
  for (let vector = 0; vector < 256; vector++) {
    const target = stubLo(vector);
    const user = vector === VECTOR_BP || vector === VECTOR_OF;
    const ist = vector === VECTOR_DF ? IST_DF : vector === VECTOR_NMI ? IST_NMI : 0;
    const at = idt + vector * 16;
    const type = (user ? GATE_USER : GATE_KERNEL) << 8;
    ram.write64(at, (KERNEL_CS << 16) | (target & 0xffff), (target & 0xffff_0000) | type | ist);
    ram.write64(at + 8, TEXT_HI, 0);
  }
}

function setIst(ram: PhysicalMemory, tss: number, index: number, stackTop: number): void {
  const at = tss + TSS_IST1 + (index - 1) * 8;
  ram.write32(at, stackTop | 0);
  ram.write32(at + 4, ram.directMapHi);
}
