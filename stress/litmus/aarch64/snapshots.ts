/**
 * Going back in an AArch64 litmus machine. A snapshot holds of each core its registers and the words of exceptions,
 * interrupt controller, broadcasts and MMU (fast TLB and vector registers excepted, which are unused), and of memory what
 * the test can change. The engine's position inside an instruction is not data: it is found again by executing that
 * instruction up to its access.
 *
 * The key leaves out what has no future: scratch registers, times, the places of entries in their sets.
 */
import {
  STATE_SYSTEM_REGISTERS,
  STATE_SYSTEM_REGISTERS_END,
  STATE_VECTORS,
} from "../../../emu/frontends/aarch64/index.ts";
import { STATE_END } from "../../../emu/ir/index.ts";
import type { Machine } from "../../../emu/machine.ts";
import { FAST_ENTRIES, FAST_REGIMES, FAST_WORDS } from "../../../mmu/index.ts";
import type { CoreDriver } from "./core-driver.ts";
import type { Layout } from "./layout.ts";
import { FAULT_LOG } from "./program.ts";

const SLOT_WORDS: number = STATE_VECTORS >> 2;
const SYSTEM_FIRST: number = STATE_END >> 2;
/** Fast TLB, and the list of its used entries. */
const FAST_AREA_WORDS: number = FAST_WORDS + 1 + FAST_ENTRIES * FAST_REGIMES;
/** Per core: walk flag, retired. */
const EXTRA_WORDS = 2;
/** X0 … X15 and the fault log last beyond a slot. */
const KEPT: readonly number[] = [...Array.from({ length: 16 }, (_, number) => number), FAULT_LOG];

interface CoreRange {
  readonly driver: CoreDriver;
  /** General and system registers; exceptions, controller and broadcasts; translation. */
  readonly parts: readonly Int32Array[];
  /** TTBR0_EL1 as words: the only system register that a test changes. */
  readonly root: () => number;
}

export class Snapshots {
  readonly words: number;
  readonly #i32: Int32Array;
  readonly #cores: readonly CoreRange[];
  /** Word indices in RAM: first words of pairs; and those of them that walkers read. */
  readonly #pairs: readonly number[];
  readonly #entries: readonly number[];

  constructor(machine: Machine, drivers: readonly CoreDriver[], layout: Layout) {
    this.#i32 = machine.ram.i32;
    this.#pairs = layout.mutableSlots();
    this.#entries = layout.tableSlots();
    this.#cores = drivers.map((driver) => {
      const { core } = driver;
      const { state, mmu } = core;
      const fast = (mmu.fast.byteOffset - state.byteOffset) >> 2;
      return {
        driver,
        parts: [
          state.subarray(0, SLOT_WORDS),
          state.subarray(STATE_SYSTEM_REGISTERS >> 2, STATE_SYSTEM_REGISTERS_END >> 2),
          state.subarray(SYSTEM_FIRST, fast),
          state.subarray(fast + FAST_AREA_WORDS),
        ],
        root: () => core.mrsLo("TTBR0_EL1") ^ core.mrsHi("TTBR0_EL1"),
      };
    });
    this.words = this.#cores
      .flatMap(({ parts }) => parts)
      .reduce((sum, part) => sum + part.length, this.#cores.length * EXTRA_WORDS + this.#pairs.length * 2);
  }

  save(into: Int32Array): void {
    let at = 0;
    for (const { driver, parts } of this.#cores) {
      for (const part of parts) {
        into.set(part, at);
        at += part.length;
      }
      into[at++] = driver.isMidway ? 1 : 0;
      into[at++] = driver.core.retired;
    }
    for (const pair of this.#pairs) {
      into[at++] = this.#i32[pair]!;
      into[at++] = this.#i32[pair + 1]!;
    }
  }

  restore(from: Int32Array): void {
    for (const { driver } of this.#cores) driver.core.host.engine.abandon(driver.core);
    let at = this.#loadWords(from);
    for (const pair of this.#pairs) {
      this.#i32[pair] = from[at++]!;
      this.#i32[pair + 1] = from[at++]!;
    }
    let midway = false;
    for (const { driver } of this.#cores) {
      if (!driver.isMidway) continue;
      midway = true;
      driver.reposition();
    }
    if (midway) this.#loadWords(from);
  }

  key(): number {
    let a = 0x811c_9dc5 | 0;
    let b = 0x2545_f491 | 0;
    for (const { driver, root } of this.#cores) {
      const { core } = driver;
      const { gpr, mmu, broadcasts } = core;
      const place = core.readPcLo() * 2 + (driver.isMidway ? 1 : 0);
      a = mixA(mixA(a, place), root());
      b = mixB(mixB(b, place), root());
      for (const register of KEPT) {
        a = mixA(mixA(a, gpr[register * 2]!), gpr[register * 2 + 1]!);
        b = mixB(mixB(b, gpr[register * 2]!), gpr[register * 2 + 1]!);
      }
      a = broadcasts.hash(mmu.foldWalk(mmu.hashEntries(a)));
      b = broadcasts.hash(mmu.foldWalk(mmu.hashEntries(b)));
      const late = mmu.lateStores;
      if (late === null) continue;
      a = late.foldContents(a);
      b = late.foldContents(b);
      for (const slot of this.#entries) {
        const isOld = late.find(slot);
        a = mixA(a, isOld ? late.lo ^ late.hi : 1);
        b = mixB(b, isOld ? late.lo + late.hi : 2);
      }
    }
    for (const pair of this.#pairs) {
      a = mixA(mixA(a, this.#i32[pair]!), this.#i32[pair + 1]!);
      b = mixB(mixB(b, this.#i32[pair]!), this.#i32[pair + 1]!);
    }
    return (a >>> 0) * 0x20_0000 + (b >>> 11);
  }

  /** @returns where memory begins in the snapshot */
  #loadWords(from: Int32Array): number {
    let at = 0;
    for (const { driver, parts } of this.#cores) {
      for (const part of parts) {
        part.set(from.subarray(at, at + part.length));
        at += part.length;
      }
      driver.isMidway = from[at++] === 1;
      driver.core.retired = from[at++]!;
      driver.core.phase = "execute";
    }
    return at;
  }
}

function mixA(hash: number, word: number): number {
  const x = Math.imul(hash ^ word, 0x0100_0193);
  return (x ^ (x >>> 15)) | 0;
}

function mixB(hash: number, word: number): number {
  const x = Math.imul((hash + word) | 0, 0x85eb_ca6b);
  return (x ^ (x >>> 13)) | 0;
}
