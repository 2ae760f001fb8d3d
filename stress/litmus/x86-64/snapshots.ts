/**
 * Going back in a litmus machine. A snapshot holds of each core: its slots, the words of traps, local APIC and MMU (fast
 * TLB, vector registers and IR temporaries excepted, which are unused or computed again), phase and count of retired
 * instructions; and of memory what the test can change. The engine's position inside an instruction is not data: it is
 * found again by executing that instruction up to its access.
 *
 * The key leaves out what has no future: scratch registers, times, the places of entries in their sets, used-up stack.
 */

import { STATE_EXTENDED } from "../../../emu/frontends/x86-64/index.ts";
import { STATE_END } from "../../../emu/ir/index.ts";
import type { Machine } from "../../../emu/machine.ts";
import { FAST_ENTRIES, FAST_REGIMES, FAST_WORDS } from "../../../mmu/index.ts";
import { REGISTERS } from "./assembler.ts";
import type { CoreDriver } from "./core-driver.ts";
import { DIRECT_MAP, type Layout, stackTop } from "./layout.ts";

/** Words of a stack that can be in use: an interrupt's frame and saved registers, and page-fault frames, need 28. */
const STACK_WORDS = 64;
const SLOT_WORDS: number = STATE_EXTENDED >> 2;
const SYSTEM_FIRST: number = STATE_END >> 2;
/** Fast TLB, and the list of its used entries. */
const FAST_AREA_WORDS: number = FAST_WORDS + 1 + FAST_ENTRIES * FAST_REGIMES;
/** Per core: phase and walk flag, retired. */
const EXTRA_WORDS = 2;
/** Registers that last beyond a slot. */
const KEPT = ["RBX", "RSP", "RBP", "RSI", "RDI", "R8", "R9", "R10", "R14"].map((name) => REGISTERS[name]!);

interface CoreRange {
  readonly driver: CoreDriver;
  readonly slots: Int32Array;
  readonly system: Int32Array;
  readonly translation: Int32Array;
  /** Word index in RAM of the end of the stack. */
  readonly stackEnd: number;
}

export class Snapshots {
  readonly words: number;
  readonly #i32: Int32Array;
  readonly #cores: readonly CoreRange[];
  /** Word indices in RAM: first words of pairs. */
  readonly #pairs: readonly number[];

  constructor(machine: Machine, drivers: readonly CoreDriver[], layout: Layout) {
    this.#i32 = machine.ram.i32;
    this.#pairs = layout.mutableSlots();
    this.#cores = drivers.map((driver) => {
      const { state, mmu, id } = driver.core;
      const fast = (mmu.fast.byteOffset - state.byteOffset) >> 2;
      return {
        driver,
        slots: state.subarray(0, SLOT_WORDS),
        system: state.subarray(SYSTEM_FIRST, fast),
        translation: state.subarray(fast + FAST_AREA_WORDS),
        stackEnd: Number(stackTop(id) - DIRECT_MAP) >> 2,
      };
    });
    const perCore = this.#cores.map(
      ({ slots, system, translation }) =>
        slots.length + system.length + translation.length + STACK_WORDS + EXTRA_WORDS,
    );
    this.words = perCore.reduce((sum, count) => sum + count, this.#pairs.length * 2);
  }

  save(into: Int32Array): void {
    let at = 0;
    for (const { driver, slots, system, translation, stackEnd } of this.#cores) {
      into.set(slots, at);
      at += slots.length;
      into.set(system, at);
      at += system.length;
      into.set(translation, at);
      at += translation.length;
      into.set(this.#i32.subarray(stackEnd - STACK_WORDS, stackEnd), at);
      at += STACK_WORDS;
      into[at++] = driver.isMidway ? 1 : 0;
      into[at++] = driver.core.retired;
    }
    for (const pair of this.#pairs) {
      into[at++] = this.#i32[pair]!;
      into[at++] = this.#i32[pair + 1]!;
    }
  }

  restore(from: Int32Array): void {
    let at = this.#restoreCores(from);
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
    for (const { driver, stackEnd } of this.#cores) {
      const { core } = driver;
      const { gpr, mmu, interrupts } = core;
      a = mixA(a, core.readPcLo());
      b = mixB(b, core.readPcLo());
      for (const register of KEPT) {
        a = mixA(mixA(a, gpr[register * 2]!), gpr[register * 2 + 1]!);
        b = mixB(mixB(b, gpr[register * 2]!), gpr[register * 2 + 1]!);
      }
      const mode = mmu.cr3Lo * 4 + (core.interruptsEnabled() ? 2 : 0) + (driver.isMidway ? 1 : 0);
      a = interrupts.hash(mmu.foldWalk(mmu.hash(mixA(a, mode))));
      b = interrupts.hash(mmu.foldWalk(mmu.hash(mixB(b, mode))));
      const depth = ((stackEnd << 2) - Number(gpr[REGISTERS["RSP"]! * 2]!)) >> 2;
      for (let word = stackEnd - depth; word < stackEnd; word++) {
        a = mixA(a, this.#i32[word]!);
        b = mixB(b, this.#i32[word]!);
      }
    }
    for (const pair of this.#pairs) {
      a = mixA(mixA(a, this.#i32[pair]!), this.#i32[pair + 1]!);
      b = mixB(mixB(b, this.#i32[pair]!), this.#i32[pair + 1]!);
    }
    return (a >>> 0) * 0x20_0000 + (b >>> 11);
  }

  /** @returns where memory begins in the snapshot */
  #restoreCores(from: Int32Array): number {
    for (const { driver } of this.#cores) this.#abandon(driver);
    return this.#loadWords(from);
  }

  #abandon(driver: CoreDriver): void {
    driver.core.host.engine.abandon(driver.core);
  }

  #loadWords(from: Int32Array): number {
    let at = 0;
    for (const { driver, slots, system, translation, stackEnd } of this.#cores) {
      slots.set(from.subarray(at, at + slots.length));
      at += slots.length;
      system.set(from.subarray(at, at + system.length));
      at += system.length;
      translation.set(from.subarray(at, at + translation.length));
      at += translation.length;
      this.#i32.set(from.subarray(at, at + STACK_WORDS), stackEnd - STACK_WORDS);
      at += STACK_WORDS;
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
