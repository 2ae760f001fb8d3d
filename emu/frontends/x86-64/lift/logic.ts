/** Lifters of table/logic.ts. Intel SDM Vol. 2; AF is undefined and cleared, as processors do. */
import type { Value } from "../../../ir/index.ts";
import type { OperandSpec } from "../table/index.ts";
import type { LOGIC } from "../table/logic.ts";
import type { Lifter } from "./lifter.ts";
import type { Lifters } from "./typing.ts";

export const logicLifters: Lifters<typeof LOGIC> = {
  AND: (l, dst, src) => bitwise(l, dst, src, (a, b) => l.ir.and(a, b)),
  OR: (l, dst, src) => bitwise(l, dst, src, (a, b) => l.ir.or(a, b)),
  XOR: (l, dst, src) => bitwise(l, dst, src, (a, b) => l.ir.xor(a, b)),
  TEST: (l, a, b) => {
    l.ir.flagsOfResult("logic", l.width, l.ir.and(l.read(a), l.read(b)));
  },
  NOT: (l, dst) => {
    l.modify(dst, (value) => l.ir.xor(value, l.constant(-1)));
  },
};

function bitwise(
  l: Lifter,
  dst: OperandSpec,
  src: OperandSpec,
  operation: (a: Value, b: Value) => Value,
): void {
  const b = l.read(src);
  const [, result] = l.modify(dst, (a) => operation(a, b));
  l.ir.flagsOfResult("logic", l.width, result);
}
