/**
 * Random instructions at EL1 and EL0 with random tables around them, on two cores: the host never throws, every slice ends,
 * and a machine that stops between memory accesses goes on. Page tables and vectors lie among the random data; handlers
 * return to random states.
 */
import { describe, expect, test } from "vitest";
import { ROWS, type Row, randomInstruction, randomRow } from "../../../../emu/frontends/aarch64/index.ts";
import { RandomNumbers } from "../../../../emu/schedulers/index.ts";
import type { Aarch64Core } from "../../../../emu/traps/aarch64/index.ts";
import { SteppingScheduler } from "../../machine/stepping.ts";
import { EL0, EL1H, EL1T, Rig, setX, TABLE_3, VECTORS } from "./rig.ts";

const CODE = 0xc_0000;
const CODE_BYTES = 0x4000;
/** Parts of about a thousand slices. */
const PARTS = 3;
const RANDOM_PAGES = 0x703n;

/** Rows that reach the core. */
const SYSTEM_ROWS: readonly Row[] = ROWS.filter(
  (row) =>
    row.kind === "lifted" && /^(MSR|MRS|SYS|ERET|SVC|HVC|SMC|HINT|DSB|ISB|CLREX|BRK|HLT)/.test(row.name),
);
/** SYS of the allocated kinds: TLBI, AT, DC and IC by op1, CRn, CRm, op2. */
const SYS_OPERATIONS: readonly (readonly [number, number, number, number])[] = [
  [0, 8, 3, 1],
  [0, 8, 7, 0],
  [0, 8, 3, 2],
  [0, 8, 2, 1],
  [0, 8, 6, 3],
  [0, 7, 8, 1],
  [0, 7, 8, 2],
  [0, 7, 6, 1],
  [3, 7, 4, 1],
  [3, 7, 14, 1],
];

function randomSys(random: RandomNumbers): number {
  const [op1, CRn, CRm, op2] = SYS_OPERATIONS[random.below(SYS_OPERATIONS.length)]!;
  return 0xd508_0000 | (op1 << 16) | (CRn << 12) | (CRm << 8) | (op2 << 5) | random.below(32);
}

function randomWord(random: RandomNumbers): number {
  const source = (): number => random.next();
  const kind = random.below(8);
  if (kind === 0) return random.next() | 0;
  if (kind === 1) return randomSys(random);
  if (kind < 4) return randomInstruction(SYSTEM_ROWS[random.below(SYSTEM_ROWS.length)]!, source);
  return randomInstruction(randomRow(source), source);
}

/** An address in the code, as likely as not somewhere else. */
function randomTarget(random: RandomNumbers): number {
  const at = CODE + random.below(CODE_BYTES);
  return random.below(16) === 0 ? at : at & ~3;
}

function scramble(rig: Rig, random: RandomNumbers): void {
  for (let i = 0; i < 4; i++) {
    const page = random.below(512) * 8;
    const kept = page === (VECTORS >>> 12) * 8;
    if (!kept) rig.write64(TABLE_3 + page, (BigInt(random.next()) << 32n) | BigInt(random.next()));
  }
}

function enterSomewhere(core: Aarch64Core, random: RandomNumbers): void {
  const mode = [EL0, EL1T, EL1H, EL1H, random.below(32)][random.below(5)]!;
  core.writeSpsr((random.next() & ~0x1f) | mode);
  core.writeElr(randomTarget(random), random.below(32) === 0 ? random.next() : 0);
  core.setPan(0);
  for (const name of ["TCR_EL1", "TTBR0_EL1", "TTBR1_EL1", "SCTLR_EL1", "VBAR_EL1", "MAIR_EL1"] as const) {
    const [lo, hi] = GOOD.get(name)!;
    core.msr(name, lo, hi);
  }
}

/** What the registers of translation hold when a handler leaves: guests write anything to them. */
const GOOD = new Map<Parameters<Aarch64Core["mrsLo"]>[0], readonly [number, number]>();

/** The exception classes that were taken, and "IRQ". */
function runSeed(seed: number, execution: "whole" | "suspended"): readonly string[] {
  const random = new RandomNumbers(seed);
  const rig = new Rig({
    cpus: 2,
    scheduler: execution === "whole" ? "random" : (cores) => new SteppingScheduler(cores, seed),
  });
  for (const name of ["TCR_EL1", "TTBR0_EL1", "TTBR1_EL1", "SCTLR_EL1", "VBAR_EL1", "MAIR_EL1"] as const) {
    GOOD.set(name, [rig.core.mrsLo(name), rig.core.mrsHi(name)]);
  }
  for (let at = CODE; at < CODE + CODE_BYTES; at += 4) rig.machine.ram.write32(at, randomWord(random));
  for (let page = CODE; page < CODE + CODE_BYTES; page += 4096) {
    rig.map(page, RANDOM_PAGES | (BigInt(random.below(4)) << 6n));
  }
  rig.handler = (core) => {
    if (random.below(4) === 0) scramble(rig, random);
    enterSomewhere(core, random);
    return "return";
  };
  for (const core of rig.cores) {
    for (let n = 0; n < 31; n++)
      setX(core, n, random.below(2) === 0 ? random.below(0x20_0000) : random.next());
    core.writeRedistributor(0x1_0100, -1);
    core.msr("ICC_IGRPEN1_EL1", 1, 0);
    rig.start(core, [EL0, EL1T, EL1H][random.below(3)]!, [], randomTarget(random));
  }
  const { machine } = rig;
  for (let part = 0; part < PARTS && machine.stopReason === null; part++) machine.advance(1e9);
  return rig.entries.map(({ vector, esr }) => ((vector & 0x180) === 0 ? `class ${esr >>> 26}` : "IRQ"));
}

describe("random privileged code", () => {
  test.each(["whole", "suspended"] as const)("never makes the host throw, %s", (execution) => {
    const taken = new Map<string, number>();
    for (let seed = 1; seed <= 12; seed++) {
      for (const what of runSeed(seed, execution)) taken.set(what, (taken.get(what) ?? 0) + 1);
    }
    // Unknown, trapped registers, SVC, aborts of both kinds from both levels, alignment, illegal state, and others.
    expect(taken.size, JSON.stringify([...taken])).toBeGreaterThan(8);
  });
});
