import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type LitmusTest, readAbsentRows, runLitmusTest } from "../../../stress/litmus/index.ts";
import { LITMUS_FOLDER, litmusTests } from "./files.ts";

const tests = litmusTests("x86-64");
const named = tests.map((test): [string, LitmusTest] => [test.file, test]);
const absent = readAbsentRows("rows.tsv", readFileSync(`${LITMUS_FOLDER}x86-64/rows.tsv`, "utf8"));

/** Forbidden outcomes that rest on what the hardware guarantees, not on a step of the test that could be left out. */
const WITHOUT_STEPS = [
  "dirty-update-against-clear",
  "exchange-keeps-dirty",
  "locked-add-with-updates",
  "walk-seen-then-flag",
  "two-watchers-of-validity",
  "break-before-make-no-way-back",
  "n5-synonym",
];

describe("x86-64 litmus tests", () => {
  it.each(named)(
    "%s ends as the manual has it, and not without the steps that its verdict rests on",
    (_, test) => {
      const result = runLitmusTest(test, { vacuity: "checked" });
      expect(result.exceeded).toBeNull();
      expect(result.vacuity.filter(({ reached }) => reached === 0)).toEqual([]);
      const expected = test.verdict === "unspecified" ? "informative" : "ok";
      expect(result.outcome).toBe("Inexpressible" in test.settings ? "inexpressible" : expected);
    },
  );

  it("account for rows 1 to 66 of the table, each by a file or by a reason", () => {
    const rows = new Set([...tests.map(({ row }) => row), ...absent.map(({ row }) => row)]);
    const missing = Array.from({ length: 66 }, (_, i) => String(i + 1)).filter((row) => !rows.has(row));
    expect(missing).toEqual([]);
  });

  it("say which row they are, in the file name too, and which rule of the manual they rest on", () => {
    for (const { file, name, row, source } of tests) {
      expect(file).toBe(row === null ? `${name}.litmus` : `row${row.padStart(2, "0")}-${name}.litmus`);
      expect(source).toMatch(/^Intel SDM vol\. 3A \d+\.\d+/);
    }
  });

  it("mark a step that the verdict rests on wherever a forbidden outcome rests on one", () => {
    const unmarked = tests.filter(
      ({ verdict, columns }) =>
        verdict === "forbidden" &&
        !columns.some(({ operations }) => operations.some((each) => each.isEssential)),
    );
    expect(unmarked.map(({ name }) => name).sort()).toEqual([...WITHOUT_STEPS].sort());
  });
});
