import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Aarch64Core } from "../../../emu/traps/aarch64/index.ts";
import { UserError } from "../../../emu/user-error.ts";
import {
  Assembler,
  ELR_EL1,
  ERET,
  ESR_EL1,
  ISB,
  TTBR0_EL1,
} from "../../../stress/litmus/aarch64/encodings.ts";
import { abortHandler } from "../../../stress/litmus/aarch64/program.ts";
import { Aarch64LitmusWorld } from "../../../stress/litmus/aarch64/world.ts";
import { holds } from "../../../stress/litmus/condition.ts";
import { DEFAULT_BOUNDS, explore } from "../../../stress/litmus/explore.ts";
import {
  type LitmusTest,
  readAbsentRows,
  readLitmusTest,
  runLitmusTest,
} from "../../../stress/litmus/index.ts";
import { LITMUS_FOLDER, litmusTests } from "./files.ts";
import { walk } from "./walk.ts";

const tests = litmusTests("aarch64");
const named = tests.map((test): [string, LitmusTest] => [test.file, test]);
const byName = new Map(tests.map((test) => [test.name, test]));
const absent = readAbsentRows("rows.tsv", readFileSync(`${LITMUS_FOLDER}aarch64/rows.tsv`, "utf8"));

describe("AArch64 litmus tests", () => {
  it.each(named)("%s ends as it must, and not without the steps that its verdict rests on", (_, test) => {
    const result = runLitmusTest(test, { vacuity: "checked" });
    expect(result.exceeded).toBeNull();
    expect(result.vacuity.filter(({ reached }) => reached === 0)).toEqual([]);
    expect(result.outcome).toBe("Inexpressible" in test.settings ? "inexpressible" : "ok");
  });

  it.each(named)("%s ends as it must with FEAT_ETS2", (_, test) => {
    const { outcome, test: judged } = runLitmusTest(test, { vacuity: "unchecked", variant: "ETS2" });
    const isAllowed = judged.verdict === "allowed";
    // What is left for a late store to show, the stronger model need not show.
    if (isAllowed && outcome !== "ok") expect(["unwitnessed", "inexpressible"]).toContain(outcome);
    else expect(outcome).toBe("ok");
  });

  it("account for rows 1 to 66 of the table, each by a file or by a reason", () => {
    const rows = new Set([...tests.map(({ row }) => row), ...absent.map(({ row }) => row)]);
    const missing = Array.from({ length: 66 }, (_, i) => String(i + 1)).filter((row) => !rows.has(row));
    expect(missing).toEqual([]);
  });

  it("say what is expected and which rule it rests on", () => {
    for (const { file, name, row, source, verdict } of tests) {
      expect(file).toMatch(new RegExp(`^(own\\w+|row\\d\\d-${name})\\.litmus$`));
      expect(row, file).toMatch(/^\d+$/);
      expect(source, file).toMatch(/^(herd7|Arm ARM DDI 0487), /);
      expect(["forbidden", "allowed", "required"], file).toContain(verdict);
    }
  });
});

interface Fault {
  readonly what: string;
  readonly seenBy: readonly string[];
  install(core: Aarch64Core): void;
}

/** Machines that break one rule of the manual. */
const FAULTS: readonly Fault[] = [
  {
    what: "TLBI that drops nothing on other cores",
    seenBy: ["own37", "own38", "own74sh", "remap-shootdown-flag-dsb-load"],
    install: (core) => {
      core.applyBroadcast = () => {};
    },
  },
  {
    what: "TLBI that drops nothing on its own core",
    seenBy: ["own8isb", "tlbi-of-this-asid", "global-vae1", "read-only-shootdown"],
    install: ({ mmu }) => {
      mmu.drop = () => 0;
    },
  },
  {
    what: "DSB that does not wait for other cores",
    seenBy: ["own37", "own38", "table-reuse"],
    install: (core) => {
      core.broadcasts.complete = () => true;
    },
  },
];

describe("a machine with", () => {
  it.each(FAULTS.map((fault): [string, Fault] => [fault.what, fault]))("%s is found", (_, fault) => {
    const blind = fault.seenBy.filter((name) => {
      const test = byName.get(name)!;
      const world = new Aarch64LitmusWorld(test);
      for (const { core } of world.drivers) fault.install(core);
      let reached = false;
      explore(world, DEFAULT_BOUNDS, () => {
        reached ||= holds(test.question, (atom) => world.truth(atom));
      });
      return !reached;
    });
    expect(blind).toEqual([]);
  });
});

describe("what is not enumerated", () => {
  it.each(["own5", "own8isb", "own24", "own38nosh", "read-only-shootdown", "switch-root-same-asid"])(
    "makes no final state possible that is not so already: %s",
    (name) => {
      const finals = (enumeration: "relevant" | "everything"): string[] =>
        runLitmusTest(byName.get(name)!, { vacuity: "unchecked", enumeration }).finals.map(
          ({ text }) => text,
        );
      expect(finals("everything")).toEqual(finals("relevant"));
    },
  );
});

