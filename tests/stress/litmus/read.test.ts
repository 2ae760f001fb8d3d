import { describe, expect, it } from "vitest";
import { UserError } from "../../../emu/user-error.ts";
import { essentials, readLitmusTest, verdictOf } from "../../../stress/litmus/index.ts";
import { litmusTests } from "./files.ts";

const HEAD = "X86_64 t\n{ x=1; }\n";
const COLUMN = " P0          ;\n MOV RBX,[x] ;\n";
const ASK = "exists (0:RBX=1)\n";

const MALFORMED: readonly (readonly [string, RegExp])[] = [
  ["", /^f:1: has no initial state/],
  ["X86_64\n{ }\n P0 ;\nexists (x=1)\n", /^f:1: does not begin with an architecture and a name/],
  ["MIPS t\n{ }\n P0 ;\nexists (x=1)\n", /^f:1: MIPS: tests are for X86_64 or AArch64/],
  [`X86_64 t\nrow 6\n{ x=1; }\n${COLUMN}${ASK}`, /^f:2: expected a line Key=Value/],
  [`${HEAD}${COLUMN}`, /asks no question/],
  [`X86_64 t\n{ x=; }\n${COLUMN}${ASK}`, /^f:2: expected a value, found ";"/],
  [`X86_64 t\n{ x=1; x=2; }\n${COLUMN}${ASK}`, /^f:2: x is there already/],
  [`X86_64 t\n{ x=(oa:QA(x)); }\n${COLUMN}${ASK}`, /^f:2: expected "PA"/],
  [`X86_64 t\n{ x=%; }\n${COLUMN}${ASK}`, /^f:2: unexpected character "%"/],
  [`${HEAD} P0 ;\n MOV RBX,[x]\n${ASK}`, /^f:4: a line of the columns does not end with ";"/],
  [`${HEAD} P0 ;\n MOV RBX,[x] | CLI ;\n${ASK}`, /^f:4: has more cells than there are columns/],
  [`${HEAD} Q0 ;\n CLI ;\n${ASK}`, /^f:4: Q0: a column is P0/],
  [`${HEAD} P1 ;\n MOV RBX,[x] ;\nexists (1:RBX=1)\n`, /^f: the columns of threads are not P0 to P0/],
  [`${HEAD} P0 ;\n MOV RAX,[x] ;\n${ASK}`, /^f:4: RAX: a test may use RBX, RSI/],
  [`${HEAD} P0 ;\n ADD RBX,$1 ;\n${ASK}`, /^f:4: ADD: there is no such operation/],
  [`${HEAD} P0 ;\n MOV RBX,[y] ;\n${ASK}`, /^f: y has no initial value/],
  [`${HEAD} P0 ;\n INVPCID 7 ;\n${ASK}`, /^f:4: INVPCID 7: there is no such type/],
  [`${HEAD} P0 ;\n IPI P1 ;\n${ASK}`, /^f: there is no P1/],
  [`${HEAD}${COLUMN}exists (fault(P0:L0,x))\n`, /^f: P0 has no access labelled L0/],
  [`${HEAD}${COLUMN}exists (0:RSI=1)\n`, /^f: no operation of P0 writes RSI/],
  [`${HEAD}${COLUMN}exists (0:RBX=1 0:RBX=2)\n`, /^f:5: expected "\)", found "0"/],
  [`X86_64 t\nVerdict=Sometimes\n{ x=1; }\n${COLUMN}${ASK}`, /Verdict=Sometimes: there is no such verdict/],
  [
    "AArch64 t\n{ x=1; 0:X1=x; }\n P0 ;\n LDR X2,[X3] ;\nexists (0:X2=1)\n",
    /^f:4: LDR X2,\[X3\]: \[X3\] is not the address/,
  ],
  ["AArch64 t\n{ x=1; 0:X1=x; }\n P0 ;\n TLBI VAAE1IS,X1 ;\nexists (x=1)\n", /the operand is no page number/],
  ["AArch64 t\n{ x=1; }\n P0 ;\n ADD X1,X1,#1 ;\nexists (x=1)\n", /ADD X1,X1,#1: there is no such operation/],
];

describe("a malformed litmus file", () => {
  it.each(MALFORMED)("is answered by its line and what is wrong (%#)", (text, says) => {
    let caught: unknown = null;
    try {
      readLitmusTest("f", text);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(UserError);
    expect((caught as UserError).line).toMatch(says);
    expect((caught as UserError).line).not.toContain("\n");
  });
});

describe("an x86-64 litmus file", () => {
  it("becomes columns of operations with labels, essential steps and untaken paths", () => {
    const test = readLitmusTest(
      "f",
      `X86_64 t (* remark *)
Row=7
{ x=1; y@1=2; window s(x); [PTE(x@1)]=(oa:PA(y),RW:0); PCIDE=1; CR3=(root:1,pcid:2); }
 P0                  | H0           ;
 ? L0: MOV [x],$-1   | INVLPG [x]   ;
 UNTAKEN MOV RBX,[s] |              ;
~exists (fault(P0:L0,x,W) /\\ ~(x=1 \\/ [PDE(x)]=(P:1)))
permitted (x=1)
`,
    );
    expect(test).toMatchObject({ row: "7", verdict: "forbidden", settings: { PCIDE: "1" } });
    expect(test.locations.map(({ region, mapping }) => [region, mapping])).toEqual([
      [0, "page"],
      [1, "page"],
      [0, "window"],
    ]);
    expect(test.initial[2]).toEqual({
      place: { location: "x", level: 1, root: 1 },
      value: {
        kind: "entry",
        entry: { target: { kind: "frame", location: "y" }, fields: { RW: 0 } },
      },
    });
    const [store, load] = test.columns[0]!.operations;
    expect(store).toMatchObject({ label: "L0", isEssential: true, isUntaken: false });
    expect(store!.effect).toEqual({
      kind: "store",
      place: { location: "x", level: 0, root: 0 },
      value: { kind: "number", value: -1 },
    });
    expect(load).toMatchObject({ label: null, isEssential: false, isUntaken: true });
    expect(test.columns[1]).toMatchObject({ core: 0, role: "handler" });
    expect(test.permitted).toHaveLength(1);
  });
});

describe("herd's AArch64 files", () => {
  const tests = new Map(litmusTests("aarch64").map((test) => [test.name, test]));

  it("are all read", () => {
    expect([...tests.values()].filter(({ file }) => file.startsWith("own")).length).toBe(18);
    for (const test of tests.values()) {
      expect(test.architecture).toBe("aarch64");
      expect(test.columns.length).toBeGreaterThan(0);
    }
  });

  it("have a verdict for each model, and name the steps it rests on", () => {
    const own8 = tests.get("own8")!;
    expect([verdictOf(own8, "base"), verdictOf(own8, "ETS2")]).toEqual(["allowed", "forbidden"]);
    expect(essentials(tests.get("own37")!).map(({ text }) => text)).toEqual([
      "DSB ISH",
      "TLBI VAAE1IS,X9",
      "DSB ISH",
    ]);
  });

  it("a shootdown names its page and reaches all cores; a store its entry", () => {
    const { columns } = tests.get("own37")!;
    expect(columns[0]!.operations.map(({ effect }) => effect)).toEqual([
      {
        kind: "store",
        place: { location: "x", level: 1, root: 0 },
        value: {
          kind: "entry",
          entry: { target: { kind: "frame", location: "x" }, fields: { valid: 0 } },
        },
      },
      { kind: "barrier", mnemonic: "DSB ISH" },
      { kind: "assign", to: "X9", value: { kind: "number", value: 0 } },
      {
        kind: "invalidate",
        scope: "page",
        reach: "all-cores",
        location: "x",
        context: null,
        mnemonic: "TLBI VAAE1IS",
      },
      { kind: "barrier", mnemonic: "DSB ISH" },
      { kind: "assign", to: "X7", value: { kind: "number", value: 2 } },
      {
        kind: "store",
        place: { location: "y", level: 0, root: 0 },
        value: { kind: "number", value: 2 },
      },
    ]);
    expect(columns[1]!.operations[0]).toMatchObject({ label: "L0", effect: { kind: "load", to: "X1" } });
  });

  it("a swap reads and writes the entry, and settings are kept", () => {
    const test = tests.get("own24swp")!;
    expect(test.settings["TTHM"]).toBe("HA HD");
    expect(test.columns[1]!.operations[0]!.effect).toMatchObject({
      kind: "exchange",
      to: "X3",
      place: { location: "x", level: 1 },
    });
  });
});
