/**
 * A walk over the page tables that exist under a range of pages, to the slots of level 2 that lead to a table
 * (walk_page_range and the nested loops of zap_pmd_range and its kin). Plain: who walks makes the points and visits.
 *
 *     const walk = new TableWalk(m, mm, start, end);
 *     while (walk.at < end) {
 *       if (k.point(COST_PTE)) yield;
 *       if (!walk.read()) continue;
 *       ... pages walk.at … walk.next-1 have their entries in the table of walk.pmdSlot ...
 *       walk.leave();
 *     }
 */
import type { KPtr } from "../struct.ts";
import type { Memory } from "./memory.ts";
import { mmPgd } from "./mm-struct.ts";
import { pageHi, pageLo } from "./vpn.ts";

export class TableWalk {
  /** First page of what is read next, and, after read() was true, the end of what the table covers of the range. */
  at: number;
  next = 0;
  /** After read() was true: the slot of level 2. */
  pmdSlot = 0;
  readonly #memory: Memory;
  #level: number;
  /** By level (1 … 5): table on the way down, and the page at which its part of the range ends. */
  readonly #table: number[] = [0, 0, 0, 0, 0, 0];
  readonly #end: number[] = [0, 0, 0, 0, 0, 0];

  constructor(memory: Memory, mm: KPtr, start: number, end: number) {
    this.#memory = memory;
    this.at = start;
    this.#level = memory.format.levels;
    this.#table[this.#level] = mmPgd.get(memory.ram, mm);
    this.#end[this.#level] = end;
  }

  /** Reads one entry. Preceded by a point. @returns true: a table of the lowest level begins; then leave() follows */
  read(): boolean {
    const { format, ram } = this.#memory;
    const level = this.#level;
    const at = this.at;
    const span = format.spanPages(level);
    const next = Math.min(this.#end[level]!, Math.floor(at / span) * span + span);
    const slot = this.#table[level]! + format.index(pageLo(at), pageHi(at), level) * 8;
    const lo = ram.read32(slot);
    const hi = ram.read32(slot + 4);
    this.next = next;
    if (!format.isTable(lo, hi)) {
      this.leave();
      return false;
    }
    if (level === 2) {
      this.pmdSlot = slot;
      return true;
    }
    this.#level = level - 1;
    this.#table[level - 1] = format.tableAddress(lo, hi);
    this.#end[level - 1] = next;
    return false;
  }

  /** Goes on behind what was read, one level up where a table ends. */
  leave(): void {
    const at = this.next;
    this.at = at;
    const top = this.#memory.format.levels;
    while (this.#level < top && at >= this.#end[this.#level]!) this.#level++;
  }
}
