/**
 * Case files: IR blocks with the state and memory that they start on and end with. Lines:
 *
 *     case TITLE                          starts a case; the lines up to `block` are the start
 *     @64 = 0x1234                        a doubleword slot; the others hold a pattern
 *     flags c z                           exactly these condition bits are set (none by default)
 *     record sub32 0x5 0x7 0              or: a lazy record, as operation, first, second, carry or count
 *     memory 0x8000 = 01 02 ff            bytes; their pages exist, the rest of them is 0
 *     read-only 0x8000                    the page exists and cannot be written
 *     block 0x1000                        the block, in the IR's text form, up to
 *     end jump 0x1004 next, 1 retired     how it ends; the lines up to the next case are what has changed
 *     @64 = 0x1235
 *     flags z
 *     memory 0x8000 = 02
 *
 * Everything that is not listed after `end` must be unchanged. Comments run from `;` to the end of the line.
 */
import { type FlagsOperation, recordBits, writeRecordBits } from "../../emu/backends/reference/index.ts";
import {
  type Block,
  FLAG_A,
  FLAG_C,
  FLAG_O,
  FLAG_P,
  FLAG_S,
  FLAG_Z,
  KIND_ADC,
  KIND_ADD,
  KIND_DEC,
  KIND_INC,
  KIND_LOGIC,
  KIND_LOGICC,
  KIND_SAR,
  KIND_SBB,
  KIND_SHL,
  KIND_SHR,
  KIND_SUB,
  parse,
  STATE_FLAGS_A,
  STATE_FLAGS_B,
  STATE_FLAGS_CARRY,
  STATE_FLAGS_KIND,
  STATE_PC,
} from "../../emu/ir/index.ts";
import { copyScene, emptyScene, mapPage, type Scene, viewOf } from "./scene.ts";

export interface Case {
  readonly title: string;
  readonly start: Scene;
  readonly block: Block;
  /** As describe() of backend.ts prints it. */
  readonly outcome: string;
  readonly end: Scene;
}

const FLAG_NAMES: Readonly<Record<string, number>> = {
  c: FLAG_C,
  p: FLAG_P,
  a: FLAG_A,
  z: FLAG_Z,
  s: FLAG_S,
  o: FLAG_O,
};

const KINDS: Readonly<Record<FlagsOperation, number>> = {
  add: KIND_ADD,
  sub: KIND_SUB,
  logic: KIND_LOGIC,
  inc: KIND_INC,
  dec: KIND_DEC,
  adc: KIND_ADC,
  sbb: KIND_SBB,
  shl: KIND_SHL,
  shr: KIND_SHR,
  sar: KIND_SAR,
  logicc: KIND_LOGICC,
};

/** The cases of a file. A line that makes no sense is an error with its number. */
export function parseCases(text: string): Case[] {
  const lines = text.split("\n").map((line) => line.replace(/;.*/, "").trim());
  const starts = lines.flatMap((line, index) => (line.startsWith("case ") ? [index] : []));
  const stray = lines.slice(0, starts[0] ?? lines.length).findIndex((line) => line !== "");
  if (stray !== -1) throw new Error(`line ${stray + 1}: a file starts with \`case TITLE\``);
  return starts.map((start, index) => parseCase(lines, start, starts[index + 1] ?? lines.length));
}

function parseCase(lines: readonly string[], first: number, end: number): Case {
  const within = (name: string): number => {
    const index = lines.findIndex((line, at) => at > first && at < end && line.startsWith(`${name} `));
    if (index === -1) throw new Error(`line ${first + 1}: the case has no \`${name}\``);
    return index;
  };
  const [blockLine, endLine] = [within("block"), within("end")];
  const block = parse(lines.slice(blockLine, endLine).join("\n"));
  const start = emptyScene((BigInt(block.pcHi >>> 0) << 32n) | BigInt(block.pcLo >>> 0));
  for (let at = first + 1; at < blockLine; at++) applyLine(start, lines[at]!, at);
  const outcome = lines[endLine]!.slice("end ".length);
  const expected = copyScene(start);
  const view = viewOf(expected);
  writeRecordBits(view, recordBits(view));
  const pc = /^\S+ (0x[\da-f]+)/.exec(outcome);
  if (pc === null) throw new Error(`line ${endLine + 1}: the end has no address`);
  view.setBigUint64(STATE_PC, BigInt(pc[1]!), true);
  for (let at = endLine + 1; at < end; at++) applyLine(expected, lines[at]!, at);
  return { title: lines[first]!.slice("case ".length), start, block, outcome, end: expected };
}

function applyLine(scene: Scene, line: string, at: number): void {
  if (line === "") return;
  const view = viewOf(scene);
  const slot = /^@(\d+) = (\S+)$/.exec(line);
  const flags = /^flags((?: [cpazso])*)$/.exec(line);
  const record = /^record ([a-z]+)(8|16|32|64) (\S+) (\S+) (\d+)$/.exec(line);
  const memory = /^memory (\S+) =((?: [\da-f]{2})+)$/.exec(line);
  const readOnly = /^read-only (\S+)$/.exec(line);
  if (slot !== null) {
    view.setBigUint64(Number(slot[1]), BigInt(slot[2]!), true);
  } else if (flags !== null) {
    const bits = flags[1]!.split(" ").reduce((sum, name) => sum | (FLAG_NAMES[name] ?? 0), 0);
    setRecord(view, 0, BigInt(bits), 0n, 0);
  } else if (record !== null) {
    const kind = KINDS[record[1] as FlagsOperation] | Math.log2(Number(record[2]) / 8);
    setRecord(view, kind, BigInt(record[3]!), BigInt(record[4]!), Number(record[5]));
  } else if (memory !== null) {
    memory[2]!
      .trim()
      .split(" ")
      .forEach((byte, index) => {
        const address = BigInt.asUintN(64, BigInt(memory[1]!) + BigInt(index));
        mapPage(scene, address).bytes[Number(address & 0xfffn)] = Number.parseInt(byte, 16);
      });
  } else if (readOnly !== null) {
    mapPage(scene, BigInt(readOnly[1]!), "read-only");
  } else {
    throw new Error(`line ${at + 1}: \`${line}\` is not a line of a case`);
  }
}

function setRecord(view: DataView, kind: number, a: bigint, b: bigint, carry: number): void {
  view.setInt32(STATE_FLAGS_KIND, kind, true);
  view.setInt32(STATE_FLAGS_CARRY, carry, true);
  view.setBigUint64(STATE_FLAGS_A, a, true);
  view.setBigUint64(STATE_FLAGS_B, b, true);
}
