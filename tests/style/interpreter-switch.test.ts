import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { PACKED } from "../../emu/backends/interpreter/index.ts";
import { sources } from "./sources.ts";

const text = sources("emu/backends/interpreter").find((source) =>
  source.path.endsWith("/interpreter.ts"),
)!.text;

/** V8 stops optimising functions past 60 KB of bytecode; the house rule leaves room. */
const MOST_BYTECODE_BYTES = 50_000;
const built = fileURLToPath(new URL("../../dist/emu/backends/interpreter/interpreter.js", import.meta.url));

/** V8 compiles a method when it is first called; called with nothing it throws at once. */
const CALL_EXECUTE = `
import(process.argv[1]).then(({ Interpreter }) => {
  try { Interpreter.prototype.execute.call({}, {}); } catch {}
});
`;

describe("the interpreter's switch", () => {
  const labels = new Map(
    [...text.matchAll(/case (\d+): \{\n\s*\/\/ ([A-Z0-9_]+)/g)].map((match) => [match[2]!, Number(match[1])]),
  );

  it("has each packed operation under its own number", () => {
    expect(Object.fromEntries(labels)).toEqual({ ...PACKED });
  });

  it("has literal labels only, as V8 makes a jump table of those alone", () => {
    const execute = text.slice(text.indexOf("  execute(core: Core)"), text.indexOf("  #find(core: Core)"));
    expect(execute.match(/case [^0-9]/g)).toBeNull();
    expect(execute.match(/case \d+:/g)).toHaveLength(Object.keys(PACKED).length);
  });

  it.skipIf(!existsSync(built))("stays small enough for V8 to optimise (needs the build in dist)", () => {
    const flags = ["--print-bytecode", "--print-bytecode-filter=execute"];
    const text = execFileSync(process.execPath, [...flags, "-e", CALL_EXECUTE, built], {
      maxBuffer: 2 ** 28,
    }).toString();
    const lengths = [...text.matchAll(/^Bytecode length: (\d+)/gm)].map((match) => Number(match[1]));
    expect(Math.max(...lengths)).toBeGreaterThan(10_000);
    expect(Math.max(...lengths)).toBeLessThan(MOST_BYTECODE_BYTES);
  });
});
