/** Reads a litmus file of any architecture. */
import { unreadable } from "./cursor.ts";
import { readAarch64Test } from "./read-aarch64.ts";
import { readX86Test } from "./read-x86-64.ts";
import { readSections } from "./sections.ts";
import type { LitmusTest } from "./test.ts";
import { validate } from "./validate.ts";

/**
 * @param file its name, for messages
 * @throws UserError what is wrong, and in which line
 */
export function readLitmusTest(file: string, source: string): LitmusTest {
  const sections = readSections(file, source);
  switch (sections.architecture) {
    case "X86_64":
      return validate(readX86Test(file, sections));
    case "AArch64":
      return validate(readAarch64Test(file, sections));
    default:
      throw unreadable(file, 1, `${sections.architecture}: tests are for X86_64 or AArch64`);
  }
}
