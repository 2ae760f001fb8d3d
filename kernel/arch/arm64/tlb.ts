/**
 * Invalidation and address-space switching of arm64 Linux (arch/arm64/include/asm/tlbflush.h, mmu_context.h, 6.6; no
 * KPTI, so no second ASID for the user half).
 *
 * Nobody keeps account of which core has what: TLBI …IS is a broadcast, and DSB ISH waits until every core has dropped
 * the entries and done with the accesses that used them. The order of a flush is
 *
 *     store to the entry;  DSB ISHST;  read the ASID;  TLBI …IS;  DSB ISH
 *
 * DSB ISHST: no walker reads the old entry after the TLBI. The ASID is read behind it, as a rollover may give the address
 * space another one meanwhile: whoever then walks under the new ASID sees the new entry.
 *
 * Each step is a method, so that a variant is a subclass that overrides one.
 */
import type { TlbiInstruction } from "../../../emu/hardware.ts";
import type { Context, Work } from "../../context.ts";
import { COST_ACCESS } from "../../costs.ts";
import type { Kernel } from "../../kernel.ts";
import { mmPgd } from "../../mm/mm-struct.ts";
import type { KPtr } from "../../struct.ts";
import { type Asids, mmContextId } from "./asid.ts";
import { arm64, dsb } from "./barrier.ts";

/** A flush of as many operations empties the whole ASID (MAX_DVM_OPS: PTRS_PER_PTE). */
export const MAX_DVM_OPS = 512;
/** Pages that TLBI by range can name (__TLBI_RANGE_PAGES(31, 3)). */
export const MAX_TLBI_RANGE_PAGES: number = 32 * 2 ** 16;
/** TG of a range operand and TTL<3:2> of an address operand: 4 KiB. */
const GRANULE_4K = 1;

/** What the cores' ID registers say about TLBI. */
export interface TlbiFeatures {
  /** FEAT_TLBIRANGE: TLBI RVAE1 and its kin. */
  readonly range: "present" | "absent";
  /** FEAT_TTL: the operand may name the level of the entry. */
  readonly levelHint: "present" | "absent";
}

/** What a TLBI by address leaves standing: walk caches ("last"), nothing ("any"). */
type Levels = "any" | "last";

/** Arm64Tlb, or a subclass of it. */
export type Arm64TlbClass = new (
  kernel: Kernel,
  initMm: KPtr,
  asids: Asids,
  features: TlbiFeatures,
  reservedTable: number,
) => Arm64Tlb;

export class Arm64Tlb {
  protected readonly kernel: Kernel;
  protected readonly initMm: KPtr;
  protected readonly asids: Asids;
  protected readonly features: TlbiFeatures;
  /** reserved_pg_dir: an empty table for TTBR0_EL1. */
  protected readonly reservedTable: number;

  constructor(kernel: Kernel, initMm: KPtr, asids: Asids, features: TlbiFeatures, reservedTable: number) {
    this.kernel = kernel;
    this.initMm = initMm;
    this.asids = asids;
    this.features = features;
    this.reservedTable = reservedTable;
  }

  /** switch_mm(). Interrupts off. @param prev what is loaded, lazily or not */
  *switchMm(k: Context, prev: KPtr, next: KPtr): Work {
    if (prev !== next) {
      if (next === this.initMm) {
        if (k.point(COST_ACCESS)) yield;
        this.parkRoot(k);
      } else {
        const asid = yield* this.asids.activate(k, next);
        yield* this.loadRoot(k, next, asid);
      }
    }
    this.kernel.platform.ledger?.leaveLazy(k.cpu.id);
  }

  /** cpu_set_reserved_ttbr0(): no user address is translated. Preceded by a point. */
  parkRoot(k: Context): void {
    arm64(k).msr("TTBR0_EL1", this.reservedTable | 0, 0);
    arm64(k).isb();
  }

  /**
   * cpu_do_switch_mm(): the ASID is TTBR1_EL1's (TCR_EL1.A1), and neither table is ever walked under the other's: the
   * reserved one is loaded while it changes.
   */
  *loadRoot(k: Context, mm: KPtr, asid: number): Work {
    const cpu = arm64(k);
    if (k.point(COST_ACCESS)) yield;
    cpu.msr("TTBR0_EL1", this.reservedTable | 0, 0);
    if (k.point(COST_ACCESS)) yield;
    const swapper = cpu.mrsHi("TTBR1_EL1") & 0xffff;
    cpu.msr("TTBR1_EL1", cpu.mrsLo("TTBR1_EL1"), (asid << 16) | swapper);
    if (k.point(COST_ACCESS)) yield;
    cpu.msr("TTBR0_EL1", mmPgd.get(k.ram, mm) | 0, 0);
    cpu.isb();
  }

