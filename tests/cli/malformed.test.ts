import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

describe("faultline run with a sound file that no address space takes", () => {
  const folder = mkdtempSync(join(tmpdir(), "faultline-unfit-"));
  const path = join(folder, "hello");
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const hello = readFileSync(new URL("../../userland/bin/x86-64/hello", import.meta.url));

  /** Offset of a program header; p_vaddr lies 16 bytes in, p_memsz 40. */
  const header = (index: number): number =>
    Number(hello.readBigUInt64LE(32)) + index * hello.readUInt16LE(54);

  it.each([
    { name: "a segment at 0", index: 0, field: 16, value: 0n, says: /below the lowest address/ },
    { name: "a segment at 0x1000", index: 0, field: 16, value: 0x1000n, says: /below the lowest address/ },
    {
      name: "a segment in the stack",
      index: 0,
      field: 16,
      value: 0x7fff_ffff_e000n,
      says: /where something else is/,
    },
    { name: "more memory than there is", index: 2, field: 40, value: 250n << 20n, says: /does not fit/ },
  ])("answers $name by one line and status 2", async ({ index, field, value, says }) => {
    const bytes = Buffer.from(hello);
    const type = bytes.readUInt32LE(header(index));
    expect(type).toBe(1);
    bytes.writeBigUInt64LE(value, header(index) + field);
    if (field === 16) bytes.writeBigUInt64LE(value, header(index) + 24);
    writeFileSync(path, bytes);
    const { status, stdout, stderr } = await commandLine(["run", path]);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^faultline: [^\n]+\n$/);
    expect(stderr).toMatch(says);
  });
});
