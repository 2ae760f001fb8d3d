/**
 * What lies where: which frames hold structures that cores share, what a word of them is called and how it is accessed.
 * Frames of user data, and frames that were handed out and are nothing yet, are not looked at.
 *
 * Exempt: words of a kernel stack above the task_struct, as only what runs on the stack touches them. Atomic by
 * declaration: fields whose guard says so, and fields of the scheduler, which in Linux are accessed under the run
 * queue's lock and here in one step together with the queue, which is no memory.
 */
import {
  type Field,
  type Kernel,
  layoutNamed,
  type Memory,
  PERCPU,
  type StructLayout,
} from "../../../kernel/index.ts";
import { ATOMIC, CHECKED, type Discipline, IGNORED, LOCKLESS } from "./shadow.ts";

/** Not looked at. */
export const ELSEWHERE = 0;
const BOOT = 1;
export const TABLE = 2;
const PAGES = 3;
const PERCPU_AREA = 4;
const STACK = 5;
const CALLS = 6;
const FIRST_CACHE = 7;

const ATOMIC_GUARD: RegExp = /^(atomic|marked|scheduler|trylock|lock word|itself)/;
const LOCKLESS_GUARD: RegExp = /(RCU readers|lockless readers|flushers)$/;

interface Place {
  readonly name: string;
  readonly strideBytes: number;
  /** By word of the structure; past its end: the rest. */
  readonly disciplines: Uint8Array;
  readonly rest: Discipline;
  readonly fields: readonly Field[];
}

/** A structure that lies by itself in boot memory. */
interface Single {
  readonly at: number;
  readonly place: Place;
}

export class Places {
  /** Per frame: number of its place, ELSEWHERE: not looked at. */
  readonly of: Uint8Array;
  readonly #base: Uint8Array;
  readonly #changed: number[] = [];
  readonly #places: Place[] = [];
  readonly #singles: readonly Single[];
  readonly #percpuBase: number;
  /** By place: how much of a frame, from its beginning, cores may share. */
  readonly #sharedBytes: Int32Array = new Int32Array(256).fill(4096);
  /** Found by #find(). */
  #place!: Place;
  #offset = 0;

