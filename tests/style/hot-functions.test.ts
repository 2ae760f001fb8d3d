import { describe, expect, it } from "vitest";
import { sources } from "./sources.ts";

/** What a function marked `@hot` must not contain, and why it would cost. */
const FORBIDDEN: readonly (readonly [RegExp, string])[] = [
  [/=>/, "a closure"],
  [/\.\.\./, "a spread"],
  [/\bfor \((?:const|let) [^;]* of /, "for…of"],
  [/\btry \{/, "try"],
  [/\bBigInt\(|\d+n\b/, "a bigint"],
  [/[=(,?] *\{|: *\{(?! *$)|[=(,?] *\[/m, "an object or array literal"],
  [/\bnew (?!Error)[A-Z]/, "an allocation"],
];

interface HotFunction {
  readonly where: string;
  readonly body: string;
}

function hotFunctions(): HotFunction[] {
  return sources("mmu", "emu", "kernel").flatMap(({ path, text }) => {
    const found: HotFunction[] = [];
    for (const match of text.matchAll(/@hot[^\n]*\n/g)) {
      const open = bodyStart(text, match.index + match[0].length);
      if (open < 0) continue;
      const line = text.slice(0, match.index).split("\n").length;
      found.push({ where: `${path}:${line}`, body: text.slice(open, bodyEnd(text, open)) });
    }
    return found;
  });
}

/** Position of the brace that opens the body after a doc comment; -1 if there is none (an interface's method). */
function bodyStart(text: string, from: number): number {
  const after = /^(?: *\*\/\n| *\*[^\n]*\n)*/.exec(text.slice(from))![0].length;
  let depth = 0;
  for (let at = from + after; at < text.length; at++) {
    const c = text[at];
    if (c === "(") depth++;
    else if (c === ")") depth--;
    else if (c === ";" && depth === 0) return -1;
    else if (c === "{" && depth === 0) return at;
  }
  return -1;
}

function bodyEnd(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) return at + 1;
  }
  return text.length;
}

function withoutComments(body: string): string {
  return body.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"[^"\n]*"|`[^`]*`/g, "");
}

describe("functions marked hot", () => {
  const functions = hotFunctions();

  it("exist", () => {
    expect(functions.length).toBeGreaterThan(20);
  });

  it("hold no literals, closures, spreads, for…of, try or bigints", () => {
    const found = functions.flatMap(({ where, body }) =>
      FORBIDDEN.filter(([pattern]) => pattern.test(withoutComments(body))).map(
        ([, what]) => `${where}: ${what}`,
      ),
    );
    expect(found).toEqual([]);
  });
});
