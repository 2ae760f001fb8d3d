/**
 * The may-sets by brute force: explicit sets of every TLB and paging-structure-cache entry that could be filled, closed
 * after each event under "any walk for any address of interest may be made and kept". Written from Intel SDM vol. 3A
 * 4.10 and from nothing of mmu/ but the positions of bits.
 */
import type { PhysicalMemory } from "../../mmu/index.ts";

export interface ReferenceLeaf {
  readonly pcid: number;
  readonly global: boolean;
  readonly shift: number;
  readonly page: number;
  readonly frame: number;
  readonly rights: number;
  readonly dirty: boolean;
  readonly key: number;
}

export interface ReferenceTable {
  readonly pcid: number;
  readonly level: number;
  /** Address >> shift of the level. */
  readonly prefix: number;
  readonly frame: number;
  readonly rights: number;
}

interface ReferenceCore {
  pcid: number;
  root: number;
  leaves: Map<string, ReferenceLeaf>;
  tables: Map<string, ReferenceTable>;
}

const SHIFTS = [0, 12, 21, 30, 39];
const ANY = -1;

/** Addresses are below 2^32. */
export class ReferenceMaySets {
  readonly cores: ReferenceCore[];
  readonly #ram: PhysicalMemory;
  readonly #addresses: readonly number[];

  constructor(ram: PhysicalMemory, cores: number, addresses: readonly number[]) {
    this.#ram = ram;
    this.#addresses = addresses;
    this.cores = Array.from({ length: cores }, () => ({
      pcid: 0,
      root: 0,
      leaves: new Map(),
      tables: new Map(),
    }));
  }

  save(): ReferenceCore[] {
    return structuredClone(this.cores);
  }

  restore(saved: readonly ReferenceCore[]): void {
    this.cores.splice(0, this.cores.length, ...structuredClone(saved as ReferenceCore[]));
  }

  load(core: number, root: number, pcid: number, flush: boolean): void {
    const at = this.cores[core]!;
    at.root = root;
    at.pcid = pcid;
    if (flush) this.context(core, pcid, false);
    this.close();
  }

  invlpg(core: number, va: number): void {
    const at = this.cores[core]!;
    this.#drop(core, (leaf) => covers(leaf, va) && (leaf.global || leaf.pcid === at.pcid));
    this.#dropTables(core, (table) => table.pcid === at.pcid);
    this.close();
  }

  invpcidAddress(core: number, pcid: number, va: number): void {
    this.#drop(core, (leaf) => covers(leaf, va) && !leaf.global && leaf.pcid === pcid);
    this.#dropTables(core, (table) => table.pcid === pcid && leadsFor(table, va));
    this.close();
  }

  /** @param pcid -1: all */
  context(core: number, pcid: number, globals: boolean): void {
    this.#drop(core, (leaf) => (leaf.global ? globals : pcid === ANY || leaf.pcid === pcid));
    this.#dropTables(core, (table) => pcid === ANY || table.pcid === pcid);
    this.close();
  }

  pageFault(core: number, va: number): void {
    const at = this.cores[core]!;
    this.close();
    this.#drop(core, (leaf) => covers(leaf, va) && (leaf.global || leaf.pcid === at.pcid));
    this.#dropTables(core, (table) => table.pcid === at.pcid && leadsFor(table, va));
    this.close();
  }

  /** Everything that walks could add to what is there. */
  close(): void {
    for (const core of this.cores) {
      if (core.root === 0) continue;
      for (let grew = true; grew; ) {
        const before = core.leaves.size + core.tables.size;
        for (const va of this.#addresses) {
          this.#step(core, va, 4, core.root, 3);
          for (const table of [...core.tables.values()]) {
            if (table.pcid === core.pcid && leadsFor(table, va)) {
              this.#step(core, va, table.level - 1, table.frame, table.rights);
            }
          }
        }
        grew = core.leaves.size + core.tables.size > before;
      }
    }
  }

  leavesFor(core: number, pcid: number, va: number): ReferenceLeaf[] {
    return [...this.cores[core]!.leaves.values()].filter(
      (leaf) => covers(leaf, va) && (leaf.global || leaf.pcid === pcid),
    );
  }

  tablesFor(core: number, pcid: number, va: number): ReferenceTable[] {
    return [...this.cores[core]!.tables.values()].filter(
      (table) => table.pcid === pcid && leadsFor(table, va),
    );
  }

  /** One table read of a walk, and what may be kept of it. */
  #step(core: ReferenceCore, va: number, level: number, table: number, above: number): void {
    const index = Math.floor(va / 2 ** SHIFTS[level]!) % 512;
    const entry = this.#ram.view.getBigUint64(table * 4096 + index * 8, true);
    const bit = (position: number): number => Number((entry >> BigInt(position)) & 1n);
    if (bit(0) === 0 || bit(5) === 0) return;
    const frame = Number((entry >> 12n) & 0xff_ffff_ffffn);
    const rights = (above & (bit(1) | (bit(2) << 1))) | ((above & 4) | (bit(63) << 2));
    const prefix = Math.floor(va / 2 ** SHIFTS[level]!);
    const { pcid } = core;
    if (level > 1 && bit(7) === 0) {
      const found: ReferenceTable = { pcid, level, prefix, frame, rights };
      core.tables.set(JSON.stringify(found), found);
      return;
    }
    const shift = SHIFTS[level]!;
    const global = bit(8) === 1;
    const leaf: ReferenceLeaf = {
      pcid: global ? ANY : pcid,
      global,
      shift,
      page: prefix,
      frame,
      rights,
      dirty: bit(6) === 1,
      key: Number((entry >> 59n) & 15n),
    };
    core.leaves.set(JSON.stringify(leaf), leaf);
  }

  #drop(core: number, goes: (leaf: ReferenceLeaf) => boolean): void {
    const { leaves } = this.cores[core]!;
    for (const [key, leaf] of leaves) if (goes(leaf)) leaves.delete(key);
  }

  #dropTables(core: number, goes: (table: ReferenceTable) => boolean): void {
    const { tables } = this.cores[core]!;
    for (const [key, table] of tables) if (goes(table)) tables.delete(key);
  }
}

function covers(leaf: ReferenceLeaf, va: number): boolean {
  return Math.floor(va / 2 ** leaf.shift) === leaf.page;
}

function leadsFor(table: ReferenceTable, va: number): boolean {
  return Math.floor(va / 2 ** SHIFTS[table.level]!) === table.prefix;
}
