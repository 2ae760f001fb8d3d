/**
 * herd's AArch64 litmus files with variant `vmsa`: registers hold addresses (`0:X4=x`, `0:X3=PTE(x)`), entries
 * (`0:X2=(oa:PA(x),valid:0)`) or numbers, all known before the test runs, so that each operation can name its place. A
 * TLBI operand is an address shifted right by 12. Read: MOV, LSR, LDR, STR, SWP, DMB, DSB, ISB, TLBI of a page, an ASID or
 * all, with labels. The file's quantifier states no verdict: herd prints whether the condition can hold.
 */
import { readCondition } from "./condition.ts";
import { Cursor, unreadable } from "./cursor.ts";
import type { Cell, Sections } from "./sections.ts";
import type { Column, Effect, InitialPlace, LitmusTest, Location, Operation, Place, Value } from "./test.ts";

/** What a register holds: a value, the address of a place, or the number of a location's page. */
type Content =
  | Value
  | { readonly kind: "address"; readonly place: Place }
  | { readonly kind: "page-number"; readonly location: string }
  | { readonly kind: "unknown" };

type Registers = Map<string, Content>;

interface InitialState {
  readonly initial: InitialPlace[];
  readonly registers: Map<number, Registers>;
  readonly names: Set<string>;
}

/** @throws UserError */
export function readAarch64Test(file: string, sections: Sections): LitmusTest {
  const state = readInitial(file, sections.initial);
  const columns = sections.columns.map(({ title, cells }) => {
    const match = /^P(\d+)$/.exec(title);
    if (match === null) throw unreadable(file, cells[0]?.line ?? 1, `${title}: a column is P0, P1 …`);
    const core = Number(match[1]);
    return readColumn(file, core, cells, state.registers.get(core) ?? new Map());
  });
  const asked = new Cursor(file, sections.question.text, sections.question.line);
  const question = readCondition(asked);
  if (!asked.done) throw asked.error(`unexpected "${asked.peek()}" after the question`);
  return {
    architecture: "aarch64",
    name: sections.name,
    file,
    row: null,
    source: null,
    verdict: "unstated",
    locations: [...state.names].map(
      (name): Location => ({ name, region: 0, mapping: "page", windowOf: null }),
    ),
    initial: state.initial,
    columns,
    question,
    permitted: [],
    settings: sections.settings,
  };
}

/** Xn and Wn are one register. */
function canonical(name: string): string {
  return `X${name.slice(1)}`;
}

function readInitial(file: string, cell: Cell): InitialState {
  const cursor = new Cursor(file, cell.text, cell.line);
  const state: InitialState = { initial: [], registers: new Map(), names: new Set() };
  while (!cursor.done) {
    if (cursor.accept(";")) continue;
    if (cursor.atNumber) readRegister(cursor, state);
    else readMemory(cursor, state);
    if (!cursor.done) cursor.expect(";");
  }
  return state;
}

function readRegister(cursor: Cursor, state: InitialState): void {
  const core = cursor.number();
  cursor.expect(":");
  const name = canonical(cursor.name());
  cursor.expect("=");
  let content: Content;
  if (cursor.atNumber || cursor.peek() === "(") {
    content = cursor.value();
  } else {
    const place = cursor.place();
    state.names.add(place.location);
    content = { kind: "address", place };
  }
  const registers = state.registers.get(core) ?? new Map<string, Content>();
  registers.set(name, content);
  state.registers.set(core, registers);
}

function readMemory(cursor: Cursor, state: InitialState): void {
  const bracketed = cursor.accept("[");
  const place = cursor.place();
  if (bracketed) cursor.expect("]");
  cursor.expect("=");
  state.names.add(place.location);
  state.initial.push({ place, value: cursor.value() });
}

function readColumn(file: string, core: number, cells: readonly Cell[], registers: Registers): Column {
  const operations: Operation[] = [];
  for (const cell of cells) {
    const match = /^(?:(\w+):)?\s*(\S+)\s*(.*)$/.exec(cell.text)!;
    const operands = splitOperands(match[3]!);
    const effect = readEffect(file, cell, match[2]!, operands, registers);
    operations.push({
      effect,
      text: `${match[2]} ${match[3]}`.trim(),
      label: match[1] ?? null,
      isEssential: false,
      isUntaken: false,
    });
  }
  return { core, role: "thread", operations };
}

