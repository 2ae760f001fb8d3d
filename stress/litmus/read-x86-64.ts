/**
 * Litmus files for x86-64: herd's shape with Intel's operand order, MOV RBX,[x], and what page tables need.
 *
 * Initial state: `x=7` (a page of its own), `x@1=7` (the same in 2 MiB region 1), `large x=7` (mapped by a 2 MiB leaf),
 * `window s(x)` (reads the leaf table of x through a self-map entry), `[PTE(x)]=(oa:PA(y),P:0)`, `[PDE(x)]=(table:PT(y))`,
 * `0:RBX=1`. Entries: fields P RW US A D PS G XD RSVD, missing ones as a present writable page or table with A = 1 (and
 * D = 1 in leaves); in questions only the fields that are named are compared. `x@1` inside PTE( ) or PA( ) is root 1's.
 *
 * Columns P0, P1 … are threads; H1 is what core 1 executes when an interprocessor interrupt arrives (EOI and IRETQ
 * follow by themselves). All is executed at CPL 0 with CR0.WP = 1. A faulting access is skipped and noted.
 * Not single instructions: `IPI P1` (WRMSR of the ICR), `AWAIT [x],$1` (a loop), `FETCH RBX,[x]` (a call to code in x's
 * page that returns its number), `MOV CR3,(root:1,pcid:2,keep:1)`, `MOV CR4,(PGE:0)`, `INVPCID 1,pcid:2`. Before an
 * instruction: `L0:` a label, `?` the verdict rests on it, `UNTAKEN` it lies behind a branch that is never taken.
 */
import { readCondition } from "./condition.ts";
import { Cursor, unreadable } from "./cursor.ts";
import type { Cell, Sections } from "./sections.ts";
import type { Column, Effect, InitialPlace, LitmusTest, Location, Operation, Verdict } from "./test.ts";

/** Registers that a test may use; the others carry addresses, fixups and results. */
const TEST_REGISTERS: readonly string[] = ["RBX", "RSI", "RDI", "RBP", "R8", "R9", "R10"];

const BARRIERS = /^(MFENCE|LFENCE|SFENCE)$/;
const VERDICTS: Readonly<Record<string, Verdict>> = {
  Forbidden: "forbidden",
  Allowed: "allowed",
  Required: "required",
  Unspecified: "unspecified",
};
const BY_QUANTIFIER = { exists: "allowed", "~exists": "forbidden", forall: "required" } as const;
/** Settings of the machine that an initial state may make. */
const MACHINE_SETTINGS: readonly string[] = ["PCIDE", "CR3"];

/** @throws UserError */
export function readX86Test(file: string, sections: Sections): LitmusTest {
  const state = readInitial(file, sections.initial);
  const asked = new Cursor(file, sections.question.text, sections.question.line);
  const question = readCondition(asked);
  if (!asked.done) throw asked.error(`unexpected "${asked.peek()}" after the question`);
  const permitted = sections.permitted.map(({ text, line }) => readCondition(new Cursor(file, text, line)));
  const stated = sections.settings["Verdict"];
  const verdict = stated === undefined ? BY_QUANTIFIER[sections.quantifier] : VERDICTS[stated];
  if (verdict === undefined) throw unreadable(file, 1, `Verdict=${stated}: there is no such verdict`);
  return {
    architecture: "x86-64",
    name: sections.name,
    file,
    row: sections.settings["Row"] ?? null,
    source: sections.settings["Source"] ?? null,
    verdict,
    locations: state.locations,
    initial: state.initial,
    columns: sections.columns.map(({ title, cells }) => readColumn(file, title, cells, sections)),
    question,
    permitted,
    settings: { ...sections.settings, ...state.settings },
  };
}

interface InitialState {
  readonly locations: Location[];
  readonly initial: InitialPlace[];
  readonly settings: Record<string, string>;
}

function readInitial(file: string, cell: Cell): InitialState {
  const cursor = new Cursor(file, cell.text, cell.line);
  const locations: Location[] = [];
  const initial: InitialPlace[] = [];
  const settings: Record<string, string> = {};
  const declare = (location: Location): void => {
    if (locations.some(({ name }) => name === location.name)) {
      throw cursor.error(`${location.name} is there already`);
    }
    locations.push(location);
  };
  while (!cursor.done) {
    if (cursor.accept(";")) continue;
    if (cursor.accept("[")) {
      const place = cursor.place();
      cursor.expect("]");
      cursor.expect("=");
      initial.push({ place, value: cursor.value() });
    } else if (cursor.peek() === "window") {
      cursor.take();
      const name = cursor.name();
      cursor.expect("(");
      declare({ name, region: 0, mapping: "window", windowOf: cursor.name() });
      cursor.expect(")");
    } else if (MACHINE_SETTINGS.includes(cursor.peek())) {
      const name = cursor.name();
      cursor.expect("=");
      settings[name] = cursor.atNumber ? String(cursor.number()) : JSON.stringify(cursor.entry().fields);
    } else {
      const mapping = cursor.peek() === "large" ? "large" : "page";
      if (mapping === "large") cursor.take();
      const name = cursor.name();
      const region = cursor.accept("@") ? cursor.number() : 0;
      cursor.expect("=");
      declare({ name, region, mapping, windowOf: null });
      initial.push({ place: { location: name, level: 0, root: 0 }, value: cursor.value() });
    }
    if (!cursor.done) cursor.expect(";");
  }
  return { locations, initial, settings };
}

