/**
 * Lifters of table/string.ts. One execution is one iteration: with REP the block is
 * `exit.if(count == 0)`, the iteration, and a branch to the same instruction while there is more to do.
 * Intel SDM Vol. 2, each instruction and "REP/REPE/REPZ/REPNE/REPNZ". The destination is ES:RDI, which FS and GS
 * prefixes do not change; the source is DS:RSI, which they do.
 */
import type { I32, I64, Value } from "../../../ir/index.ts";
import { RAX, RCX, RDI, RSI } from "../state.ts";
import type { STRING } from "../table/string.ts";
import type { Lifter } from "./lifter.ts";
import type { Lifters } from "./typing.ts";

type Body = (l: Lifter, bits: number) => void;

export const stringLifters: Lifters<typeof STRING> = {
  ...sizes("MOVS", (l, bits) => {
    l.store(destination(l), bits, l.load(source(l), bits));
    advance(l, bits, "both");
  }),
  ...sizes("CMPS", (l, bits) => {
    const a = l.load(source(l), bits);
    const b = l.load(destination(l), bits);
    advance(l, bits, "both");
    l.ir.flagsOf("sub", bits, a, b);
  }),
  ...sizes("SCAS", (l, bits) => {
    const b = l.load(destination(l), bits);
    const a = l.register(RAX, bits);
    advance(l, bits, "destination");
    l.ir.flagsOf("sub", bits, a, b);
  }),
  ...sizes("LODS", (l, bits) => {
    const value = l.load(source(l), bits);
    advance(l, bits, "source");
    l.setRegister(RAX, bits, value);
  }),
  ...sizes("STOS", (l, bits) => {
    l.store(destination(l), bits, l.register(RAX, bits));
    advance(l, bits, "destination");
  }),
};

/** The four sizes of a string instruction, each wrapped in its repetition. */
function sizes<Name extends string>(
  name: Name,
  body: Body,
): Record<`${Name}${"B" | "W" | "D" | "Q"}`, (l: Lifter) => void> {
  const entries = (["B", "W", "D", "Q"] as const).map((suffix, log2) => {
    const lift = (l: Lifter): void => repeat(l, (inner) => body(inner, 8 << log2));
    return [`${name}${suffix}`, lift] as const;
  });
  return Object.fromEntries(entries) as Record<`${Name}${"B" | "W" | "D" | "Q"}`, (l: Lifter) => void>;
}

/** The count is RCX, or ECX with 67. F2 on an instruction that has only REP means REP, as processors do. */
function repeat(l: Lifter, iteration: (l: Lifter) => void): void {
  if (l.x.repeat === 0) {
    iteration(l);
    return;
  }
  const bits = l.x.addressBits;
  const count = l.register(RCX, bits);
  l.ir.exitIf(l.isZero(count, bits), l.next);
  const left: Value = l.ir.sub(count, l.constant(1, bits));
  iteration(l);
  l.setRegister(RCX, bits, left);
  let more: I32 = l.ir.xor(l.isZero(left, bits), l.ir.i32(1));
  if (l.row.repeat === "repe") more = l.ir.and(more, l.condition(l.x.repeat === 0xf3 ? 4 : 5));
  l.ir.branch(more, l.pc, l.next);
}

function source(l: Lifter): I64 {
  return l.inSegment(l.truncateAddress(l.register64(RSI)));
}

function destination(l: Lifter): I64 {
  return l.truncateAddress(l.register64(RDI));
}

function advance(l: Lifter, bits: number, which: "source" | "destination" | "both"): void {
  const step = l.stringStep(bits / 8);
  const move = (number: number): void => {
    const moved = l.ir.add(l.register64(number), step);
    l.setRegister(number, 64, l.truncateAddress(moved));
  };
  if (which !== "destination") move(RSI);
  if (which !== "source") move(RDI);
}
