/**
 * Address-space switching and TLB flushing as x86 Linux does it (arch/x86/mm/tlb.c, 5.17; KPTI off).
 *
 * Every mm has a generation, bumped by each flush. Every core has a few context slots, one per PCID in use, that say up
 * to which generation of which mm the entries under that PCID are clean. A flush interrupts the cores of the mm's mask;
 * a core that is not reached (another mm loaded, lazy) sees the newer generation when it loads the mm again.
 *
 * Order in switchMm: mask bit of the new mm, then its generation, then CR3, and the old mm's bit goes last, so that a
 * flusher that finds the bit clear knows that the old root is no longer walked.
 */
import type { X86Cpu } from "../../../emu/hardware.ts";
import { CR3_HI_NO_FLUSH } from "../../../mmu/index.ts";
import type { Context, Work } from "../../context.ts";
import { COST_ACCESS, COST_ATOMIC, COST_IRQ_MASK } from "../../costs.ts";
import { CpuSet } from "../../cpu-set.ts";
import { type CallKind, type SendOptions, sendCalls, waitForCalls } from "../../cross-call.ts";
import type { Kernel } from "../../kernel.ts";
import { irqRestore, irqSave } from "../../locking/spinlock.ts";
import { memoryOf } from "../../mm/memory.ts";
import { mmCpumask, mmCtxId, mmPgd, mmTlbGen } from "../../mm/mm-struct.ts";
import {
  TLB_LOCAL_FLUSH_ALL,
  TLB_LOCAL_FLUSH_ONE,
  TLB_REMOTE_FLUSH,
  TLB_REMOTE_FLUSH_RECEIVED,
} from "../../mm/vm-events.ts";
import { pageHi, pageLo } from "../../mm/vpn.ts";
import { PERCPU, percpuOf, thisCpu } from "../../percpu.ts";
import {
  type I32Field,
  type KPtr,
  kptrOf,
  NULL,
  type PtrField,
  StructLayout,
  type U64Field,
  type VpnField,
} from "../../struct.ts";

/** Context slots of a core, unless the machine has fewer (TLB_NR_DYN_ASIDS); slot n uses PCID n + 1. */
export const TLB_NR_DYN_ASIDS = 6;
/** A flush of more pages empties the whole context (tlb_single_page_flush_ceiling). */
export const SINGLE_PAGE_FLUSH_CEILING = 33;
/** Value of loaded_mm while CR3 changes; no valid pointer. */
export const LOADED_MM_SWITCHING: KPtr = kptrOf(1);

/** A context slot (struct tlb_context), at slotOf(). */
const SLOT: StructLayout = new StructLayout("tlb_context");
export const slotCtxId: U64Field = SLOT.u64("ctx_id", "own core, interrupts off");
export const slotTlbGen: U64Field = SLOT.u64("tlb_gen", "own core, interrupts off");
const SLOT_BYTES: number = SLOT.sizeBytes;

/** struct tlb_state of each core. */
export const loadedMm: PtrField = PERCPU.ptr("cpu_tlbstate.loaded_mm", "own core, interrupts off");
export const loadedMmAsid: I32Field = PERCPU.i32("cpu_tlbstate.loaded_mm_asid", "own core, interrupts off");
export const nextAsid: I32Field = PERCPU.i32("cpu_tlbstate.next_asid", "own core, interrupts off");
const CTXS: number = PERCPU.embed("cpu_tlbstate.ctxs[0]", SLOT);
for (let asid = 1; asid < TLB_NR_DYN_ASIDS; asid++) PERCPU.embed(`cpu_tlbstate.ctxs[${asid}]`, SLOT);
/** Read by flushers of other cores (cpu_tlbstate_shared). */
export const isLazy: I32Field = PERCPU.i32("cpu_tlbstate.is_lazy", "own core; flushers");

/** struct flush_tlb_info of each core: one flush at a time, as preemption is off. */
const INFO: StructLayout = new StructLayout("flush_tlb_info");
const infoMm: PtrField = INFO.ptr("mm", "initiator");
const infoStart: VpnField = INFO.vpn("start", "initiator");
const infoEnd: VpnField = INFO.vpn("end", "initiator");
const infoNewGen: U64Field = INFO.u64("new_tlb_gen", "initiator");
const infoInitiator: I32Field = INFO.i32("initiating_cpu", "initiator");
/** 0 stands for TLB_FLUSH_ALL; else pages per entry that was changed. */
const infoStride: I32Field = INFO.i32("stride", "initiator");
const FLUSH_INFO: number = PERCPU.bytes(INFO.sizeBytes, 64);

/** A context slot of a core. @hot */
export function slotOf(core: KPtr, asid: number): KPtr {
  return kptrOf(core + CTXS + asid * SLOT_BYTES);
}

