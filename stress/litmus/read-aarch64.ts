/**
 * herd's AArch64 litmus files with variant `vmsa`: registers hold addresses (`0:X4=x`, `0:X3=PTE(x)`), entries
 * (`0:X2=(oa:PA(x),valid:0)`) or numbers, all known before the test runs, so that each operation can name its place. A
 * TLBI operand is an address shifted right by 12, or the number of an ASID. Read: MOV, LSR, LDR, STR, SWP, STCLR, DMB,
 * DSB, ISB, TLBI of a page, an ASID or all, MSR TTBR0_EL1, with labels. The file's quantifier states no verdict: herd prints
 * whether the condition can hold.
 *
 * Of our own: lines `Verdict=Never`, `Sometimes`, `Always` or `Unspecified` and `VerdictETS2=…`; `Essential="P0.2 P1.4"`
 * names instructions that a forbidden outcome rests on, counted from 1 in each column; `MSR TTBR0_EL1,(root:1,asid:2)`.
 */
import type { UserError } from "../../emu/user-error.ts";
import { readCondition } from "./condition.ts";
import { Cursor, unreadable } from "./cursor.ts";
import type { Cell, Sections } from "./sections.ts";
import {
  type Column,
  type Effect,
  type InitialPlace,
  type LitmusTest,
  type Location,
  namedVerdict,
  type Operation,
  type Place,
  type Value,
} from "./test.ts";

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
  const essential = (sections.settings["Essential"] ?? "").split(" ");
  const columns = sections.columns.map(({ title, cells }) => {
    const match = /^P(\d+)$/.exec(title);
    if (match === null) throw unreadable(file, cells[0]?.line ?? 1, `${title}: a column is P0, P1 …`);
    const core = Number(match[1]);
    const column = readColumn(file, core, cells, state.registers.get(core) ?? new Map());
    const operations = column.operations.map((operation, at) => ({
      ...operation,
      isEssential: essential.includes(`${title}.${at + 1}`),
    }));
    return { ...column, operations };
  });
  const asked = new Cursor(file, sections.question.text, sections.question.line);
  const question = readCondition(asked);
  if (!asked.done) throw asked.error(`unexpected "${asked.peek()}" after the question`);
  return {
    architecture: "aarch64",
    name: sections.name,
    file,
    row: sections.settings["Row"] ?? null,
    source: sections.settings["Source"] ?? null,
    verdict: namedVerdict(sections.settings["Verdict"]) ?? "unstated",
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
  return {
    core,
    role: "thread",
    operations: cells.map((cell) => new OperationReader(file, cell, registers).read()),
  };
}

/** Reads one instruction, with what the registers hold before it; notes what they hold after it. */
class OperationReader {
  readonly #file: string;
  readonly #cell: Cell;
  readonly #registers: Registers;

  constructor(file: string, cell: Cell, registers: Registers) {
    this.#file = file;
    this.#cell = cell;
    this.#registers = registers;
  }

