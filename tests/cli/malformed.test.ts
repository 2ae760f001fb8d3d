import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { malformedFiles } from "../emu/loader/malformed.ts";
import { type Ended, faultline } from "./command.ts";

/** Commands that run at the same time. */
const PARALLEL = 2;

describe("faultline run with a malformed program file", () => {
  const files = malformedFiles();
  const folder = mkdtempSync(join(tmpdir(), "faultline-malformed-"));
  const path = join(folder, "program");
  const answers = new Map<string, Ended>();
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  beforeAll(async () => {
    const queue = files.map((file, index) => ({ file, path: `${path}-${index}` }));
    const work = async (): Promise<void> => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
        writeFileSync(next.path, next.file.bytes);
        answers.set(next.file.name, await faultline(["run", next.path]));
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, work));
  }, 400_000);

  it("is tried with more than 200 of them", () => {
    expect(files.length).toBeGreaterThanOrEqual(200);
    expect(answers.size).toBe(files.length);
  });

  it.each(files.map((file) => [file.name, file] as const))(
    "answers by one line and status 2: %s",
    (name, file) => {
      const { status, stdout, stderr } = answers.get(name)!;
      expect([status, stdout]).toEqual([2, ""]);
      expect(stderr).toMatch(/^faultline: [^\n]+\n$/);
      expect(stderr).toMatch(file.says);
    },
  );
});
