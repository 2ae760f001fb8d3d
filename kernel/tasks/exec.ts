/**
 * The first program: its address space, initial stack and registers (fs/exec.c, load_elf_binary() and
 * create_elf_tables() of fs/binfmt_elf.c). There is no execve() for programs.
 *
 * Simplifications: there is no page cache, so a segment is private anonymous memory into which the file's pages are
 * copied; no vDSO; nothing is placed at random.
 */
import { type ElfImage, type ElfSegment, parseElf } from "../../emu/loader/index.ts";
import { UserError } from "../../emu/user-error.ts";
import type { Context, Work } from "../context.ts";
import { COST_IRQ_MASK } from "../costs.ts";
import { EEXIST, EPERM } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import { irqRestore, irqSave } from "../locking/index.ts";
import {
  allocateMm,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_GROWSDOWN,
  MAP_PRIVATE,
  memoryOf,
  mmapAnonymous,
  mprotect,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../mm/index.ts";
import {
  mmBrk,
  mmEndCode,
  mmEndData,
  mmStartBrk,
  mmStartCode,
  mmStartData,
  mmStartStack,
} from "../mm/mm-struct.ts";
import { type KPtr, NULL } from "../struct.ts";
import { copyToUser } from "../user-access.ts";
import { buildStack } from "./initial-stack.ts";
import { outOfMemory } from "./oom-kill.ts";
import { processOf } from "./process-state.ts";
import type { ImageSegment, ThreadGroup } from "./thread-group.ts";

/** What the command line ends with. */
const STATUS_BAD_PROGRAM = 2;
const PAGE_BYTES = 4096;
/** What a new stack has below its contents (setup_arg_pages: 128 KiB). */
const STACK_EXPAND_PAGES = 32;
/** TASK_COMM_LEN without the end mark. */
const COMM_LENGTH = 15;

/** Reads the init program's file, without running anything. */
export function loadInit(kernel: Kernel): ElfImage | UserError {
  const { image, argv } = kernel.options.init;
  const arch = kernel.arch.process;
  return parseElf(image, argv[0] ?? "init", {
    machines: new Map([[arch.elfMachine, arch.littleEndian ? "little" : "big"]]),
    userEnd: BigInt(kernel.arch.mmu.taskSizeMax) * 4096n,
    pageBytes: 4096n,
    memoryBytes: BigInt(kernel.ram.sizeBytes),
  });
}

/**
 * Executes the init program in the current task, which has no address space yet. If that is not possible the machine
 * stops: the program is the user's, and what is wrong with it is for the user to know.
 */
export function* execInit(k: Context, group: ThreadGroup): Work {
  const { kernel } = k;
  const memory = memoryOf(k);
  const { table } = group;
  memory.resourceLimit = (context, resource) => processOf(context.task!).group.limits[resource]!.soft;
  memory.frames.outOfMemory = (context) => outOfMemory(context, table);
  table.futexes.base = yield* memory.allocStack(k);
  const { argv, envp } = kernel.options.init;
  const path = argv[0] ?? "init";
  const arch = kernel.arch.process;
  const image = loadInit(kernel);
  if (image instanceof UserError) return refuse(k, image.line);
  const mm = yield* allocateMm(k);
  if (mm === NULL) return refuse(k, tooLarge(path));
  yield* activateMm(k, mm);
  k.task!.comm = path.slice(path.lastIndexOf("/") + 1).slice(0, COMM_LENGTH);
  const baseVpn = image.positionIndependent ? alignedBase(arch.programBaseVpn, image.alignBytes) : 0;
  group.image = { path, segments: imageSegments(image, baseVpn), vdsoVpn: 0 };
  for (const segment of image.segments) yield* mapSegment(k, image, segment, baseVpn);
  setLayout(k, mm, image, baseVpn);
  if (arch.vdsoCode !== null) {
    group.image = { ...group.image, vdsoVpn: yield* mapVdso(k, arch.vdsoCode) };
  }
  const sp = yield* makeStack(k, mm, image, { path, argv, envp, baseVpn });
  const entry = image.entry + BigInt(baseVpn) * 4096n;
  arch.startProgram(k, k.task!.userFrame, { entry, sp });
}

/** exec_mmap(): the task goes from borrowed tables to an address space of its own. */
function* activateMm(k: Context, mm: KPtr): Work {
  const task = k.task!;
  const borrowed = task.activeMm;
  if (k.point(COST_IRQ_MASK)) yield;
  const enabled = irqSave(k);
  task.mm = mm;
  task.activeMm = mm;
  yield* k.kernel.arch.mmu.switchMm(k, borrowed, mm);
  irqRestore(k, enabled);
  if (k.point(COST_IRQ_MASK)) yield;
  if (borrowed !== NULL) yield* k.kernel.memory.dropMm(k, borrowed);
}

function alignedBase(baseVpn: number, alignBytes: bigint): number {
  const pages = Number(alignBytes / 4096n);
  return Math.floor(baseVpn / pages) * pages;
}

function firstPage(segment: ElfSegment, baseVpn: number): number {
  return Number(segment.va >> 12n) + baseVpn;
}

function pastLastPage(segment: ElfSegment, baseVpn: number): number {
  return Number((segment.va + segment.memoryBytes + 4095n) >> 12n) + baseVpn;
}

/** The parts of the address space that show the file. */
function imageSegments(image: ElfImage, baseVpn: number): ImageSegment[] {
  return image.segments
    .filter((segment) => segment.fileBytes > 0)
    .map((segment) => {
      const startVpn = firstPage(segment, baseVpn);
      const fileEnd = segment.va + BigInt(segment.fileBytes);
      return {
        startVpn,
        endVpn: Number((fileEnd + 4095n) >> 12n) + baseVpn,
        fileOffsetPages: Math.floor(segment.fileOffset / PAGE_BYTES),
      };
    });
}

/** elf_map() and the zeroing of the bss: writable at first, for the copy. */
function* mapSegment(k: Context, image: ElfImage, segment: ElfSegment, baseVpn: number): Work {
  const start = firstPage(segment, baseVpn);
  const pages = pastLastPage(segment, baseVpn) - start;
  yield* mapFixed(k, start, pages, 0, "a segment");
  const inPage = Number(segment.va & 4095n);
  const from = segment.fileOffset - inPage;
  const fileEnd = segment.fileOffset + segment.fileBytes;
  const isAllFile = segment.memoryBytes === BigInt(segment.fileBytes);
  const to = isAllFile ? Math.min(Math.ceil(fileEnd / PAGE_BYTES) * PAGE_BYTES, image.bytes.length) : fileEnd;
  if (segment.fileBytes > 0) yield* store(k, BigInt(start) << 12n, image.bytes.subarray(from, to));
  const prot =
    (segment.readable ? PROT_READ : 0) |
    (segment.writable ? PROT_WRITE : 0) |
    (segment.executable ? PROT_EXEC : 0);
  if (prot === (PROT_READ | PROT_WRITE)) return;
  const { lo, hi } = halves(BigInt(start) << 12n);
  const length = halves(BigInt(pages) << 12n);
  const error = yield* mprotect(k, lo, hi, length.lo, length.hi, prot, -1);
  if (error !== 0) refuse(k, tooLarge(image.name));
}

/** arch_setup_additional_pages(): the page is where any mapping would be put first. */
function* mapVdso(k: Context, code: Uint8Array): Work<number> {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS;
  const page = yield* mmapAnonymous(k, 0, 0, PAGE_BYTES, 0, PROT_READ | PROT_WRITE, flags);
  if (page < 0) refuse(k, tooLarge(k.task!.comm));
  const at = BigInt(page) << 12n;
  yield* store(k, at, code);
  const { lo, hi } = halves(at);
  const error = yield* mprotect(k, lo, hi, PAGE_BYTES, 0, PROT_READ | PROT_EXEC, -1);
  if (error !== 0) refuse(k, tooLarge(k.task!.comm));
  return page;
}

/** MAP_FIXED_NOREPLACE, as load_elf_binary() has it since 4.17: nothing is mapped over something else. */
function* mapFixed(k: Context, start: number, pages: number, extraFlags: number, what: string): Work {
  const { lo, hi } = halves(BigInt(start) << 12n);
  const length = halves(BigInt(pages) << 12n);
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_FIXED_NOREPLACE | extraFlags;
  const result = yield* mmapAnonymous(k, lo, hi, length.lo, length.hi, PROT_READ | PROT_WRITE, flags);
  if (result >= 0) return;
  const name = k.task!.comm;
  const at = `0x${(BigInt(start) << 12n).toString(16)}`;
  if (result === -EPERM)
    refuse(k, `${name}: ${what} at ${at} lies below the lowest address that may be mapped; link it higher`);
  else if (result === -EEXIST)
    refuse(k, `${name}: ${what} at ${at} lies where something else is; link it elsewhere`);
  else refuse(k, tooLarge(name));
}

function* store(k: Context, at: bigint, bytes: Uint8Array): Work {
  const { lo, hi } = halves(at);
  if ((yield* copyToUser(k, lo, hi, bytes)) !== 0) refuse(k, tooLarge(k.task!.comm));
}

/** The machine stops before the program runs: bad usage, not a defect of the kernel. */
function refuse(k: Context, text: string): void {
  k.cpu.stopMachine({ kind: "bad-program", text, status: STATUS_BAD_PROGRAM });
}

function tooLarge(name: string): string {
  return `${name}: does not fit the machine's memory; give it more with --mem`;
}

/** mm->start_code and its kin, and the break right after the last segment. */
function setLayout(k: Context, mm: KPtr, image: ElfImage, baseVpn: number): void {
  const { ram } = k;
  const base = baseVpn * PAGE_BYTES;
  const last = image.segments[image.segments.length - 1]!;
  const code = image.segments.filter((segment) => segment.executable);
  const data = image.segments.filter((segment) => !segment.executable);
  const range = (segments: readonly ElfSegment[]): [number, number] => {
    const first = segments[0];
    const end = segments[segments.length - 1];
    if (first === undefined || end === undefined) return [0, 0];
    return [Number(first.va) + base, Number(end.va) + end.fileBytes + base];
  };
  const [startCode, endCode] = range(code);
  const [startData, endData] = range(data);
  mmStartCode.set(ram, mm, startCode);
  mmEndCode.set(ram, mm, endCode);
  mmStartData.set(ram, mm, startData);
  mmEndData.set(ram, mm, endData);
  const start = pastLastPage(last, baseVpn) * PAGE_BYTES;
  mmStartBrk.set(ram, mm, start);
  mmBrk.set(ram, mm, start);
}

/** Maps the stack and writes its contents; the initial stack pointer. */
function* makeStack(
  k: Context,
  mm: KPtr,
  image: ElfImage,
  program: { path: string; argv: readonly string[]; envp: readonly string[]; baseVpn: number },
): Work<bigint> {
  const top = k.kernel.arch.process.stackTopVpn;
  const random = new Uint8Array(16);
  processOf(k.task!).group.table.random.fill(random);
  const { sp, bytes } = buildStack(k, image, { ...program, random, top: BigInt(top) << 12n });
  const pages = Math.ceil(bytes.length / PAGE_BYTES) + STACK_EXPAND_PAGES;
  yield* mapFixed(k, top - pages, pages, MAP_GROWSDOWN, "the stack");
  yield* store(k, sp, bytes);
  if (image.stackExecutable) {
    const { lo, hi } = halves(BigInt(top - pages) << 12n);
    const size = halves(BigInt(pages) << 12n);
    yield* mprotect(k, lo, hi, size.lo, size.hi, PROT_READ | PROT_WRITE | PROT_EXEC, -1);
  }
  mmStartStack.set(k.ram, mm, Number(sp));
  return sp;
}

function halves(value: bigint): { lo: number; hi: number } {
  return { lo: Number(BigInt.asIntN(32, value)), hi: Number(BigInt.asIntN(32, value >> 32n)) };
}