  read(): Operation {
    const [, label, mnemonic, rest] = /^(?:(\w+):)?\s*(\S+)\s*(.*)$/.exec(this.#cell.text)!;
    const operands = rest === "" ? [] : rest!.split(",").map((operand) => operand.trim());
    return {
      effect: this.#effect(mnemonic!, operands),
      text: `${mnemonic} ${rest}`.trim(),
      label: label ?? null,
      isEssential: false,
      isUntaken: false,
    };
  }

  #effect(mnemonic: string, operands: readonly string[]): Effect {
    switch (mnemonic) {
      case "MOV":
        return this.#move(operands);
      case "LSR":
        return this.#shift(operands);
      case "LDR": {
        const place = this.#place(operands[1]);
        return { kind: "load", to: this.#set(operands[0], { kind: "unknown" }), place };
      }
      case "STR":
        return { kind: "store", value: this.#value(operands[0]), place: this.#place(operands[1]) };
      case "SWP": {
        const value = this.#value(operands[0]);
        const place = this.#place(operands[2]);
        return { kind: "exchange", place, value, to: this.#set(operands[1], { kind: "unknown" }) };
      }
      case "STCLR": {
        const held = this.#value(operands[0]);
        const bit = held.kind === "number" ? Math.log2(held.value) : Number.NaN;
        if (!Number.isInteger(bit)) throw this.#unknown(`${operands[0]} does not hold one bit`);
        return { kind: "clear-bit", place: this.#place(operands[1]), bit };
      }
      case "MSR":
        return this.#context(operands);
      case "DMB":
      case "DSB":
        return { kind: "barrier", mnemonic: [mnemonic, ...operands].join(" ") };
      case "ISB":
        return { kind: "serialise", mnemonic };
      case "TLBI":
        return this.#invalidation(operands[0] ?? "", operands[1]);
      default:
        throw this.#unknown("there is no such operation");
    }
  }

  #move(operands: readonly string[]): Effect {
    const immediate = /^#(-?\w+)$/.exec(operands[1] ?? "");
    const value: Value =
      immediate === null ? this.#value(operands[1]) : { kind: "number", value: Number(immediate[1]) };
    return { kind: "assign", to: this.#set(operands[0], value), value };
  }

  #shift(operands: readonly string[]): Effect {
    const from = this.#content(operands[1]);
    if (from.kind !== "address" || operands[2] !== "#12") {
      throw this.#unknown("only addresses are shifted, by 12");
    }
    const to = this.#set(operands[0], { kind: "page-number", location: from.place.location });
    return { kind: "assign", to, value: { kind: "number", value: 0 } };
  }

  /** MSR TTBR0_EL1,(root:1,asid:2). */
  #context([register, ...rest]: readonly string[]): Effect {
    const cursor = new Cursor(this.#file, rest.join(","), this.#cell.line);
    const fields: Readonly<Record<string, number>> = register === "TTBR0_EL1" ? cursor.entry().fields : {};
    if (fields["root"] === undefined) throw this.#unknown("only TTBR0_EL1,(root:…,asid:…) is written");
    return { kind: "context", root: fields["root"], tag: fields["asid"] ?? 0, keeps: 1 };
  }

  /** TLBI operations by name: Arm ARM, "TLB maintenance instructions". IS: all cores of the inner shareable domain. */
  #invalidation(name: string, operand: string | undefined): Effect {
    const match = /^(VAA?L?E1|VMALLE1|ASIDE1)(IS)?$/.exec(name);
    if (match === null) throw this.#unknown("there is no such operation");
    const scope = match[1] === "VMALLE1" ? "all" : match[1] === "ASIDE1" ? "context" : "page";
    const held = operand === undefined ? null : this.#content(operand);
    if (scope === "page" && held?.kind !== "page-number") {
      throw this.#unknown("the operand is no page number");
    }
    return {
      kind: "invalidate",
      scope,
      reach: match[2] === undefined ? "core" : "all-cores",
      location: held?.kind === "page-number" ? held.location : null,
      context: scope === "context" && held?.kind === "number" ? held.value : null,
      mnemonic: `TLBI ${name}`,
    };
  }

  #content(name: string | undefined): Content {
    if (name === undefined || !/^[XW](\d+|ZR)$/.test(name)) throw this.#unknown(`${name} is no register`);
    if (name.endsWith("ZR")) return { kind: "number", value: 0 };
    return this.#registers.get(canonical(name)) ?? { kind: "number", value: 0 };
  }

  #set(name: string | undefined, content: Content): string {
    this.#content(name);
    const register = canonical(name!);
    this.#registers.set(register, content);
    return register;
  }

  #place(operand: string | undefined): Place {
    const address = /^\[(X\d+)\]$/.exec(operand ?? "");
    const held = address === null ? null : this.#content(address[1]);
    if (held?.kind !== "address") throw this.#unknown(`${operand} is not the address of a location`);
    return held.place;
  }

  #value(name: string | undefined): Value {
    const held = this.#content(name);
    if (held.kind === "number" || held.kind === "entry") return held;
    if (held.kind === "unknown") return { kind: "register", name: canonical(name!) };
    throw this.#unknown(`${name} holds an address`);
  }

  #unknown(what: string): UserError {
    return unreadable(this.#file, this.#cell.line, `${this.#cell.text}: ${what}`);
  }
}
