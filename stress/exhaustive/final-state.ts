/**
 * The state that a schedule led to, as text, such that schedules that differ in the order of independent events only
 * have the same: of every address space its mappings and, page by page, rights, dirty bit, content, and which pages are
 * one frame; the state of every task; the kernel's event counters, which tell on which path a fault was handled.
 *
 * Left out is what such an order may change and nobody can see: clocks, the numbers of frames and addresses of
 * objects, free memory, accessed bits, kernel stacks, TLBs.
 */
import {
  eventCounts,
  type Kernel,
  type KPtr,
  type Memory,
  mmMmap,
  mmPgd,
  mmRssAnon,
  mmRssShmem,
  NULL,
  vmEnd,
  vmFlags,
  vmNext,
  vmStart,
} from "../../kernel/index.ts";
import type { ObservedMemory } from "../../mmu/index.ts";
import type { World } from "../world/world.ts";

/** Entries of a top table that lead to user addresses. */
const USER_TOP_ENTRIES = 256;

/** Everybody has parked. The look is none of the kernel's: nobody who listens to memory hears of it. */
export function finalState({ kernel, machine }: World): string {
  const ram = machine.ram as ObservedMemory;
  const { sink } = ram;
  ram.sink = null;
  const text = describeState(kernel);
  ram.sink = sink;
  return text;
}

function describeState(kernel: Kernel): string {
  const memory = kernel.memory as Memory;
  const lines: string[] = [];
  const spaces = new Set<KPtr>();
  for (const task of kernel.sched.tasks()) {
    lines.push(`task ${task.pid}: state ${task.state}`);
    if (task.mm !== NULL) spaces.add(task.mm);
  }
  for (const mm of spaces) describeSpace(memory, mm, lines);
  const counts = [...eventCounts(kernel)]
    .filter(([, count]) => count !== 0)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, count] of counts) lines.push(`${name} ${count}`);
  return lines.join("\n");
}

function describeSpace(memory: Memory, mm: KPtr, lines: string[]): void {
  const { ram } = memory;
  lines.push(`mm: ${mmRssAnon.get(ram, mm)} anonymous, ${mmRssShmem.get(ram, mm)} shared`);
  for (let vma = mmMmap.get(ram, mm); vma !== NULL; vma = vmNext.get(ram, vma)) {
    lines.push(`  ${hex(vmStart.get(ram, vma))}-${hex(vmEnd.get(ram, vma))} ${hex(vmFlags.get(ram, vma))}`);
  }
  const { format } = memory;
  /** Frames by their first appearance. */
  const names = new Map<number, number>();
  const walk = (table: number, level: number, first: number): void => {
    const entries = level === format.levels ? USER_TOP_ENTRIES : 512;
    for (let index = 0; index < entries; index++) {
      const lo = ram.i32[(table >>> 2) + index * 2]!;
      const hi = ram.i32[(table >>> 2) + index * 2 + 1]!;
      if (format.isNone(lo, hi)) continue;
      const page = first + index * format.spanPages(level);
      if (level > 1) {
        walk(format.tableAddress(lo, hi), level - 1, page);
        continue;
      }
      const frame = format.frame(lo, hi);
      if (!names.has(frame)) names.set(frame, names.size);
      const rights = `${format.isWritable(lo, hi) ? "w" : "r"}${format.isDirty(lo, hi) ? "d" : "-"}`;
      lines.push(`  ${hex(page)}: ${rights} frame ${names.get(frame)} ${contentHash(memory, frame)}`);
    }
  };
  walk(mmPgd.get(ram, mm), format.levels, 0);
}

/** FNV-1a over the words of a frame. */
function contentHash({ ram }: Memory, frame: number): string {
  let hash = 0x811c_9dc5;
  for (let at = frame * 1024; at < frame * 1024 + 1024; at++)
    hash = Math.imul(hash ^ ram.i32[at]!, 0x0100_0193);
  return hex(hash >>> 0);
}

function hex(value: number): string {
  return value.toString(16);
}