describe("going back in a litmus machine", () => {
  it.each(["own38", "own24", "own73fix", "table-reuse", "switch-root-other-asid"])(
    "changes nothing in what follows: %s",
    (name) => {
      for (let seed = 1; seed <= 6; seed++) {
        const test = byName.get(name)!;
        expect(walk(new Aarch64LitmusWorld(test), seed, "back and forth")).toEqual(
          walk(new Aarch64LitmusWorld(test), seed, "straight"),
        );
      }
    },
  );
});

describe("a test that the machine cannot run", () => {
  it.each([
    [
      "five threads",
      "{ x=1; 4:X4=x; }\n P0|P1|P2|P3|P4 ;\n ISB|ISB|ISB|ISB|LDR X1,[X4] ;\nexists (4:X1=1)",
      /5 threads/,
    ],
    [
      "the runner's registers",
      "{ 0:X4=x; x=1; }\n P0 ;\n LDR X20,[X4] ;\nexists (0:X20=1)",
      /X20 is the runner's own/,
    ],
    [
      "an unknown field",
      "{ [PTE(x)]=(oa:PA(x),q:1); 0:X4=x; }\n P0 ;\n LDR X1,[X4] ;\nexists (0:X1=1)",
      /an entry field q/,
    ],
  ])("is a user's error: %s", (_, text, says) => {
    const run = (): unknown =>
      runLitmusTest(readLitmusTest("f", `AArch64 t\n${text}\n`), { vacuity: "unchecked" });
    expect(run).toThrow(UserError);
    expect(run).toThrow(says);
  });
});

/** One of each encoding, and its text as GNU as takes it. */
const ENCODINGS: readonly [string, (asm: Assembler) => void][] = [
  ["mov x5, #0x1234", (asm) => asm.moveImmediate(5, 0x1234n)],
  ["mov x9, x3", (asm) => asm.move(9, 3)],
  ["sub x26, x26, x21", (asm) => asm.subtract(26, 26, 21)],
  ["ldr x1, [x20]", (asm) => asm.load(1, 20)],
  ["str x21, [x20]", (asm) => asm.store(21, 20)],
  ["swp x6, x3, [x20]", (asm) => asm.atomic("SWP", 6, 3, 20)],
  ["ldadd x2, x2, [x20]", (asm) => asm.atomic("LDADD", 2, 2, 20)],
  ["stclr x21, [x20]", (asm) => asm.atomic("LDCLR", 21, 31, 20)],
  ["dsb ish", (asm) => asm.barrier("DSB ISH")],
  ["dmb st", (asm) => asm.barrier("DMB ST")],
  ["dsb ld", (asm) => asm.barrier("DSB LD")],
  ["isb", (asm) => asm.raw(ISB)],
  ["eret", (asm) => asm.raw(ERET)],
  ["tlbi vaae1is, x20", (asm) => asm.invalidate("VAAE1", "all-cores", 20)],
  ["tlbi vale1, x20", (asm) => asm.invalidate("VALE1", "core", 20)],
  ["tlbi aside1is, x20", (asm) => asm.invalidate("ASIDE1", "all-cores", 20)],
  ["mrs x25, esr_el1", (asm) => asm.readSystem(25, ESR_EL1)],
  ["msr elr_el1, x22", (asm) => asm.writeSystem(ELR_EL1, 22)],
  ["msr ttbr0_el1, x20", (asm) => asm.writeSystem(TTBR0_EL1, 20)],
  ["cbz x26, .+8", (asm) => asm.branchIfZero(26, asm.here + 8n)],
  ["b .-124", (asm) => asm.branch(asm.here - 124n)],
];
const HANDLER = [
  "mrs x25, esr_el1",
  "and x25, x25, #0x7f",
  "orr x25, x25, #0x80",
  "lsl x25, x25, x23",
  "orr x24, x24, x25",
  "msr elr_el1, x22",
  "eret",
];

describe("the assembler", () => {
  const isThere = spawnSync("aarch64-linux-gnu-as", ["--version"]).status === 0;
  const why = isThere ? "" : " (skipped: no aarch64-linux-gnu-as here)";
  it.skipIf(!isThere)(`encodes as GNU as does${why}`, () => {
    const folder = mkdtempSync(join(tmpdir(), "litmus-as-"));
    const [source, object, binary] = ["a.s", "a.o", "a.bin"].map((name) => join(folder, name));
    const lines = [...ENCODINGS.map(([text]) => text), ...HANDLER];
    writeFileSync(source!, `${lines.join("\n")}\n`);
    execFileSync("aarch64-linux-gnu-as", ["-march=armv8.1-a", source!, "-o", object!]);
    execFileSync("aarch64-linux-gnu-objcopy", ["-O", "binary", "-j", ".text", object!, binary!]);
    const asm = new Assembler(0x1000n);
    for (const [, write] of ENCODINGS) write(asm);
    const bytes = readFileSync(binary!);
    const words = lines.map((_, at) => bytes.readUInt32LE(at * 4));
    expect([...asm.words, ...abortHandler()].map((word) => word.toString(16))).toEqual(
      words.map((word) => word.toString(16)),
    );
  });
});
