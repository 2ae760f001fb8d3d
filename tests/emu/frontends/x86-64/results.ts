/**
 * One recorded execution of one instruction: its inputs, made from a seed, and its outcome, as golden/results.txt holds it.
 *
 *     bytes TAB seed TAB register=value,… TAB outcome
 *
 * The seed gives all registers, the status flags, DF and 256 bytes of memory; the listed registers replace the seed's.
 * Outcome: `trap vector error [address]`, or `rip` and what changed: registers `3=…`, `f=` the six status flags and
 * DF, `m<offset>=…` bytes of the memory window. All numbers but seeds are hexadecimal.
 */
import { seeded } from "./random.ts";

export const ENTRY = 0x1000_8000n;
export const DATA = 0x2000_0000n;
export const DATA_BYTES = 0x2000;
export const WINDOW_OFFSET = 0x800;
export const WINDOW_BYTES = 256;
export const WINDOW: bigint = DATA + BigInt(WINDOW_OFFSET);
export const GS_BASE = 0x2000_0100n;
/** C, P, A, Z, S, O and DF. */
export const FLAGS_SEEN = 0xcd5;

export interface Inputs {
  readonly registers: readonly bigint[];
  /** C, P, A, Z, S, O, DF. */
  readonly flags: number;
  readonly memory: Uint8Array;
}

export type Overrides = ReadonlyMap<number, bigint>;

export type Outcome =
  | {
      readonly kind: "trap";
      readonly vector: number;
      readonly error: number;
      readonly address: bigint | null;
    }
  | {
      readonly kind: "done";
      readonly rip: bigint;
      readonly registers: ReadonlyMap<number, bigint>;
      readonly flags: number;
      /** Offset in the window → bytes. */
      readonly memory: ReadonlyMap<number, Uint8Array>;
    };

const BOUNDARIES: readonly bigint[] = [
  0n,
  1n,
  2n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x7fff_ffffn,
].concat([0x8000_0000n, 0xffff_ffffn, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n, 0x1_0000_0000n]);

/** A random value, often one at which results change. */
export function randomValue(random: () => number): bigint {
  const choice = random() % 4;
  if (choice === 0) return BOUNDARIES[random() % BOUNDARIES.length]!;
  const value = (BigInt(random()) << 32n) | BigInt(random());
  return choice === 1 ? value >> BigInt(random() % 64) : value;
}

export function inputsOf(seed: number, overrides: Overrides): Inputs {
  const random = seeded(seed);
  const registers = Array.from({ length: 16 }, (_, number) => {
    const value = randomValue(random);
    return overrides.get(number) ?? value;
  });
  const flags = random() & FLAGS_SEEN;
  const memory = Uint8Array.from({ length: WINDOW_BYTES }, () => random() & 0xff);
  return { registers, flags, memory };
}

export function formatOutcome(outcome: Outcome): string {
  if (outcome.kind === "trap") {
    const address = outcome.address === null ? "" : ` ${outcome.address.toString(16)}`;
    return `trap ${outcome.vector.toString(16)} ${outcome.error.toString(16)}${address}`;
  }
  const parts = [outcome.rip.toString(16), `f=${outcome.flags.toString(16)}`];
  for (const [number, value] of outcome.registers) parts.push(`${number}=${value.toString(16)}`);
  for (const [offset, bytes] of outcome.memory)
    parts.push(`m${offset}=${Buffer.from(bytes).toString("hex")}`);
  return parts.join(" ");
}

/** What differs between two images of the window, as runs of bytes. */
export function changedBytes(before: Uint8Array, after: Uint8Array): Map<number, Uint8Array> {
  const runs = new Map<number, Uint8Array>();
  for (let i = 0; i < before.length; i++) {
    if (before[i] === after[i]) continue;
    const start = i;
    while (i < before.length && before[i] !== after[i]) i++;
    runs.set(start, after.slice(start, i));
  }
  return runs;
}

export interface RecordedCase {
  readonly bytes: string;
  readonly seed: number;
  readonly overrides: Overrides;
  readonly outcome: string;
}

export function formatCase(recorded: RecordedCase): string {
  const overrides = [...recorded.overrides]
    .map(([number, value]) => `${number}=${value.toString(16)}`)
    .join(",");
  return [recorded.bytes, recorded.seed, overrides, recorded.outcome].join("\t");
}

export function readCases(file: string): RecordedCase[] {
  const cases: RecordedCase[] = [];
  for (const line of file.split("\n")) {
    const [bytes, seed, overrideText, outcome] = line.split("\t");
    if (!bytes || seed === undefined || overrideText === undefined || !outcome) continue;
    const overrides = new Map<number, bigint>();
    for (const part of overrideText.split(",").filter(Boolean)) {
      const [number, value] = part.split("=");
      overrides.set(Number(number), BigInt(`0x${value}`));
    }
    cases.push({ bytes, seed: Number(seed), overrides, outcome });
  }
  return cases;
}
