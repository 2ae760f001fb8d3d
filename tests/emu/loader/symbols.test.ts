import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type ElfImage, parseElf, readSymbols, SymbolTable } from "../../../emu/loader/index.ts";
import { UserError } from "../../../emu/user-error.ts";
import { x86Limits } from "./limits.ts";

const BIN = fileURLToPath(new URL("../../../userland/bin/x86-64/", import.meta.url));

function load(bytes: Uint8Array): ElfImage {
  const image = parseElf(bytes, "program", x86Limits(256 << 20));
  if (image instanceof UserError) throw image;
  return image;
}

function table(bytes: Uint8Array): SymbolTable {
  const symbols = readSymbols(load(bytes));
  if (symbols instanceof UserError) throw symbols;
  return symbols;
}

function file(name: string): Uint8Array {
  return new Uint8Array(readFileSync(BIN + name));
}

const scenario = `scenarios/${readdirSync(`${BIN}scenarios`)[0]!}`;

const NM = available("nm");

function available(command: string): boolean {
  try {
    execFileSync(command, ["--version"], { stdio: "pipe" });
    return true;
  } catch {
    return false;
  }
}

describe("the symbols of a program", () => {
  it.skipIf(!NM)(`are those that nm prints${NM ? "" : " (skipped: no nm here)"}`, () => {
    const printed = execFileSync("nm", ["--defined-only", BIN + scenario], { encoding: "utf8" })
      .trim()
      .split("\n")
      .map((line) => line.split(" "))
      .map(([value, , name]) => `${BigInt(`0x${value}`)} ${name}`);
    const read = table(file(scenario)).symbols.map((symbol) => `${symbol.va} ${symbol.name}`);
    expect(read.sort()).toEqual(printed.sort());
  });

  it("lead from a name to the address and back, with the offset inside", () => {
    const symbols = table(file(scenario));
    const main = symbols.find("main")!;
    expect(main.kind).toBe("function");
    expect(main.sizeBytes).toBeGreaterThan(16);
    expect(symbols.at(main.va)).toEqual({ symbol: main, offset: 0 });
    expect(symbols.at(main.va + 16n)).toEqual({ symbol: main, offset: 16 });
    expect(symbols.describe(main.va)).toBe("main");
    expect(symbols.describe(main.va + 16n)).toBe("main+0x10");
    expect(symbols.find("scenario_phase")).toMatchObject({ kind: "object", sizeBytes: 4 });
  });

  it("do not claim what lies behind their size or before the first", () => {
    const symbols = table(file(scenario));
    const last = symbols.symbols.at(-1)!;
    expect(symbols.at(last.va + BigInt(last.sizeBytes))).toBeNull();
    expect(symbols.at(symbols.symbols[0]!.va - 1n)).toBeNull();
    expect(symbols.describe(0n)).toBeNull();
    expect(symbols.find("no such name")).toBeNull();
  });

  it("are none in a stripped file", () => {
    expect(table(file("hello")).symbols).toEqual([]);
  });

  it("without a size reach to the next symbol, and a name with a size wins at the same address", () => {
    const symbol = (name: string, va: bigint, sizeBytes: number) =>
      ({ name, va, sizeBytes, kind: sizeBytes === 0 ? "label" : "function" }) as never;
    const symbols = new SymbolTable([symbol("b", 32n, 8), symbol("a", 16n, 0), symbol("start", 32n, 0)]);
    expect(symbols.describe(24n)).toBe("a+0x8");
    expect(symbols.describe(32n)).toBe("b");
    expect(symbols.describe(40n)).toBeNull();
  });
});

describe("a damaged symbol table", () => {
  /** Offset of the first section header of a type. */
  function section(bytes: Uint8Array, type: number): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (let at = Number(view.getBigUint64(40, true)); ; at += 64) {
      if (view.getUint32(at + 4, true) === type) return at;
    }
  }

  const damages: readonly [string, (view: DataView, bytes: Uint8Array) => void, RegExp][] = [
    [
      "past the end of the file",
      (v, b) => v.setBigUint64(section(b, 2) + 32, 1n << 40n, true),
      /past the end/,
    ],
    ["at an offset near 2^64", (v, b) => v.setBigUint64(section(b, 2) + 24, ~0n, true), /past the end/],
    [
      "of entries of another size",
      (v, b) => v.setBigUint64(section(b, 2) + 56, 7n, true),
      /7 bytes instead of 24/,
    ],
    ["without strings", (v, b) => v.setUint32(section(b, 2) + 40, 999, true), /no string table/],
    [
      "whose strings are not in the file",
      (v, b) => v.setBigUint64(section(b, 3) + 24, 1n << 50n, true),
      /past the end/,
    ],
  ];

  it.each(damages)("%s is one clear error", (_, damage, text) => {
    const bytes = file(scenario);
    damage(new DataView(bytes.buffer), bytes);
    const error = readSymbols(load(bytes));
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toMatch(text);
  });

  it("gives no symbol an invented name", () => {
    const bytes = file(scenario);
    const view = new DataView(bytes.buffer);
    const symtab = section(bytes, 2);
    const start = Number(view.getBigUint64(symtab + 24, true));
    const count = Number(view.getBigUint64(symtab + 32, true)) / 24;
    for (let index = 0; index < count; index++) view.setUint32(start + index * 24, 0xffff_ffff, true);
    expect(table(bytes).symbols).toEqual([]);
  });
});
