/**
 * One recorded execution of one instruction: its inputs, made from a seed, and its outcome, as golden/results.txt holds it.
 *
 *     word TAB seed TAB register=value,… TAB outcome
 *
 * The seed gives X0-X30, NZCV and 256 bytes of memory; SP is the window's middle; the listed registers replace the
 * seed's (31 is SP). Outcome: `fault address`, or the offset of PC, NZCV as a digit, and what changed: registers `3=…`,
 * `m<offset>=…` bytes of the window. All numbers but seeds and register numbers are hexadecimal.
 */

import { seeded } from "../x86-64/random.ts";
import { changedBytes, randomValue } from "../x86-64/results.ts";

export const ENTRY = 0x1000_8000n;
export const DATA = 0x1004_0000n;
export const DATA_BYTES = 0x2000;
export const WINDOW: bigint = DATA + 0x800n;
export const WINDOW_BYTES = 256;
export const SP = 31;

export interface Inputs {
  /** X0-X30, SP. */
  readonly registers: readonly bigint[];
  /** Four bits. */
  readonly nzcv: number;
  readonly memory: Uint8Array;
}

/** What an execution left. */
export interface After {
  readonly pc: bigint;
  readonly registers: readonly bigint[];
  readonly nzcv: number;
  readonly memory: Uint8Array;
}

export interface RecordedCase {
  readonly word: number;
  readonly seed: number;
  readonly overrides: ReadonlyMap<number, bigint>;
  readonly outcome: string;
}

export function inputsOf(seed: number, overrides: ReadonlyMap<number, bigint>): Inputs {
  const random = seeded(seed);
  const registers = Array.from({ length: 32 }, (_, number) => {
    const value = number === SP ? WINDOW + 128n : randomValue(random);
    return overrides.get(number) ?? value;
  });
  const nzcv = random() & 15;
  const memory = Uint8Array.from({ length: WINDOW_BYTES }, () => random() & 0xff);
  return { registers, nzcv, memory };
}

export function formatFault(address: bigint): string {
  return `fault ${address.toString(16)}`;
}

export function formatOutcome(before: Inputs, after: After): string {
  const parts = [BigInt.asIntN(64, after.pc - ENTRY).toString(16), after.nzcv.toString(16)];
  for (const [number, value] of after.registers.entries())
    if (value !== before.registers[number]) parts.push(`${number}=${value.toString(16)}`);
  for (const [offset, bytes] of changedBytes(before.memory, after.memory))
    parts.push(`m${offset}=${Buffer.from(bytes).toString("hex")}`);
  return parts.join(" ");
}

export function formatCase({ word, seed, overrides, outcome }: RecordedCase): string {
  const registers = [...overrides].map(([number, value]) => `${number}=${value.toString(16)}`).join(",");
  return [(word >>> 0).toString(16).padStart(8, "0"), seed, registers, outcome].join("\t");
}

export function readCases(file: string): RecordedCase[] {
  const cases: RecordedCase[] = [];
  for (const line of file.split("\n")) {
    const [word, seed, registers, outcome] = line.split("\t");
    if (word === undefined || seed === undefined || registers === undefined || outcome === undefined)
      continue;
    const overrides = new Map<number, bigint>();
    for (const part of registers.split(",").filter(Boolean)) {
      const [number, value] = part.split("=");
      overrides.set(Number(number), BigInt(`0x${value}`));
    }
    cases.push({ word: Number.parseInt(word, 16) | 0, seed: Number(seed), overrides, outcome });
  }
  return cases;
}