function readColumn(file: string, title: string, cells: readonly Cell[], sections: Sections): Column {
  const match = /^([PH])(\d+)$/.exec(title);
  if (match === null)
    throw unreadable(file, cells[0]?.line ?? 1, `${title}: a column is P0, P1 … or H0, H1 …`);
  if (sections.columns.filter((each) => each.title === title).length > 1) {
    throw unreadable(file, cells[0]?.line ?? 1, `${title}: the column is there twice`);
  }
  return {
    core: Number(match[2]),
    role: match[1] === "P" ? "thread" : "handler",
    operations: cells.map((cell) => readOperation(file, cell)),
  };
}

function readOperation(file: string, { text, line }: Cell): Operation {
  const match = /^(\?\s*)?(?:(\w+):\s*)?(\?\s*)?(UNTAKEN\s+)?(.*)$/.exec(text)!;
  const cursor = new Cursor(file, match[5]!, line);
  const effect = readEffect(cursor);
  if (!cursor.done) throw cursor.error(`unexpected "${cursor.peek()}"`);
  return {
    effect,
    text: match[5]!,
    label: match[2] ?? null,
    isEssential: match[1] !== undefined || match[3] !== undefined,
    isUntaken: match[4] !== undefined,
  };
}

function readEffect(cursor: Cursor): Effect {
  const mnemonic = cursor.name();
  switch (mnemonic) {
    case "MOV":
      return readMove(cursor);
    case "XCHG": {
      const place = memory(cursor);
      cursor.expect(",");
      const to = register(cursor);
      return { kind: "exchange", place, value: { kind: "register", name: to }, to };
    }
    case "LOCK":
      return readLocked(cursor);
    case "INVLPG":
      return page(memory(cursor).location, "core", "INVLPG");
    case "INVPCID":
      return readInvpcid(cursor);
    case "CPUID":
      return { kind: "serialise", mnemonic };
    case "CLI":
    case "STI":
      return { kind: "interrupt-mask", masked: mnemonic === "CLI" ? 1 : 0 };
    case "IPI": {
      const target = cursor.name();
      if (!/^P\d+$/.test(target)) throw cursor.error(`expected a thread, found "${target}"`);
      return { kind: "ipi", core: Number(target.slice(1)) };
    }
    case "AWAIT": {
      const place = memory(cursor);
      cursor.expect(",");
      cursor.expect("$");
      return { kind: "await", place, value: cursor.number() };
    }
    case "FETCH": {
      const to = register(cursor);
      cursor.expect(",");
      return { kind: "fetch", to, place: memory(cursor) };
    }
    default:
      if (BARRIERS.test(mnemonic)) return { kind: "barrier", mnemonic };
      throw cursor.error(`${mnemonic}: there is no such operation`);
  }
}

function readMove(cursor: Cursor): Effect {
  if (cursor.peek() === "[") {
    const place = memory(cursor);
    cursor.expect(",");
    if (cursor.accept("$")) {
      return { kind: "store", place, value: { kind: "number", value: cursor.number() } };
    }
    if (cursor.peek() === "(") return { kind: "store", place, value: cursor.value() };
    return { kind: "store", place, value: { kind: "register", name: register(cursor) } };
  }
  if (cursor.accept("CR3")) {
    cursor.expect(",");
    const { fields } = cursor.entry();
    return {
      kind: "context",
      root: fields["root"] ?? 0,
      tag: fields["pcid"] ?? 0,
      keeps: fields["keep"] === 1 ? 1 : 0,
    };
  }
  if (cursor.accept("CR4")) {
    cursor.expect(",");
    return { kind: "globals", on: cursor.entry().fields["PGE"] === 1 ? 1 : 0 };
  }
  const to = register(cursor);
  cursor.expect(",");
  if (cursor.peek() === "[") return { kind: "load", to, place: memory(cursor) };
  if (cursor.accept("$")) return { kind: "assign", to, value: { kind: "number", value: cursor.number() } };
  return { kind: "assign", to, value: cursor.value() };
}

function readLocked(cursor: Cursor): Effect {
  const mnemonic = cursor.name();
  const place = memory(cursor);
  cursor.expect(",");
  if (mnemonic === "XADD") return { kind: "add", place, to: register(cursor) };
  if (mnemonic !== "BTR") throw cursor.error(`LOCK ${mnemonic}: there is no such operation`);
  cursor.expect("$");
  return { kind: "clear-bit", place, bit: cursor.number() };
}

/** `INVPCID 0,pcid:1,[x]`, `INVPCID 1,pcid:1`, `INVPCID 2`, `INVPCID 3`. */
function readInvpcid(cursor: Cursor): Effect {
  const type = cursor.number();
  const scope = (["page", "context", "all", "all-but-global"] as const)[type];
  if (scope === undefined) throw cursor.error(`INVPCID ${type}: there is no such type`);
  let context: number | null = null;
  let location: string | null = null;
  while (cursor.accept(",")) {
    if (cursor.accept("pcid")) {
      cursor.expect(":");
      context = cursor.number();
    } else {
      location = memory(cursor).location;
    }
  }
  return { kind: "invalidate", scope, reach: "core", location, context, mnemonic: `INVPCID ${type}` };
}

function page(location: string, reach: "core" | "all-cores", mnemonic: string): Effect {
  return { kind: "invalidate", scope: "page", reach, location, context: null, mnemonic };
}

function memory(cursor: Cursor): ReturnType<Cursor["place"]> {
  cursor.expect("[");
  const place = cursor.place();
  cursor.expect("]");
  return place;
}

function register(cursor: Cursor): string {
  const name = cursor.name();
  if (!TEST_REGISTERS.includes(name)) {
    throw cursor.error(`${name}: a test may use ${TEST_REGISTERS.join(", ")}`);
  }
  return name;
}
