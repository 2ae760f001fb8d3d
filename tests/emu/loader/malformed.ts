/** Malformed program files, generated: each is the sound file with one thing wrong, and a word of the answer. */
import {
  type ElfFile,
  type ElfFileHeader,
  type ElfProgramHeader,
  load,
  soundFile,
  writeElf,
} from "./elf-writer.ts";

export interface Malformed {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** What the answer must contain. */
  readonly says: RegExp;
}

export function malformedFiles(): Malformed[] {
  return [...truncated(), ...headers(), ...segments(), ...together(), ...garbage()];
}

function wrong(name: string, says: RegExp, change: (file: ElfFile) => void): Malformed {
  const file = soundFile();
  change(file);
  return { name, bytes: writeElf(file), says };
}

/** Cut off inside every structure: each field of the header, each program header, each segment, the sections. */
function truncated(): Malformed[] {
  const cuts: number[] = [];
  for (let at = 0; at < 64; at++) cuts.push(at);
  for (let at = 64; at < 64 + 4 * 56; at += 8) cuts.push(at, at + 1, at + 4);
  for (const at of [0x120, 0x121, 0xfff, 0x1000, 0x17ff, 0x1801, 0x2000, 0x20ff]) cuts.push(at);
  for (const at of [0x2100, 0x2fff, 0x3000, 0x3001, 0x303f, 0x3040, 0x307f]) cuts.push(at);
  return cuts.map((lengthBytes) =>
    wrong(`cut off after ${lengthBytes} bytes`, /empty|truncated|past the end of the file/, (file) => {
      file.lengthBytes = lengthBytes;
    }),
  );
}

function headers(): Malformed[] {
  const field = <K extends keyof ElfFileHeader>(
    key: K,
    values: ElfFileHeader[K][],
    says: RegExp,
  ): Malformed[] =>
    values.map((value) =>
      wrong(`${key} ${value}`, says, (file) => {
        file.header[key] = value;
      }),
    );
  return [
    ...field("magic", [0, 0x7f454c47, 0x464c457f, 0x23212f62, 0x4d5a9000, 0xcafebabe], /not an ELF file/),
    ...field("fileClass", [1, 0, 3, 255], /EI_CLASS: .*(32-bit|unknown ELF class)/),
    ...field("data", [0, 3, 255], /unknown byte order/),
    ...field("data", [2], /big-endian/),
    ...field("identVersion", [0, 2, 255], /EI_VERSION: unknown ELF version/),
    ...field("version", [0, 2, 0xffffffff], /e_version: unknown ELF version/),
    ...field("type", [0, 1, 4, 5, 0xfe00, 0xffff], /e_type: .*not a program/),
    ...field("machine", [0, 2, 3, 8, 20, 21, 22, 40, 43, 243, 258, 0xffff], /e_machine: the program is for/),
    ...field("ehsize", [0, 52, 63, 65, 0xffff], /e_ehsize/),
    ...field("phentsize", [0, 32, 55, 57, 0xffff], /e_phentsize/),
    ...field("phnum", [0], /no program headers/),
    ...field("phnum", [1171, 0xffff], /program headers, more than 1170/),
    ...field("phnum", [300, 1170], /past the end of the file/),
    ...field("phoff", [0x3080n, 0x2fffn, 0xffff_ffffn, 1n << 32n, 1n << 53n, (1n << 64n) - 1n], /e_phoff/),
    ...field("shoff", [0x3001n, 0x3080n, 1n << 40n, (1n << 64n) - 64n], /e_shoff/),
    ...field("shentsize", [0, 40, 65], /e_shentsize/),
    ...field("shnum", [3, 0xffff], /e_shoff/),
    ...field("entry", [0n, 1n, 0x401800n, 0x402fffn, 0x405100n, 1n << 47n, (1n << 64n) - 1n], /e_entry/),
    ...field("entry", [0x400000n, 0x403000n], /not executable/),
  ];
}

const TOP = 1n << 64n;