  constructor(kernel: Kernel, memory: Memory) {
    const { ram } = kernel;
    this.of = new Uint8Array(ram.frames);
    this.#base = new Uint8Array(ram.frames);
    this.#percpuBase = kernel.percpuBase;
    this.#sharedBytes[ELSEWHERE] = 0;
    this.#sharedBytes[STACK] = layoutNamed("task_struct")!.sizeBytes;
    const { cpus } = kernel.platform;
    const task = layoutNamed("task_struct");
    this.#places[ELSEWHERE] = placeOf("memory", 4096, null, IGNORED);
    this.#places[BOOT] = placeOf("kernel data", 4096, null, CHECKED);
    this.#places[TABLE] = placeOf("page table", 4096, null, LOCKLESS);
    this.#places[PAGES] = placeOf("page", 64, layoutNamed("page"), CHECKED);
    this.#places[PERCPU_AREA] = placeOf("percpu", kernel.percpuStride, PERCPU, CHECKED);
    this.#places[STACK] = placeOf("task_struct", 4096, task, IGNORED);
    this.#places[CALLS] = placeOf("call_single_data", 32, layoutNamed("call_single_data"), CHECKED);
    this.#singles = [
      { at: memory.initMm, place: placeOf("init_mm", 4096, layoutNamed("mm_struct"), CHECKED) },
      ...memory.placed.map(({ at, layout }) => ({ at, place: placeOf(layout.name, 4096, layout, CHECKED) })),
    ];
    const map = memory.frames.map.page(0);
    this.of.fill(BOOT, map >>> 12, ram.frames - memory.frames.managed);
    this.of.fill(PAGES, map >>> 12, (map + ram.frames * 64) >>> 12);
    const percpuEnd = kernel.percpuBase + kernel.percpuStride * cpus.length;
    const callsEnd = kernel.crossCalls.record(cpus.length - 1, cpus.length - 1) + 32;
    this.of.fill(CALLS, kernel.crossCalls.record(0, 0) >>> 12, (callsEnd + 4095) >>> 12);
    this.of.fill(PERCPU_AREA, kernel.percpuBase >>> 12, (percpuEnd + 4095) >>> 12);
  }

  /** Cores may share what lies there. @hot */
  isShared(pa: number): boolean {
    return (pa & 4095) < this.#sharedBytes[this.of[pa >>> 12]!]!;
  }

  mark(): void {
    this.#base.set(this.of);
    this.#changed.length = 0;
  }

  restore(): void {
    for (const frame of this.#changed) this.of[frame] = this.#base[frame]!;
    this.#changed.length = 0;
  }

  /** A frame became a slab of a cache. */
  setSlab(frame: number, cache: string, strideBytes: number): void {
    let place = this.#places.findIndex((each, number) => number >= FIRST_CACHE && each.name === cache);
    if (place < 0) {
      place = this.#places.length;
      this.#places.push(placeOf(cache, strideBytes, layoutNamed(cache), CHECKED));
    }
    this.#set(frame, place);
  }

  setTable(frame: number): void {
    this.#set(frame, TABLE);
  }

  /** The frame is the low end of a task's stack. */
  setTask(frame: number): void {
    this.#set(frame, STACK);
  }

  /** It is nothing that is looked at. */
  leave(frame: number): void {
    this.#set(frame, ELSEWHERE);
  }

  disciplineOf(word: number): Discipline {
    this.#find(word * 4);
    const { disciplines, rest } = this.#place;
    const index = this.#offset >>> 2;
    return index < disciplines.length ? (disciplines[index] as Discipline) : rest;
  }

  /** Structure and field, and who guards it; without numbers that differ from run to run. */
  nameOf(word: number): { readonly name: string; readonly guard: string } {
    this.#find(word * 4);
    const place = this.#place;
    const offset = this.#offset;
    if (place.fields.length === 0) return { name: `a word of a ${place.name}`, guard: "its lock" };
    const field = place.fields.findLast((each) => each.offset <= offset && offset < each.offset + 8);
    if (field === undefined) return { name: `${place.name}+0x${offset.toString(16)}`, guard: "unnamed" };
    return { name: `${place.name}.${field.name}`, guard: field.guard };
  }

  #find(pa: number): void {
    const number = this.of[pa >>> 12]!;
    if (number === BOOT) {
      for (let index = 0; index < this.#singles.length; index++) {
        const { at, place } = this.#singles[index]!;
        if (pa < at || pa >= at + place.disciplines.length * 4) continue;
        this.#place = place;
        this.#offset = pa - at;
        return;
      }
    }
    this.#place = this.#places[number]!;
    const start = number === PERCPU_AREA ? this.#percpuBase : (pa & ~4095) >>> 0;
    this.#offset = (pa - start) % this.#place.strideBytes;
  }

  #set(frame: number, place: number): void {
    if (this.of[frame] === place) return;
    this.of[frame] = place;
    this.#changed.push(frame);
  }
}

function disciplineOf(guard: string): Discipline {
  if (ATOMIC_GUARD.test(guard)) return ATOMIC;
  return LOCKLESS_GUARD.test(guard) ? LOCKLESS : CHECKED;
}

function placeOf(name: string, strideBytes: number, layout: StructLayout | null, rest: Discipline): Place {
  const disciplines = new Uint8Array(layout === null ? 0 : layout.sizeBytes / 4);
  const fields = layout?.fields ?? [];
  fields.forEach((field, index) => {
    const discipline = disciplineOf(field.guard);
    const end = Math.min(fields[index + 1]?.offset ?? layout!.sizeBytes, field.offset + 8);
    disciplines.fill(discipline, field.offset >>> 2, (end + 3) >>> 2);
  });
  return { name, strideBytes, disciplines, rest, fields };
}