  /** enter_lazy_tlb(): the tables stay; broadcasts reach every core, whatever it does. Interrupts off. */
  enterLazy(k: Context, mm: KPtr): void {
    if (mm !== this.initMm) this.kernel.platform.ledger?.enterLazy(k.cpu.id);
  }

  /**
   * flush_tlb_mm(), flush_tlb_page() and __flush_tlb_range().
   * @param end 0: the whole address space @param stride pages per changed entry @param level of them, from the leaf
   */
  *flushRange(
    k: Context,
    mm: KPtr,
    start: number,
    end: number,
    stride: number,
    level: number,
    tables: "tables-freed" | "tables-kept",
  ): Work {
    this.kernel.observer?.flushBegin(k, mm, start, end, tables);
    const first = Math.floor(start / stride) * stride;
    const pages = Math.ceil((end - first) / stride) * stride;
    if (end === 0 || this.isWhole(pages, stride)) {
      yield* this.flushMm(k, mm);
    } else {
      yield* this.publishStores(k);
      if (k.point(COST_ACCESS)) yield;
      const asid = this.asidOf(k, mm);
      const kept = tables === "tables-kept";
      yield* this.dropPages(k, asid, first, pages, stride, kept ? "last" : "any", kept ? 4 - level : 0);
      yield* this.awaitAll(k);
    }
    this.kernel.observer?.flushEnd(k, mm, start, end);
  }

  /** flush_tlb_mm(): everything under the ASID. */
  *flushMm(k: Context, mm: KPtr): Work {
    yield* this.publishStores(k);
    if (k.point(COST_ACCESS)) yield;
    const asid = this.asidOf(k, mm);
    if (k.point(COST_ACCESS)) yield;
    this.broadcast(k, "aside1is", 0, asid << 16);
    yield* this.awaitAll(k);
  }

  /** So many pages take more operations than one for the whole address space. */
  isWhole(pages: number, stride: number): boolean {
    if (pages >= MAX_TLBI_RANGE_PAGES) return true;
    return this.features.range === "absent" && pages / stride >= MAX_DVM_OPS;
  }

  /** DSB ISHST: walkers see the stores to entries that came before. */
  publishStores(k: Context): Work {
    return dsb(k, "ishst");
  }

  /** DSB ISH: every core has dropped what was named, and has done with it. */
  awaitAll(k: Context): Work {
    return dsb(k, "ish");
  }

  /** ASID(). Preceded by a point. */
  asidOf(k: Context, mm: KPtr): number {
    return this.asids.asidOf(mmContextId.get(k.ram, mm));
  }

  /** TLBI of the Inner Shareable domain. Preceded by a point. */
  broadcast(k: Context, name: TlbiInstruction, lo: number, hi: number): void {
    arm64(k).tlbi(name, lo, hi);
  }

  /** __flush_tlb_range_op(): single pages and, where the machine has them, ranges. @param hint lookup level, 0: none */
  *dropPages(
    k: Context,
    asid: number,
    first: number,
    pages: number,
    stride: number,
    levels: Levels,
    hint: number,
  ): Work {
    let page = first;
    let left = pages;
    for (let scale = 0; left > 0; ) {
      if (this.features.range === "absent" || left % 2 === 1) {
        if (k.point(COST_ACCESS)) yield;
        const ttl = this.features.levelHint === "present" && hint !== 0 ? (GRANULE_4K << 2) | hint : 0;
        const pageHi = Math.floor(page / 2 ** 32);
        this.broadcast(
          k,
          levels === "last" ? "vale1is" : "vae1is",
          page | 0,
          (asid << 16) | (ttl << 12) | pageHi,
        );
        page += stride;
        left -= stride;
        continue;
      }
      const num = (Math.floor(left / 2 ** (5 * scale + 1)) & 31) - 1;
      if (num >= 0) {
        if (k.point(COST_ACCESS)) yield;
        const name = levels === "last" ? "rvale1is" : "rvae1is";
        this.broadcast(k, name, page | 0, rangeHi(asid, scale, num, hint) | Math.floor(page / 2 ** 32));
        const covered = (num + 1) * 2 ** (5 * scale + 1);
        page += covered;
        left -= covered;
      }
      scale++;
    }
  }
}

/** ASID, TG, SCALE, NUM and TTL of a range operand (__TLBI_VADDR_RANGE). */
function rangeHi(asid: number, scale: number, num: number, hint: number): number {
  return (asid << 16) | (GRANULE_4K << 14) | (scale << 12) | (num << 7) | (hint << 5);
}
