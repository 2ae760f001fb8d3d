import { describe, expect, it } from "vitest";
import { PACKED } from "../../emu/backends/interpreter/index.ts";
import { sources } from "./sources.ts";

const text = sources("emu/backends/interpreter").find((source) =>
  source.path.endsWith("/interpreter.ts"),
)!.text;

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
});
