/**
 * The files of /proc that the kernel has, in Linux's text formats: /proc/PID/maps (fs/proc/task_mmu.c, show_map_vma())
 * and /proc/vmstat (mm/vmstat.c). Simplification: a file's text is made as a whole by the read at offset 0.
 */
import type { Context, Work } from "../context.ts";
import { COST_ACCESS, COST_ATOMIC, COST_STEP } from "../costs.ts";
import { memoryOf } from "../mm/memory.ts";
import { dropUsersOfMm, grabUsersOfMm } from "../mm/mm-lifetime.ts";
import { mmBrk, mmMmap, mmStartBrk, mmStartStack } from "../mm/mm-struct.ts";
import { mmapReadLock, mmapReadUnlock } from "../mm/mmap-lock.ts";
import { EVENT_NAMES } from "../mm/vm-events.ts";
import {
  VM_EXEC,
  VM_MAYSHARE,
  VM_READ,
  VM_WRITE,
  vmEnd,
  vmFile,
  vmFlags,
  vmNext,
  vmPgoff,
  vmStart,
} from "../mm/vma.ts";
import { percpuOf } from "../percpu.ts";
import { type KPtr, NULL } from "../struct.ts";
import { mmOfGroup, type ProgramImage, type ThreadGroup } from "../tasks/thread-group.ts";

/** Column at which the name of a mapping starts. */
const NAME_COLUMN = 73;

/** Text of /proc/PID/maps of a process that may be ending. */
export function* procMaps(k: Context, group: ThreadGroup): Work<string> {
  const mm = mmOfGroup(group);
  if (mm === NULL) return "";
  let text = "";
  if (k.point(COST_ATOMIC)) yield;
  grabUsersOfMm(k, mm);
  yield* mmapReadLock(k, mm);
  for (let vma = mmMmap.get(k.ram, mm); vma !== NULL; vma = vmNext.get(k.ram, vma)) {
    if (k.point(COST_STEP)) yield;
    text += mapsLine(k, mm, vma, group.image);
  }
  yield* mmapReadUnlock(k, mm);
  yield* dropUsersOfMm(k, mm);
  return text;
}

function mapsLine(k: Context, mm: KPtr, vma: KPtr, image: ProgramImage): string {
  const ram = k.ram;
  const start = vmStart.get(ram, vma);
  const flags = vmFlags.get(ram, vma);
  const rights =
    ((flags & VM_READ) !== 0 ? "r" : "-") +
    ((flags & VM_WRITE) !== 0 ? "w" : "-") +
    ((flags & VM_EXEC) !== 0 ? "x" : "-") +
    ((flags & VM_MAYSHARE) !== 0 ? "s" : "p");
  const range = `${address(start)}-${address(vmEnd.get(ram, vma))}`;
  const object = objectOf(k, mm, vma, image);
  const offset = address(object.offsetPages);
  const line = `${range} ${rights} ${offset} ${object.device} ${object.inode} `;
  return object.name === "" ? `${line}\n` : `${line.padEnd(NAME_COLUMN)}${object.name}\n`;
}

interface MappedObject {
  readonly offsetPages: number;
  readonly device: string;
  readonly inode: number;
  readonly name: string;
}

/** What the line says about the mapped object: the program's file, a shared object, the heap, the stack, or nothing. */
function objectOf(k: Context, mm: KPtr, vma: KPtr, image: ProgramImage): MappedObject {
  const ram = k.ram;
  const start = vmStart.get(ram, vma);
  const end = vmEnd.get(ram, vma);
  const nothing = { offsetPages: 0, device: "00:00", inode: 0 };
  const file = vmFile.get(ram, vma);
  if (file !== NULL) {
    const offsetPages = vmPgoff.get(ram, vma);
    return { offsetPages, device: "00:01", inode: file / 8, name: "/dev/zero (deleted)" };
  }
  const segment = image.segments.find((candidate) => start >= candidate.startVpn && start < candidate.endVpn);
  if (segment !== undefined) {
    const offsetPages = start - segment.startVpn + segment.fileOffsetPages;
    return { offsetPages, device: "00:02", inode: 1, name: image.path };
  }
  if (start === image.vdsoVpn && start !== 0) return { ...nothing, name: "[vdso]" };
  if (start * 4096 <= mmBrk.get(ram, mm) && end * 4096 > mmStartBrk.get(ram, mm)) {
    return { ...nothing, name: "[heap]" };
  }
  const stack = Math.floor(mmStartStack.get(ram, mm) / 4096);
  return { ...nothing, name: start <= stack && end > stack ? "[stack]" : "" };
}

/** Text of /proc/vmstat. */
export function* procVmstat(k: Context): Work<string> {
  const kernel = k.kernel;
  const memory = memoryOf(k);
  if (k.point(COST_ACCESS)) yield;
  const areas = kernel.platform.cpus.map((_cpu, index) => percpuOf(kernel, index));
  let text = `nr_free_pages ${memory.frames.freeFrames(areas)}\n`;
  for (const [event, name] of EVENT_NAMES.entries()) text += `${name} ${memory.events.total(event)}\n`;
  for (const [name, value] of kernel.counters.entries()) {
    if (!EVENT_NAMES.includes(name)) text += `${name} ${value}\n`;
  }
  return text;
}

/** The address of a page, eight digits at least. */
function address(page: number): string {
  return (page === 0 ? "0" : `${page.toString(16)}000`).padStart(8, "0");
}
