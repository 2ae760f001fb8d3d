/** Programs of a few instructions for what no program of userland/ does. Assembled with GNU as 2.42 (Intel syntax). */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load, soundFile, writeElf } from "../emu/loader/elf-writer.ts";

/**
 *     pid = fork(); if (pid) { wait4(pid, &status, 0, 0); exit(status & 127); }
 *     for (;;) { p = mmap(0, 1 MiB, READ|WRITE, PRIVATE|ANONYMOUS|NORESERVE); one store to each page; }
 */
export const PARENT_OF_HUNGRY: Uint8Array = program(`
  b839000000 0f05 85c0 7421 89c7 488d7424c0 31d2 4531d2 b83d000000 0f05 8b7c24c0 83e77f b83c000000 0f05
  b809000000 31ff be00001000 ba03000000 41ba22400000 49c7c0ffffffff 4531c9 0f05 4885c0 78d8 31c9
  c6040801 81c100100000 81f900001000 72ee ebc2
`);

/** `write(1, text of the program, 4096)` 1024 times, then `exit_group(7)`; 1 if a write comes back short. */
export const WRITER: Uint8Array = program(`
  bb00040000 b801000000 bf01000000 488d35eaffffff ba00100000 0f05 483d00100000 750b ffcb 75dc
  bf07000000 eb05 bf01000000 b8e7000000 0f05
`);
export const WRITER_BYTES: number = 1024 * 4096;
/** The same, two thousand million times. */
export const ENDLESS_WRITER: Uint8Array = withCount(WRITER, 0x7fff_ffff);

/** `while ((n = read(0, buffer, 4096)) > 0) write(1, buffer, n); exit_group(n)`. */
export const CAT: Uint8Array = program(`
  31c0 31ff 488db42400e0ffff ba00100000 0f05 4885c0 7e19 4889c2 b801000000 bf01000000 488db42400e0ffff 0f05 ebcf
  89c7 b8e7000000 0f05
`);

function withCount(writer: Uint8Array, count: number): Uint8Array {
  const image = writer.slice();
  new DataView(image.buffer).setUint32(0x1001, count, true);
  return image;
}

/** ADDPS, which is not implemented. */
export const VECTOR: Uint8Array = program("0f58c1");

/** Puts a program into a file of its own and gives the path. */
export function onDisk(image: Uint8Array, name: string): string {
  const path = join(mkdtempSync(join(tmpdir(), "faultline-test-")), name);
  writeFileSync(path, image);
  return path;
}

function program(hex: string): Uint8Array {
  const digits = hex.replace(/\s/g, "");
  const file = soundFile();
  file.header.entry = 0x40_1000n;
  file.header.shoff = 0n;
  file.header.phnum = 1;
  file.programHeaders = [load(5, 0x1000n, 0x40_1000n, 0x1000n, 0x1000n)];
  file.lengthBytes = 0x2000;
  const image = writeElf(file);
  for (let i = 0; 2 * i < digits.length; i++) {
    image[0x1000 + i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  }
  return image;
}