function x86(k: Context): X86Cpu {
  return k.cpu as X86Cpu;
}

/** X86Tlb, or a subclass of it. */
export type X86TlbClass = new (
  kernel: Kernel,
  initMm: KPtr,
  pcid: "pcid" | "no-pcid",
  slots: number,
) => X86Tlb;

/** Each step is a method, so that a variant is a subclass that overrides one. */
export class X86Tlb {
  protected readonly kernel: Kernel;
  protected readonly initMm: KPtr;
  protected readonly pcid: boolean;
  protected readonly slots: number;
  protected readonly flushKind: CallKind;
  /** Targets of one flush per core, reused. */
  protected readonly targets: CpuSet[] = [];
  /** Results of chooseAsid(): what is under the context must go before it is used; its slot gets another mm. */
  protected needFlush = false;
  protected takesSlot = false;

  /** @param pcid whether the machine has process-context identifiers @param slots 1 … TLB_NR_DYN_ASIDS in use */
  constructor(kernel: Kernel, initMm: KPtr, pcid: "pcid" | "no-pcid", slots: number) {
    this.kernel = kernel;
    this.initMm = initMm;
    this.pcid = pcid === "pcid";
    this.slots = Math.min(slots, TLB_NR_DYN_ASIDS);
    this.flushKind = kernel.registerCall("flush_tlb_func", this.flushTlbFunc.bind(this));
    for (const cpu of kernel.platform.cpus) {
      this.targets.push(new CpuSet());
      const core = percpuOf(kernel, cpu.id);
      loadedMm.set(kernel.ram, core, initMm);
      loadedMmAsid.set(kernel.ram, core, 0);
      nextAsid.set(kernel.ram, core, 1);
      slotCtxId.set(kernel.ram, slotOf(core, 0), mmCtxId.get(kernel.ram, initMm));
      slotTlbGen.set(kernel.ram, slotOf(core, 0), mmTlbGen.get(kernel.ram, initMm));
    }
  }

  /** initialize_tlbstate_and_flush(): loads init_mm's tables under the first context, flushing it. Start of a core. */
  loadInitial(cpu: X86Cpu): void {
    const pgd = mmPgd.get(this.kernel.ram, this.initMm);
    cpu.writeCr3(this.cr3Lo(pgd, 0), 0);
  }

  /** switch_mm_irqs_off(). Interrupts off. */
  *switchMm(k: Context, next: KPtr): Work {
    const ram = k.ram;
    const core = thisCpu(k);
    const real = loadedMm.get(ram, core);
    const previousAsid = loadedMmAsid.get(ram, core);
    if (k.point(COST_ACCESS)) yield;
    const wasLazy = isLazy.get(ram, core) !== 0;
    if (wasLazy) isLazy.set(ram, core, 0);
    let asid = previousAsid;
    let gen: number;
    if (real === next) {
      if (!wasLazy) return;
      // A flusher that saw the lazy flag sent nothing; its new generation is visible now.
      if (k.point(COST_ACCESS)) yield;
      gen = mmTlbGen.get(ram, next);
      if (this.isClean(k, slotOf(core, asid), gen)) {
        this.leftLazy(k, wasLazy);
        return;
      }
      this.needFlush = true;
      this.takesSlot = true;
    } else {
      gen = yield* this.joinMm(k, next);
      asid = this.chooseAsid(k, core, next, gen);
      loadedMm.set(ram, core, LOADED_MM_SWITCHING);
    }
    const slot = slotOf(core, asid);
    if (this.takesSlot) {
      slotCtxId.set(ram, slot, mmCtxId.get(ram, next));
      slotTlbGen.set(ram, slot, gen);
    }
    yield* this.changeRoot(k, real, next, asid, this.needFlush || !this.pcid ? 0 : CR3_HI_NO_FLUSH);
    this.leftLazy(k, wasLazy);
  }

  /**
   * The core becomes one that flushers of `next` interrupt, and learns what it must not miss: the mask bit comes before
   * the generation. @returns the generation
   */
  *joinMm(k: Context, next: KPtr): Work<number> {
    if (next !== this.initMm) {
      if (k.point(COST_ATOMIC)) yield;
      mmCpumask.add(k.ram, next, k.cpu.id);
    }
    if (k.point(COST_ACCESS)) yield;
    return mmTlbGen.get(k.ram, next);
  }

  /** CR3, then who is loaded, then the old mm's mask bit, when its root is walked no more. @param flag CR3_HI_NO_FLUSH or 0 */
  *changeRoot(k: Context, real: KPtr, next: KPtr, asid: number, flag: number): Work {
    if (k.point(COST_ACCESS)) yield;
    this.loadRoot(k, next, asid, flag);
    if (real !== next && real !== this.initMm) {
      if (k.point(COST_ATOMIC)) yield;
      mmCpumask.delete(k.ram, real, k.cpu.id);
    }
  }

