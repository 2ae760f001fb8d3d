/**
 * Sets of cores: an array of words, never `1 << cpu`. `CpuSet` is plain TypeScript (affinity, targets of a cross
 * call); `CpuMaskField` is the same set in guest RAM, where cores race on it (mm_cpumask): each word access is a marked
 * access of its caller.
 */
import type { PhysicalMemory } from "../mmu/index.ts";
import { Field, type Guard, type KPtr, type StructLayout } from "./struct.ts";

/** Cores that a mask in guest RAM has room for. */
export const NR_CPUS = 1024;
const MASK_WORDS: number = NR_CPUS / 32;
/** Length of a mask in guest RAM. */
export const CPU_MASK_BYTES: number = MASK_WORDS * 4;

export class CpuSet {
  readonly words: Int32Array;

  constructor(words: Int32Array = new Int32Array(MASK_WORDS)) {
    this.words = words;
  }

  static of(...cpus: number[]): CpuSet {
    const set = new CpuSet();
    for (const cpu of cpus) set.add(cpu);
    return set;
  }

  /** The cores 0 … count-1. */
  static first(count: number): CpuSet {
    const set = new CpuSet();
    for (let cpu = 0; cpu < count; cpu++) set.add(cpu);
    return set;
  }

  /** @hot */
  has(cpu: number): boolean {
    return ((this.words[cpu >>> 5]! >>> (cpu & 31)) & 1) !== 0;
  }
  /** @hot */
  add(cpu: number): void {
    this.words[cpu >>> 5]! |= 1 << (cpu & 31);
  }
  /** @hot */
  delete(cpu: number): void {
    this.words[cpu >>> 5]! &= ~(1 << (cpu & 31));
  }
  clear(): void {
    this.words.fill(0);
  }
  copyFrom(other: CpuSet): void {
    this.words.set(other.words);
  }
  clone(): CpuSet {
    return new CpuSet(this.words.slice());
  }
  isEmpty(): boolean {
    return this.next(0) < 0;
  }
  count(): number {
    let count = 0;
    for (let cpu = this.next(0); cpu >= 0; cpu = this.next(cpu + 1)) count++;
    return count;
  }
  intersects(other: CpuSet): boolean {
    for (let word = 0; word < this.words.length; word++) {
      if ((this.words[word]! & other.words[word]!) !== 0) return true;
    }
    return false;
  }

  /** The first member at or after `from`, or -1. @hot */
  next(from: number): number {
    let word = from >>> 5;
    if (word >= this.words.length) return -1;
    let bits = this.words[word]! & (-1 << (from & 31));
    while (bits === 0) {
      if (++word >= this.words.length) return -1;
      bits = this.words[word]!;
    }
    return word * 32 + (31 - Math.clz32(bits & -bits));
  }

  /** Plain data for saving. */
  save(): number[] {
    return Array.from(this.words);
  }
  static restored(words: readonly number[]): CpuSet {
    return new CpuSet(Int32Array.from(words));
  }
}

/** A set of cores in guest RAM. */
export class CpuMaskField extends Field {
  /** Address of the word that holds a core's bit (for waiting or reports). @hot */
  wordAt(object: KPtr, cpu: number): number {
    return object + this.offset + (cpu >>> 5) * 4;
  }
  /** @hot */
  has(ram: PhysicalMemory, object: KPtr, cpu: number): boolean {
    return ((ram.read32(this.wordAt(object, cpu)) >>> (cpu & 31)) & 1) !== 0;
  }
  /** An atomic bit set. @hot */
  add(ram: PhysicalMemory, object: KPtr, cpu: number): void {
    const at = this.wordAt(object, cpu);
    ram.write32(at, ram.read32(at) | (1 << (cpu & 31)));
  }
  /** An atomic bit clear. @hot */
  delete(ram: PhysicalMemory, object: KPtr, cpu: number): void {
    const at = this.wordAt(object, cpu);
    ram.write32(at, ram.read32(at) & ~(1 << (cpu & 31)));
  }
  /** Reads one 32-core word; a reader of a whole mask reads word by word, each a marked access. @hot */
  word(ram: PhysicalMemory, object: KPtr, index: number): number {
    return ram.read32(object + this.offset + index * 4);
  }
  /** Copies the words that cover `cpus` cores into a set. @hot */
  read(ram: PhysicalMemory, object: KPtr, cpus: number, into: CpuSet): void {
    const words = (cpus + 31) >>> 5;
    for (let index = 0; index < words; index++) into.words[index] = this.word(ram, object, index);
    for (let index = words; index < into.words.length; index++) into.words[index] = 0;
  }
  clear(ram: PhysicalMemory, object: KPtr): void {
    for (let index = 0; index < MASK_WORDS; index++) ram.write32(object + this.offset + index * 4, 0);
  }
}

/** Places a mask of NR_CPUS cores in a structure. */
export function cpuMask(layout: StructLayout, name: string, guard: Guard): CpuMaskField {
  const field = new CpuMaskField(name, layout.bytes(CPU_MASK_BYTES, 8), guard);
  layout.fields.push(field);
  return field;
}
