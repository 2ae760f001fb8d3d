/** Tokens of the parts of a litmus file that are not instructions: the initial state and the question. */
import { UserError } from "../../emu/user-error.ts";
import type { EntryValue, Level, Place, Target, Value } from "./test.ts";

interface Token {
  readonly text: string;
  readonly line: number;
}

const TOKEN = /\s+|(-?0x[0-9a-fA-F]+|-?\d+|[A-Za-z_][\w.]*|\/\\|\\\/|[~=()[\],:;@$])/y;

/** Names of table entries by level: x86-64's, and Linux's for other architectures. */
const LEVELS: Readonly<Record<string, Level>> = {
  PTE: 1,
  PDE: 2,
  PMD: 2,
  PDPTE: 3,
  PUD: 3,
  PML4E: 4,
  PGD: 4,
};

export class Cursor {
  readonly #file: string;
  readonly #tokens: Token[] = [];
  readonly #lastLine: number;
  #next = 0;

  /** @param line number of the text's first line in the file */
  constructor(file: string, text: string, line: number) {
    this.#file = file;
    let at = 0;
    let here = line;
    while (at < text.length) {
      TOKEN.lastIndex = at;
      const match = TOKEN.exec(text);
      if (match === null) throw unreadable(file, here, `unexpected character "${text[at]}"`);
      if (match[1] !== undefined) this.#tokens.push({ text: match[1], line: here });
      here += match[0].split("\n").length - 1;
      at = TOKEN.lastIndex;
    }
    this.#lastLine = here;
  }

  get done(): boolean {
    return this.#next >= this.#tokens.length;
  }

  /** The next token's text, or "" at the end. */
  peek(ahead = 0): string {
    return this.#tokens[this.#next + ahead]?.text ?? "";
  }

  take(): string {
    if (this.done) throw this.error("the text ends too early");
    return this.#tokens[this.#next++]!.text;
  }

  /** Takes the token if it is this one. */
  accept(text: string): boolean {
    if (this.peek() !== text) return false;
    this.#next++;
    return true;
  }

  expect(text: string): void {
    if (!this.accept(text)) throw this.error(`expected "${text}", found "${this.peek() || "the end"}"`);
  }

  name(): string {
    const text = this.take();
    if (!/^[A-Za-z_]/.test(text)) throw this.error(`expected a name, found "${text}"`);
    return text;
  }

  number(): number {
    const text = this.take();
    if (!/^-?\d/.test(text)) throw this.error(`expected a number, found "${text}"`);
    return text.startsWith("-") ? -Number(text.slice(1)) : Number(text);
  }

  get atNumber(): boolean {
    return /^-?\d/.test(this.peek());
  }

  /** `x`, `x@1`, `PTE(x)`, `PDE(x@1)`. */
  place(): Place {
    const name = this.name();
    const level = LEVELS[name];
    if (level === undefined || !this.accept("(")) return { location: name, level: 0, root: this.#root() };
    const location = this.name();
    const root = this.#root();
    this.expect(")");
    return { location, level, root };
  }

  /** A number, or an entry `(oa:PA(x), name:number, …)`. */
  value(): Value {
    if (this.atNumber) return { kind: "number", value: this.number() };
    if (this.peek() !== "(") throw this.error(`expected a value, found "${this.peek() || "the end"}"`);
    return { kind: "entry", entry: this.entry() };
  }

  entry(): EntryValue {
    const fields: Record<string, number> = {};
    let target: Target | null = null;
    this.expect("(");
    do {
      const name = this.name();
      this.expect(":");
      if (name === "oa" || name === "table") target = this.#target(name);
      else fields[name] = this.number();
    } while (this.accept(","));
    this.expect(")");
    return { target, fields };
  }

  error(what: string): UserError {
    return unreadable(this.#file, this.#tokens[this.#next]?.line ?? this.#lastLine, what);
  }

  /** `PA(x)` after `oa:`, `PT(x)` after `table:`. */
  #target(field: "oa" | "table"): Target {
    this.expect(field === "oa" ? "PA" : "PT");
    this.expect("(");
    const location = this.name();
    const root = this.#root();
    this.expect(")");
    return field === "oa" ? { kind: "frame", location } : { kind: "table", location, root };
  }

  #root(): number {
    return this.accept("@") ? this.number() : 0;
  }
}

/** A file that cannot be read. */
export function unreadable(file: string, line: number, what: string): UserError {
  return new UserError(what, `${file}:${line}`, "see tests/litmus/README.md for the format");
}