function splitOperands(text: string): string[] {
  return text === "" ? [] : text.split(",").map((operand) => operand.trim());
}

function readEffect(
  file: string,
  cell: Cell,
  mnemonic: string,
  operands: readonly string[],
  registers: Registers,
): Effect {
  const unknown = (what: string): Error => unreadable(file, cell.line, `${cell.text}: ${what}`);
  const content = (name: string | undefined): Content => {
    if (name === undefined || !/^[XW](\d+|ZR)$/.test(name)) throw unknown(`${name} is no register`);
    if (name.endsWith("ZR")) return { kind: "number", value: 0 };
    return registers.get(canonical(name)) ?? { kind: "number", value: 0 };
  };
  const placeAt = (operand: string | undefined): Place => {
    const address = /^\[(X\d+)\]$/.exec(operand ?? "");
    const held = address === null ? null : content(address[1]);
    if (held?.kind !== "address") throw unknown(`${operand} is not the address of a location`);
    return held.place;
  };
  const heldBy = (name: string | undefined): Value => {
    const held = content(name);
    if (held.kind === "number" || held.kind === "entry") return held;
    if (held.kind === "unknown") return { kind: "register", name: canonical(name!) };
    throw unknown(`${name} holds an address`);
  };
  const target = (name: string | undefined): string => {
    content(name);
    return canonical(name!);
  };
  switch (mnemonic) {
    case "MOV": {
      const to = target(operands[0]);
      const immediate = /^#(-?\w+)$/.exec(operands[1] ?? "");
      const value: Value =
        immediate === null ? heldBy(operands[1]) : { kind: "number", value: Number(immediate[1]) };
      registers.set(to, value);
      return { kind: "assign", to, value };
    }
    case "LSR": {
      const from = content(operands[1]);
      if (from.kind !== "address" || operands[2] !== "#12")
        throw unknown("only addresses are shifted, by 12");
      const to = target(operands[0]);
      registers.set(to, { kind: "page-number", location: from.place.location });
      return { kind: "assign", to, value: { kind: "number", value: 0 } };
    }
    case "LDR": {
      const to = target(operands[0]);
      const place = placeAt(operands[1]);
      registers.set(to, { kind: "unknown" });
      return { kind: "load", to, place };
    }
    case "STR":
      return { kind: "store", value: heldBy(operands[0]), place: placeAt(operands[1]) };
    case "SWP": {
      const value = heldBy(operands[0]);
      const to = target(operands[1]);
      const place = placeAt(operands[2]);
      registers.set(to, { kind: "unknown" });
      return { kind: "exchange", place, value, to };
    }
    case "DMB":
    case "DSB":
      return { kind: "barrier", mnemonic: [mnemonic, ...operands].join(" ") };
    case "ISB":
      return { kind: "serialise", mnemonic };
    case "TLBI":
      return invalidation(
        operands[0] ?? "",
        operands[1] === undefined ? null : content(operands[1]),
        unknown,
      );
    default:
      throw unknown("there is no such operation");
  }
}

/** TLBI operations by name: Arm ARM, "TLB maintenance instructions". IS: all cores of the inner shareable domain. */
function invalidation(name: string, operand: Content | null, unknown: (what: string) => Error): Effect {
  const match = /^(VAA?L?E1|VMALLE1|ASIDE1)(IS)?$/.exec(name);
  if (match === null) throw unknown("there is no such operation");
  const scope = match[1] === "VMALLE1" ? "all" : match[1] === "ASIDE1" ? "context" : "page";
  if (scope === "page" && operand?.kind !== "page-number") throw unknown("the operand is no page number");
  return {
    kind: "invalidate",
    scope,
    reach: match[2] === undefined ? "core" : "all-cores",
    location: operand?.kind === "page-number" ? operand.location : null,
    context: null,
    mnemonic: `TLBI ${name}`,
  };
}