  /** load_new_mm_cr3(), and who is loaded. Preceded by a point. */
  loadRoot(k: Context, next: KPtr, asid: number, flag: number): void {
    const core = thisCpu(k);
    x86(k).writeCr3(this.cr3Lo(mmPgd.get(k.ram, next), asid), flag);
    loadedMm.set(k.ram, core, next);
    loadedMmAsid.set(k.ram, core, asid);
  }

  /** What is cached under the slot's context is as new as a generation. */
  isClean(k: Context, slot: KPtr, gen: number): boolean {
    return slotTlbGen.get(k.ram, slot) >= gen;
  }

  /** enter_lazy_tlb(): flushers may leave this core out as long as they free no tables. Interrupts off. */
  enterLazy(k: Context): void {
    const core = thisCpu(k);
    if (loadedMm.get(k.ram, core) === this.initMm) return;
    isLazy.set(k.ram, core, 1);
    this.kernel.platform.ledger?.enterLazy(k.cpu.id);
  }

  /** leave_mm(): the core stops walking a borrowed mm. Interrupts off. */
  *leaveMm(k: Context): Work {
    if (loadedMm.get(k.ram, thisCpu(k)) !== this.initMm) yield* this.switchMm(k, this.initMm);
  }

  /** flush_tlb_mm_range(). Interrupts on. @param end 0: everything @param stride pages per changed entry */
  *flushRange(
    k: Context,
    mm: KPtr,
    start: number,
    end: number,
    stride: number,
    tables: "tables-freed" | "tables-kept",
  ): Work {
    const ram = k.ram;
    this.kernel.observer?.flushBegin(k, mm, start, end, tables);
    k.atomicDepth++;
    const core = thisCpu(k);
    const whole = end === 0 || Math.floor((end - start) / stride) > SINGLE_PAGE_FLUSH_CEILING;
    if (k.point(COST_ATOMIC)) yield;
    const gen = this.nextGeneration(k, mm);
    const info = kptrOf(core + FLUSH_INFO);
    infoMm.set(ram, info, mm);
    infoStart.set(ram, info, whole ? 0 : start);
    infoEnd.set(ram, info, whole ? 0 : end);
    infoNewGen.set(ram, info, gen);
    infoInitiator.set(ram, info, k.cpu.id);
    infoStride.set(ram, info, whole ? 0 : stride);
    const targets = this.targets[k.cpu.id]!;
    const words = (this.targets.length + 31) >>> 5;
    for (let word = 0; word < words; word++) {
      if (k.point(COST_ACCESS)) yield;
      targets.words[word] = mmCpumask.word(ram, mm, word);
    }
    targets.delete(k.cpu.id);
    if (targets.isEmpty()) {
      if (mm === loadedMm.get(ram, core)) yield* this.flushHere(k, info);
    } else {
      // The others' flushes overlap with ours.
      memoryOf(k).events.count(k.cpu.id, TLB_REMOTE_FLUSH);
      yield* this.interruptTargets(k, targets, info, this.sendOptions(mm, tables));
      const skipsSelf = tables === "tables-kept" && isLazy.get(ram, core) !== 0;
      if (mm === loadedMm.get(ram, core) && !skipsSelf) yield* this.flushHere(k, info);
      yield* this.awaitTargets(k, targets);
    }
    k.atomicDepth--;
    this.kernel.observer?.flushEnd(k, mm, start, end);
  }

  /** inc_mm_tlb_gen(): after the entries were changed, and before the mask is read. Preceded by a point. */
  nextGeneration(k: Context, mm: KPtr): number {
    return mmTlbGen.add(k.ram, mm, 1);
  }

  /** Who of the mask is interrupted, and when it answers: after its flush. */
  sendOptions(_mm: KPtr, tables: "tables-freed" | "tables-kept"): SendOptions {
    return tables === "tables-freed" ? ALL : UNLESS_LAZY;
  }

  /** Interrupts the targets of a flush. */
  interruptTargets(k: Context, targets: CpuSet, info: KPtr, options: SendOptions): Work {
    return sendCalls(k, targets, this.flushKind, info, options);
  }

  /** Waits for the answers of the targets. */
  awaitTargets(k: Context, targets: CpuSet): Work {
    return waitForCalls(k, targets);
  }

  /** This core's share of its own flush. */
  *flushHere(k: Context, info: KPtr): Work {
    if (k.point(COST_IRQ_MASK)) yield;
    const enabled = irqSave(k);
    yield* this.flushTlbFunc(k, info);
    irqRestore(k, enabled);
    if (k.point(COST_IRQ_MASK)) yield;
  }

