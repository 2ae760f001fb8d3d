/** Lifters of table/io.ts: permission and ports are the core's business. Intel SDM Vol. 1 ch. 19; Vol. 2. */
import type { I32, I64 } from "../../../ir/index.ts";
import { RAX, RDX } from "../state.ts";
import type { OperandSpec } from "../table/index.ts";
import type { IO } from "../table/io.ts";
import type { Lifter } from "./lifter.ts";
import type { Lifters } from "./typing.ts";

export const ioLifters: Lifters<typeof IO> = {
  IN: (l, destination, port) =>
    l.helper("IN", l.ir.zext(portOf(l, port)), l.ir.i64(destination.registerBits)),
  OUT: (l, port, source) => {
    const bits = source.registerBits;
    const word = l.ir.or(portOf(l, port), l.ir.i32(bits << 16));
    l.helper("OUT", l.ir.zext(word), l.toI64(l.register(RAX, bits), bits));
  },
  INSB: (l) => stringIo(l, 8, "in"),
  INSW: (l) => stringIo(l, 16, "in"),
  INSD: (l) => stringIo(l, 32, "in"),
  OUTSB: (l) => stringIo(l, 8, "out"),
  OUTSW: (l) => stringIo(l, 16, "out"),
  OUTSD: (l) => stringIo(l, 32, "out"),
};

function portOf(l: Lifter, port: OperandSpec): I32 {
  return port.place === "immediate" ? l.ir.i32(l.x.immediate) : (l.register(RDX, 16) as I32);
}

function stringIo(l: Lifter, bits: number, direction: "in" | "out"): void {
  const word =
    bits | (direction === "out" ? 0x100 : 0) | (l.x.addressBits << 16) | (Math.max(l.x.segment, 0) << 24);
  const repeats: I64 = l.ir.i64(l.x.repeat === 0 ? 0 : 1);
  l.helper("STRING_IO", l.ir.i64(word), repeats);
}
