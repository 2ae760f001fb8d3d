/**
 * The words that decide races: an address space's sequence count, TLB generation, core mask and pending flushes, the
 * bounds of its VMAs, and each core's loaded_mm and lazy flag. Values are read past the accessors, so that nobody hears of it.
 */
import {
  type Context,
  type Kernel,
  type KPtr,
  mmCpumask,
  mmMmap,
  mmMmapSeq,
  mmTlbFlushPending,
  mmTlbGen,
  NULL,
  PERCPU,
  percpuOf,
  vmEnd,
  vmFlags,
  vmNext,
  vmPgoff,
  vmStart,
} from "../../kernel/index.ts";
import type { Weight } from "./event.ts";

export interface WatchedWord {
  readonly name: string;
  readonly pa: number;
  readonly form: "number" | "mask" | "mm" | "address" | "hex";
  readonly writeWeight: Weight;
  readWeight(k: Context): Weight;
}

/** Of struct tlb_state; an architecture without one has none of them. */
const PER_CORE = [
  { field: /^cpu_tlbstate\.loaded_mm$/, name: "loaded_mm", form: "mm" },
  { field: /^cpu_tlbstate\.is_lazy$/, name: "is_lazy", form: "number" },
  { field: /^cpu_tlbstate\.ctxs\[(\d+)\]\.tlb_gen$/, name: "own tlb_gen", form: "number" },
  { field: /^cpu_tlbstate\.ctxs\[(\d+)\]\.ctx_id$/, name: "ctx_id", form: "number" },
] as const;

const VMA_WORDS = [
  { field: vmStart, form: "address" },
  { field: vmEnd, form: "address" },
  { field: vmPgoff, form: "number" },
  { field: vmFlags, form: "hex" },
] as const;

export class WatchedWords {
  readonly #kernel: Kernel;
  readonly #words: Map<number, WatchedWord> = new Map();
  /** Address spaces in the order in which they were seen, for names. */
  readonly #mms: KPtr[] = [];

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    for (const task of kernel.sched.tasks()) {
      if (task.mm === NULL) continue;
      this.addMm(task.mm);
      for (let vma = mmMmap.get(kernel.ram, task.mm); vma !== NULL; vma = vmNext.get(kernel.ram, vma)) {
        this.addVma(vma);
      }
    }
    for (const cpu of kernel.platform.cpus) {
      for (const { field, name, form } of PER_CORE) {
        for (const found of PERCPU.fields) {
          const slot = field.exec(found.name)?.[1];
          if (!field.test(found.name)) continue;
          const pa = found.at(percpuOf(kernel, cpu.id));
          const full = slot === undefined ? name : `${name} of slot ${slot}`;
          this.#add({ name: full, pa, form, writeWeight: 2, readWeight: () => (slot === undefined ? 4 : 3) });
        }
      }
    }
  }

  /** A new address space. */
  addMm(mm: KPtr): void {
    if (this.#mms.includes(mm)) return;
    this.#mms.push(mm);
    this.#add({
      name: "mmap_seq",
      pa: mmMmapSeq.at(mm),
      form: "number",
      writeWeight: 2,
      readWeight: (k) => (holdsMmapLock(k) ? 4 : 2),
    });
    this.#add({
      name: this.#kernel.arch.mmu.contextWord.name,
      pa: mmTlbGen.at(mm),
      form: this.#kernel.arch.mmu.contextWord.form,
      writeWeight: 2,
      // Who joins reads it where nobody waits; a flush handler reads it to see what it need not do.
      readWeight: (k) => (k.irqDepth > 0 ? 3 : 2),
    });
    this.#add({
      name: "tlb_flush_pending",
      pa: mmTlbFlushPending.at(mm),
      form: "number",
      writeWeight: 2,
      readWeight: () => 2,
    });
    for (let first = 0; first < this.#kernel.platform.cpus.length; first += 32) {
      const pa = mmCpumask.wordAt(mm, first);
      this.#add({ name: "mm_cpumask", pa, form: "mask", writeWeight: 2, readWeight: () => 2 });
    }
  }

  /** A VMA: what a fault without mmap_lock copies. */
  addVma(vma: KPtr): void {
    for (const { field, form } of VMA_WORDS) {
      this.#add({
        name: `${field.name} of ${(vma >>> 0).toString(16)}`,
        pa: field.at(vma),
        form,
        writeWeight: 2,
        readWeight: (k) => (holdsMmapLock(k) ? 4 : 3),
      });
    }
  }

  removeVma(vma: KPtr): void {
    for (const { field } of VMA_WORDS) this.#words.delete(field.at(vma));
  }

  has(pa: number): boolean {
    return this.#words.has(pa);
  }

  of(pa: number): WatchedWord {
    return this.#words.get(pa)!;
  }

  /** Its value now. */
  value(word: WatchedWord): string {
    const value = this.#kernel.ram.i32[word.pa >>> 2]! >>> 0;
    if (word.form === "address") {
      return ((BigInt(this.#kernel.ram.i32[(word.pa >>> 2) + 1]! >>> 0) << 32n) | BigInt(value)).toString(16);
    }
    if (word.form === "hex") return value.toString(16);
    if (word.form === "number") return String(value);
    if (word.form === "mask") {
      const cores = Array.from({ length: 32 }, (_, core) => core).filter((core) => (value >>> core) & 1);
      return `{${cores.join(" ")}}`;
    }
    if (value <= 1) return value === 0 ? "none" : "switching";
    const at = this.#mms.indexOf(value as KPtr);
    return at < 0 ? "init_mm" : `mm ${at + 1}`;
  }

  #add(word: WatchedWord): void {
    this.#words.set(word.pa, word);
  }
}

function holdsMmapLock(k: Context): boolean {
  for (let slot = 0; slot < k.held.count; slot++) if (k.held.classes[slot]!.name === "mmap_lock") return true;
  return false;
}
