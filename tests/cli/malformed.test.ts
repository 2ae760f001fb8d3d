import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { malformedFiles } from "../emu/loader/malformed.ts";
import { faultline } from "./command.ts";
import { commandLine } from "./in-process.ts";

/** Every so many-th file also goes through a process of its own. */
const STRIDE = 20;

describe("faultline run with a malformed program file", () => {
  const files = malformedFiles();
  const folder = mkdtempSync(join(tmpdir(), "faultline-malformed-"));
  const path = join(folder, "program");
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("is tried with more than 200 of them", () => {
    expect(files.length).toBeGreaterThanOrEqual(200);
  });

  it.each(files)("answers by one line and status 2: $name", async ({ bytes, says }) => {
    writeFileSync(path, bytes);
    const { status, stdout, stderr } = await commandLine(["run", path]);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^faultline: [^\n]+\n$/);
    expect(stderr).toMatch(says);
  });

  it.each(files.filter((_file, index) => index % STRIDE === 0))(
    "and so does the command as a process: $name",
    async ({ name, bytes, says }) => {
      const own = `${path}-${name.replace(/\W/g, "-")}`;
      writeFileSync(own, bytes);
      const { status, stdout, stderr } = await faultline(["run", own]);
      expect([status, stdout]).toEqual([2, ""]);
      expect(stderr).toMatch(/^faultline: [^\n]+\n$/);
      expect(stderr).toMatch(says);
    },
  );
});