function segments(): Malformed[] {
  const field = <K extends keyof ElfProgramHeader>(
    key: K,
    values: ElfProgramHeader[K][],
    says: RegExp,
    index = 2,
  ): Malformed[] =>
    values.map((value) =>
      wrong(`program header ${index}, ${key} 0x${value.toString(16)}`, says, (file) => {
        file.programHeaders[index]![key] = value;
      }),
    );
  return [
    ...field(
      "offset",
      [0x3080n, 0x2f81n, 0x10000n, 1n << 32n, 1n << 63n, TOP - 1n],
      /p_offset: .*past the end/,
    ),
    ...field("offset", [0x2001n, 0x2800n, 0x1fffn], /p_offset: .*offset in a page/),
    ...field("fileBytes", [0x2101n, 0x10000n, 1n << 32n, 1n << 63n, TOP - 1n], /p_filesz/),
    ...field("memoryBytes", [0n, 1n, 0xffn], /p_filesz/),
    ...field("memoryBytes", [0x1000_0001n, 1n << 32n, 1n << 40n, 1n << 46n], /needs .* bytes of memory/),
    ...field("memoryBytes", [1n << 47n, 1n << 48n, 1n << 63n], /above the user addresses/),
    ...field("memoryBytes", [TOP - 1n, TOP - 0x1000n, TOP - 0x403000n + 1n], /wrap around/),
    ...field("va", [1n << 47n, 0x7fff_ffff_f000n, 1n << 56n, 1n << 62n], /not a user address/),
    ...field(
      "va",
      [0xffff_8000_0000_0000n, 0xffff_8880_0000_0000n, 0xffff_ffff_8000_0000n],
      /the kernel's half/,
    ),
    ...field("va", [TOP - 0x1000n, TOP - 0x2000n], /wrap around/),
    ...field("va", [0x7fff_ffff_e000n, 0x7fff_ffff_d000n], /above the user addresses/),
    ...field("va", [0x403001n, 0x403fffn, 0x403800n], /offset in a page/),
    ...field("align", [3n, 0x1001n, 0x3000n, TOP - 1n], /not a power of two/),
    ...field("align", [1n << 47n, 1n << 63n], /no user address is aligned/),
    ...field("type", [3], /dynamically linked/),
    ...field("type", [0, 2, 4, 7], /not in a segment|e_entry/, 1),
    ...field("flags", [0, 2, 4, 6], /not executable/, 1),
  ];
}

function together(): Malformed[] {
  const overlap = (name: string, va: bigint, memoryBytes: bigint): Malformed =>
    wrong(`overlap: ${name}`, /overlaps the one of program header/, (file) => {
      file.programHeaders[3] = load(6, 0x2000n, va, 0n, memoryBytes);
    });
  return [
    overlap("the same", 0x401000n, 0x800n),
    overlap("inside", 0x401000n, 1n),
    overlap("around", 0x3f0000n, 0x20000n),
    overlap("its first byte", 0x400000n, 1n),
    overlap("its last byte", 0x3ff000n, 0x1001n),
    overlap("in the bss", 0x405000n, 0x1000n),
    overlap("all segments", 0x1000n, 0x800000n),
    wrong("together larger than memory", /the segments need/, (file) => {
      for (let index = 0; index < 4; index++) {
        file.programHeaders[3 + index] = load(6, 0n, 0x1000_0000n * BigInt(index + 1), 0n, 0x800_0000n);
      }
      file.header.phnum = 7;
    }),
    wrong("nothing to load", /no segment to load/, (file) => {
      for (const header of file.programHeaders) header.type = 0;
    }),
    wrong("only an empty segment", /no segment to load/, (file) => {
      file.programHeaders = [load(5, 0n, 0x401000n, 0n, 0n)];
      file.header.phnum = 1;
    }),
    wrong("an interpreter and a segment", /dynamically linked/, (file) => {
      file.programHeaders[0]!.type = 3;
    }),
    wrong("a shared library", /shared library/, (file) => {
      file.header.type = 3;
      file.header.entry = 0n;
      file.programHeaders[0]!.type = 0;
    }),
  ];
}

function garbage(): Malformed[] {
  const files: Malformed[] = [];
  for (const byte of [0x00, 0xff, 0x7f, 0x45]) {
    files.push({
      name: `4096 bytes of 0x${byte.toString(16)}`,
      bytes: new Uint8Array(4096).fill(byte),
      says: /not an ELF file/,
    });
  }
  files.push({
    name: "a shell script",
    bytes: new TextEncoder().encode("#!/bin/sh\necho hello\n"),
    says: /a script/,
  });
  return files;
}
