/**
 * The may-sets of AArch64 by brute force: explicit sets of every TLB and walk-cache entry that could be filled, closed
 * after each event under "any walk for any address of interest may be made and kept". Written from the Arm ARM (DDI 0487
 * chapter D8: descriptor formats, hierarchical permissions, TLB maintenance instructions) for the 4 KiB granule, 48 bits
 * and the lower half, and from nothing of mmu/ but the positions of bits. Invalidations act at once.
 */
import type { PhysicalMemory } from "../../../mmu/index.ts";

export interface ReferenceLeaf {
  readonly asid: number;
  /** Bytes, as a power of 2. */
  readonly shift: number;
  readonly page: number;
  readonly frame: number;
  /** RO, EL0, UXN, PXN as bits 0 … 3. */
  readonly rights: number;
}

export interface ReferenceTable {
  readonly asid: number;
  /** Lookup level of the descriptor. */
  readonly level: number;
  readonly prefix: number;
  readonly frame: number;
  readonly rights: number;
}

interface ReferenceCore {
  asid: number;
  root: number;
  readonly leaves: Map<string, ReferenceLeaf>;
  readonly tables: Map<string, ReferenceTable>;
}

/** What a TLBI names. */
export interface ReferenceTlbi {
  /** ANY: of every ASID. */
  readonly asid: number;
  /** null: all addresses, and global entries if the ASID is ANY. */
  readonly pages: readonly number[] | null;
  readonly lastLevel: boolean;
  /** TTL: lookup level of the leaf; null: none given. */
  readonly level: number | null;
}

export const ANY = -1;
const SHIFTS = [39, 30, 21, 12];

/** Addresses are below 2^32. */
export class ReferenceMaySets {
  readonly cores: ReferenceCore[];
  readonly #ram: PhysicalMemory;
  readonly #addresses: readonly number[];

  constructor(ram: PhysicalMemory, cores: number, addresses: readonly number[]) {
    this.#ram = ram;
    this.#addresses = addresses;
    this.cores = Array.from({ length: cores }, () => ({
      asid: 0,
      root: 0,
      leaves: new Map(),
      tables: new Map(),
    }));
  }

  /** TTBR0_EL1: nothing is invalidated. */
  load(core: number, root: number, asid: number): void {
    this.cores[core]!.root = root;
    this.cores[core]!.asid = asid;
    this.close();
  }

  tlbi(core: number, { asid, pages, lastLevel, level }: ReferenceTlbi): void {
    const { leaves, tables } = this.cores[core]!;
    const names = (shift: number, prefix: number): boolean =>
      pages === null || pages.some((page) => Math.floor((page * 4096) / 2 ** shift) === prefix);
    for (const [key, leaf] of leaves) {
      const isMine = leaf.asid === ANY ? pages !== null || asid === ANY : asid === ANY || leaf.asid === asid;
      const isSize = pages === null || level === null || leaf.shift === SHIFTS[level];
      if (isMine && isSize && names(leaf.shift, leaf.page)) leaves.delete(key);
    }
    if (!lastLevel) {
      for (const [key, table] of tables) {
        const isAbove = pages === null || level === null || table.level < level;
        const isMine = asid === ANY || table.asid === asid;
        if (isMine && isAbove && names(SHIFTS[table.level]!, table.prefix)) tables.delete(key);
      }
    }
    this.close();
  }

  /** Everything that walks could add to what is there. */
  close(): void {
    for (const core of this.cores) {
      if (core.root === 0) continue;
      for (let grew = true; grew; ) {
        const before = core.leaves.size + core.tables.size;
        for (const va of this.#addresses) {
          this.#step(core, va, 0, core.root, 2);
          for (const table of [...core.tables.values()]) {
            if (table.asid === core.asid && leadsFor(table, va)) {
              this.#step(core, va, table.level + 1, table.frame, table.rights);
            }
          }
        }
        grew = core.leaves.size + core.tables.size > before;
      }
    }
  }

  leavesFor(core: number, asid: number, va: number): ReferenceLeaf[] {
    return [...this.cores[core]!.leaves.values()].filter(
      (leaf) => Math.floor(va / 2 ** leaf.shift) === leaf.page && (leaf.asid === ANY || leaf.asid === asid),
    );
  }

  tablesFor(core: number, asid: number, va: number): ReferenceTable[] {
    return [...this.cores[core]!.tables.values()].filter(
      (table) => table.asid === asid && leadsFor(table, va),
    );
  }

  /** One table read of a walk, and what may be kept of it. */
  #step(core: ReferenceCore, va: number, level: number, table: number, above: number): void {
    const shift = SHIFTS[level]!;
    const prefix = Math.floor(va / 2 ** shift);
    const entry = this.#ram.view.getBigUint64(table * 4096 + (prefix % 512) * 8, true);
    const bit = (position: number): number => Number((entry >> BigInt(position)) & 1n);
    if (bit(0) === 0) return;
    const frame = Number((entry >> 12n) & 0xf_ffff_ffffn);
    const { asid } = core;
    if (level < 3 && bit(1) === 1) {
      const restricts = bit(62) | (bit(60) << 2) | (bit(59) << 3);
      const rights = ((above | restricts) & ~2) | (above & (bit(61) === 1 ? 0 : 2));
      const found: ReferenceTable = { asid, level, prefix, frame, rights };
      core.tables.set(JSON.stringify(found), found);
      return;
    }
    if (bit(10) === 0 || (level === 3 && bit(1) === 0) || level === 0) return;
    const restricts = bit(7) | (bit(54) << 2) | (bit(53) << 3);
    const rights = ((above | restricts) & ~2) | (above & (bit(6) << 1));
    const leaf: ReferenceLeaf = { asid: bit(11) === 1 ? asid : ANY, shift, page: prefix, frame, rights };
    core.leaves.set(JSON.stringify(leaf), leaf);
  }
}

function leadsFor(table: ReferenceTable, va: number): boolean {
  return Math.floor(va / 2 ** SHIFTS[table.level]!) === table.prefix;
}
