import { describe, expect, test } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import { EFAULT, ENOMEM } from "../../../kernel/errno.ts";
import type { FaultDesign } from "../../../kernel/mm/designs/design.ts";
import { Classic, SpfMm } from "../../../kernel/mm/designs/index.ts";
import { madvise, mprotect, mremap } from "../../../kernel/mm/index.ts";
import { MADV_DONTNEED } from "../../../kernel/mm/madvise.ts";
import { mmMmap } from "../../../kernel/mm/mm-struct.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE } from "../../../kernel/mm/mmap.ts";
import { MREMAP_FIXED, MREMAP_MAYMOVE } from "../../../kernel/mm/mremap.ts";
import { VM_ACCESS_FLAGS, vmEnd, vmFlags, vmNext, vmStart } from "../../../kernel/mm/vma.ts";
import { checkVmas } from "../../../kernel/mm/vma-tree.ts";
import { NULL } from "../../../kernel/struct.ts";
import { brokenInvariant } from "./support/invariants.ts";
import { halves, load, MmMachine, mapPages, store, unmapPages } from "./support/mm-machine.ts";

/** Pages of the window that a run works in. */
const WINDOW = 40;
const READ = 1;
const WRITE = 2;

/** One page as the calls' manual pages describe it: rights and contents, or nothing. */
interface ModelPage {
  prot: number;
  value: number;
}

/** An address space as a map of pages: knows no VMAs, no tables, no faults. */
class Model {
  readonly pages: Map<number, ModelPage> = new Map();

  map(start: number, count: number, prot: number): void {
    for (let page = start; page < start + count; page++) this.pages.set(page, { prot, value: 0 });
  }
  unmap(start: number, count: number): void {
    for (let page = start; page < start + count; page++) this.pages.delete(page);
  }
  /** Changes rights up to the first hole, which is an error. */
  protect(start: number, count: number, prot: number): number {
    for (let page = start; page < start + count; page++) {
      const found = this.pages.get(page);
      if (found === undefined) return -ENOMEM;
      found.prot = prot;
    }
    return 0;
  }
  discard(start: number, count: number): number {
    let result = 0;
    for (let page = start; page < start + count; page++) {
      const found = this.pages.get(page);
      if (found === undefined) result = -ENOMEM;
      else found.value = 0;
    }
    return result;
  }
  isMapped(start: number, count: number): boolean {
    for (let page = start; page < start + count; page++) if (!this.pages.has(page)) return false;
    return true;
  }
  /** Moves pages, replacing what is at the target; a longer target is filled with fresh pages. */
  move(from: number, oldCount: number, to: number, newCount: number): void {
    const moved: ModelPage[] = [];
    for (let index = 0; index < oldCount; index++) moved.push(this.pages.get(from + index)!);
    this.unmap(from, oldCount);
    this.unmap(to, newCount);
    for (let index = 0; index < newCount; index++) {
      this.pages.set(to + index, moved[index] ?? { prot: moved[0]!.prot, value: 0 });
    }
  }
  grow(from: number, oldCount: number, newCount: number): void {
    for (let index = oldCount; index < newCount; index++) {
      this.pages.set(from + index, { prot: this.pages.get(from)!.prot, value: 0 });
    }
  }
}

function* randomSteps(k: Context, machine: MmMachine, base: number, seed: number, steps: number): Work {
  const model = new Model();
  let state = seed;
  const random = (limit: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) % limit;
  };
  for (let step = 0; step < steps; step++) {
    const start = base + random(WINDOW);
    const count = 1 + random(8);
    const what = random(12);
    const prot = [0, READ, READ | WRITE, READ | WRITE, READ | WRITE][random(5)]!;
    const label = `seed ${seed} step ${step}: ${what} at ${start - base} for ${count}`;
    if (what < 3) {
      const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
      expect(yield* mapPages(k, start, count, prot, flags), label).toBe(start);
      model.map(start, count, prot);
    } else if (what === 3) {
      expect(yield* unmapPages(k, start, count), label).toBe(0);
      model.unmap(start, count);
    } else if (what < 6) {
      const result = yield* mprotect(k, ...halves(start), ...halves(count), prot, -1);
      expect(result, label).toBe(model.protect(start, count, prot));
    } else if (what === 6) {
      const result = yield* madvise(k, ...halves(start), ...halves(count), MADV_DONTNEED);
      expect(result, label).toBe(model.discard(start, count));
    } else if (what < 9) {
      yield* remapStep(k, model, base, start, count, random, label);
    } else {
      const page = model.pages.get(start);
      const stored = yield* store(k, start, step + 1);
      expect(stored, label).toBe(page !== undefined && (page.prot & WRITE) !== 0);
      if (stored) page!.value = step + 1;
    }
    const wrong = compareVmas(k, machine, model, base);
    if (wrong !== null) throw new Error(`${label}: ${wrong}`);
    if (step % 8 === 0) yield* compareContents(k, model, base, label);
    expect(brokenInvariant(machine.memory, k.task!.mm), label).toBeNull();
  }
  yield* compareContents(k, model, base, `seed ${seed} at the end`);
}

