/** Questions about final states: reading, evaluating, and what of a state they look at. */
import type { Cursor } from "./cursor.ts";
import type { Atom, Condition } from "./test.ts";

/** `a /\ b \/ ~c`, with `/\` binding tighter. */
export function readCondition(cursor: Cursor): Condition {
  let left = readConjunction(cursor);
  while (cursor.accept("\\/")) left = { kind: "or", left, right: readConjunction(cursor) };
  return left;
}

function readConjunction(cursor: Cursor): Condition {
  let left = readUnary(cursor);
  while (cursor.accept("/\\")) left = { kind: "and", left, right: readUnary(cursor) };
  return left;
}

function readUnary(cursor: Cursor): Condition {
  if (cursor.accept("~")) return { kind: "not", of: readUnary(cursor) };
  if (cursor.accept("(")) {
    const inner = readCondition(cursor);
    cursor.expect(")");
    return inner;
  }
  if (cursor.accept("true")) return { kind: "true" };
  return { kind: "atom", atom: readAtom(cursor) };
}

function readAtom(cursor: Cursor): Atom {
  if (cursor.peek() === "fault" && cursor.peek(1) === "(") return readFault(cursor);
  if (cursor.atNumber) {
    const core = cursor.number();
    cursor.expect(":");
    const name = cursor.name();
    cursor.expect("=");
    return { kind: "register", core, name, value: cursor.value() };
  }
  const bracketed = cursor.accept("[");
  const place = cursor.place();
  if (bracketed) cursor.expect("]");
  cursor.expect("=");
  return { kind: "place", place, value: cursor.value() };
}

/** `fault(P1:L0)`, `fault(P1:L0,x)`, `fault(P1:L0,x,W,P)`. */
function readFault(cursor: Cursor): Atom {
  cursor.expect("fault");
  cursor.expect("(");
  const thread = cursor.name();
  if (!/^P\d+$/.test(thread)) throw cursor.error(`expected a thread, found "${thread}"`);
  cursor.expect(":");
  const label = cursor.name();
  const bits: string[] = [];
  if (cursor.accept(",")) {
    cursor.place();
    while (cursor.accept(",")) bits.push(cursor.name());
  }
  cursor.expect(")");
  return { kind: "fault", core: Number(thread.slice(1)), label, bits };
}

/** Whether a condition holds, given the truth of its atoms. */
export function holds(condition: Condition, truth: (atom: Atom) => boolean): boolean {
  switch (condition.kind) {
    case "true":
      return true;
    case "atom":
      return truth(condition.atom);
    case "not":
      return !holds(condition.of, truth);
    case "and":
      return holds(condition.left, truth) && holds(condition.right, truth);
    case "or":
      return holds(condition.left, truth) || holds(condition.right, truth);
  }
}

/** Every atom of a condition, in the order of the text. */
export function atomsOf(condition: Condition): Atom[] {
  switch (condition.kind) {
    case "true":
      return [];
    case "atom":
      return [condition.atom];
    case "not":
      return atomsOf(condition.of);
    case "and":
    case "or":
      return [...atomsOf(condition.left), ...atomsOf(condition.right)];
  }
}