  /** flush_tlb_func(): what a core does for one flush, its own or another's. Interrupts off. */
  *flushTlbFunc(k: Context, info: KPtr): Work {
    const ram = k.ram;
    const core = thisCpu(k);
    const loaded = loadedMm.get(ram, core);
    const local = infoInitiator.get(ram, info) === k.cpu.id;
    const events = memoryOf(k).events;
    if (!local) {
      events.count(k.cpu.id, TLB_REMOTE_FLUSH_RECEIVED);
      const mm = infoMm.get(ram, info);
      if (mm !== NULL && mm !== loaded) return;
    }
    if (loaded === this.initMm) return;
    const slot = slotOf(core, loadedMmAsid.get(ram, core));
    if (slotCtxId.get(ram, slot) !== mmCtxId.get(ram, loaded)) {
      k.kernel.assertionFailed(
        k,
        "tlb-slot",
        "WARNING: flush_tlb_func: the loaded context slot belongs to another mm",
      );
    }
    if (isLazy.get(ram, core) !== 0) {
      // Nobody uses the mm here: cheaper to leave it than to flush it.
      yield* this.switchMm(k, this.initMm);
      return;
    }
    const localGen = slotTlbGen.get(ram, slot);
    if (k.point(COST_ACCESS)) yield;
    const mmGen = mmTlbGen.get(ram, loaded);
    if (localGen === mmGen) return;
    const newGen = infoNewGen.get(ram, info);
    if (localGen > mmGen || newGen > mmGen) {
      k.kernel.assertionFailed(
        k,
        "tlb-generation",
        "WARNING: flush_tlb_func: a TLB generation is ahead of the mm's",
      );
    }
    const stride = infoStride.get(ram, info);
    if (stride !== 0 && this.isNext(localGen, newGen) && newGen === mmGen) {
      const start = infoStart.get(ram, info);
      const end = infoEnd.get(ram, info);
      for (let page = start; page < end; page += stride) {
        if (k.point(COST_ACCESS)) yield;
        this.dropPage(k, page);
      }
      if (local) events.add(k.cpu.id, TLB_LOCAL_FLUSH_ONE, Math.floor((end - start) / stride));
    } else {
      if (k.point(COST_ACCESS)) yield;
      this.dropContext(k);
      if (local) events.count(k.cpu.id, TLB_LOCAL_FLUSH_ALL);
    }
    slotTlbGen.set(ram, slot, mmGen);
  }

  /** A flush of single pages is enough only on top of the one right before it: a core may get them in another order. */
  isNext(localGen: number, newGen: number): boolean {
    return newGen === localGen + 1;
  }

  /** Preceded by a point. */
  dropPage(k: Context, page: number): void {
    x86(k).invlpg(pageLo(page), pageHi(page));
  }

  /** A write of the same value without the no-flush bit drops all entries of the context but global ones. Preceded by a point. */
  dropContext(k: Context): void {
    x86(k).writeCr3(x86(k).cr3Lo, x86(k).cr3Hi);
  }

  /** choose_new_asid(): the slot that knows the mm, or the next in turn. Sets needFlush and takesSlot. */
  chooseAsid(k: Context, core: KPtr, next: KPtr, gen: number): number {
    const ram = k.ram;
    this.needFlush = this.takesSlot = true;
    if (!this.pcid) return 0;
    const ctxId = mmCtxId.get(ram, next);
    for (let asid = 0; asid < this.slots; asid++) {
      const slot = slotOf(core, asid);
      if (slotCtxId.get(ram, slot) !== ctxId) continue;
      this.needFlush = this.takesSlot = !this.isClean(k, slot, gen);
      return asid;
    }
    let asid = nextAsid.get(ram, core);
    if (asid >= this.slots) asid = 0;
    nextAsid.set(ram, core, asid + 1);
    this.needFlush = this.isUsed();
    return asid;
  }

  /** The context of a slot that is taken in turn had another mm, whose translations are still there. */
  isUsed(): boolean {
    return true;
  }

  protected cr3Lo(pgd: KPtr, asid: number): number {
    return this.pcid ? pgd | (asid + 1) : pgd | 0;
  }

  protected leftLazy(k: Context, wasLazy: boolean): void {
    if (wasLazy) this.kernel.platform.ledger?.leaveLazy(k.cpu.id);
  }
}

/** Cores whose walkers may use freed tables are all of the mask; else lazy ones are left out (tlb_is_not_lazy). */
const ALL: SendOptions = { wait: "wait" };
export const UNLESS_LAZY: SendOptions = {
  wait: "wait",
  condition: (k, cpu) => isLazy.get(k.ram, percpuOf(k.kernel, cpu)) === 0,
};