/** mremap(): the call works on one VMA, and where VMAs end is not the model's business. */
function* remapStep(
  k: Context,
  model: Model,
  base: number,
  start: number,
  count: number,
  random: (limit: number) => number,
  label: string,
): Work {
  const newCount = 1 + random(8);
  const fixed = random(2) === 0;
  const target = base + WINDOW + 16 + random(WINDOW);
  const [lo, hi] = halves(start);
  const [oldLengthLo, oldLengthHi] = halves(count);
  const [newLengthLo, newLengthHi] = halves(newCount);
  const [newLo, newHi] = halves(target);
  const flags = fixed ? MREMAP_MAYMOVE | MREMAP_FIXED : 0;
  const request = { lo, hi, oldLengthLo, oldLengthHi, newLengthLo, newLengthHi, flags, newLo, newHi };
  const wasMapped = model.isMapped(start, Math.min(count, newCount));
  const result = yield* mremap(k, request);
  if (result === target && fixed) {
    expect(wasMapped, label).toBe(true);
    if (count > newCount) model.unmap(start + newCount, count - newCount);
    model.move(start, Math.min(count, newCount), target, newCount);
  } else if (result === start) {
    if (newCount <= count) model.unmap(start + newCount, count - newCount);
    else model.grow(start, count, newCount);
  } else {
    expect([-EFAULT, -ENOMEM], label).toContain(result);
    // A fixed move that shrinks and fails has unmapped its target, and what was to be cut off, already.
    if (fixed && count > newCount && model.pages.has(start)) {
      model.unmap(target, newCount);
      model.unmap(start + newCount, count - newCount);
    }
  }
}

function compareVmas(k: Context, machine: MmMachine, model: Model, base: number): string | null {
  const mm = k.task!.mm;
  const wrong = checkVmas(k.ram, mm);
  if (wrong !== null) return wrong;
  const mapped = new Map<number, number>();
  for (let vma = mmMmap.get(k.ram, mm); vma !== NULL; vma = vmNext.get(k.ram, vma)) {
    for (let page = vmStart.get(k.ram, vma); page < vmEnd.get(k.ram, vma); page++) {
      mapped.set(page, vmFlags.get(k.ram, vma) & VM_ACCESS_FLAGS);
    }
  }
  if (mapped.size !== model.pages.size)
    return `${mapped.size} pages are mapped instead of ${model.pages.size}`;
  for (const [page, { prot }] of model.pages) {
    if (mapped.get(page) !== prot)
      return `page ${page - base} has rights ${mapped.get(page)} instead of ${prot}`;
  }
  return machine.kernel.reports[0] ?? null;
}

function* compareContents(k: Context, model: Model, base: number, label: string): Work {
  for (let page = base; page < base + 3 * WINDOW; page++) {
    const expected = model.pages.get(page);
    const value = yield* load(k, page);
    const readable = expected !== undefined && (expected.prot & READ) !== 0;
    if (value !== (readable ? expected.value : null)) {
      throw new Error(`${label}: page ${page - base} reads ${value} instead of ${expected?.value ?? null}`);
    }
  }
}

const CASES: readonly { name: string; levels: 4 | 5; base: number; design: () => FaultDesign }[] = [
  { name: "classic, 4 levels", levels: 4, base: 0x7_0000_0000, design: () => new Classic() },
  { name: "spf-mm, 4 levels", levels: 4, base: 0x7_0000_0000, design: () => new SpfMm() },
  // Around 2^55: beyond what a double holds as bytes.
  { name: "classic, 5 levels above 2^53", levels: 5, base: 2 ** 43 - 20, design: () => new Classic() },
];

describe.each(CASES)("random calls against a map of pages ($name)", ({ levels, base, design }) => {
  test.each([1, 2, 3, 4])("seed %i", (seed) => {
    const machine = new MmMachine({ levels, design: design() });
    let before = 0;
    machine.run(function* (k: Context): Work {
      before = machine.freeFrames();
      yield* randomSteps(k, machine, base, seed, 250);
    });
    expect(machine.kernel.reports).toEqual([]);
    expect(machine.machine.ledger!.violations).toEqual([]);
    expect(before).toBeGreaterThan(0);
  });
});
