/**
 * Writes small ELF64 files for tests, sound or not: every field can be set to any value. The layout is the gABI's
 * (chapter 4 "Object Files", figures 4-3 and 5-1); the offsets here are written down apart from the loader's.
 */
export interface ElfFileHeader {
  magic: number;
  fileClass: number;
  data: number;
  identVersion: number;
  type: number;
  machine: number;
  version: number;
  entry: bigint;
  phoff: bigint;
  shoff: bigint;
  ehsize: number;
  phentsize: number;
  phnum: number;
  shentsize: number;
  shnum: number;
}

export interface ElfProgramHeader {
  type: number;
  flags: number;
  offset: bigint;
  va: bigint;
  fileBytes: bigint;
  memoryBytes: bigint;
  align: bigint;
}

export interface ElfFile {
  header: ElfFileHeader;
  programHeaders: ElfProgramHeader[];
  lengthBytes: number;
}

/** A sound static program: text, data with bss, a stack header, two section headers at the end. */
export function soundFile(): ElfFile {
  return {
    header: {
      magic: 0x7f454c46,
      fileClass: 2,
      data: 1,
      identVersion: 1,
      type: 2,
      machine: 62,
      version: 1,
      entry: 0x401000n,
      phoff: 64n,
      shoff: 0x3000n,
      ehsize: 64,
      phentsize: 56,
      phnum: 4,
      shentsize: 64,
      shnum: 2,
    },
    programHeaders: [
      load(4, 0n, 0x400000n, 0x120n, 0x120n),
      load(5, 0x1000n, 0x401000n, 0x800n, 0x800n),
      load(6, 0x2000n, 0x403000n, 0x100n, 0x2100n),
      { type: 0x6474e551, flags: 6, offset: 0n, va: 0n, fileBytes: 0n, memoryBytes: 0n, align: 16n },
    ],
    lengthBytes: 0x3080,
  };
}

export function load(
  flags: number,
  offset: bigint,
  va: bigint,
  fileBytes: bigint,
  memoryBytes: bigint,
): ElfProgramHeader {
  return { type: 1, flags, offset, va, fileBytes, memoryBytes, align: 0x1000n };
}

/** The bytes of the file, cut off or padded with zeros to its length. */
export function writeElf(file: ElfFile): Uint8Array {
  const room = new DataView(
    new ArrayBuffer(Math.max(file.lengthBytes, 64 + 56 * file.programHeaders.length)),
  );
  const little = file.header.data !== 2;
  const h = file.header;
  room.setUint32(0, h.magic);
  room.setUint8(4, h.fileClass);
  room.setUint8(5, h.data);
  room.setUint8(6, h.identVersion);
  room.setUint16(16, h.type, little);
  room.setUint16(18, h.machine, little);
  room.setUint32(20, h.version, little);
  room.setBigUint64(24, h.entry, little);
  room.setBigUint64(32, h.phoff, little);
  room.setBigUint64(40, h.shoff, little);
  room.setUint16(52, h.ehsize, little);
  room.setUint16(54, h.phentsize, little);
  room.setUint16(56, h.phnum, little);
  room.setUint16(58, h.shentsize, little);
  room.setUint16(60, h.shnum, little);
  for (const [index, p] of file.programHeaders.entries()) {
    const at = 64 + 56 * index;
    room.setUint32(at, p.type, little);
    room.setUint32(at + 4, p.flags, little);
    room.setBigUint64(at + 8, p.offset, little);
    room.setBigUint64(at + 16, p.va, little);
    room.setBigUint64(at + 24, p.va, little);
    room.setBigUint64(at + 32, p.fileBytes, little);
    room.setBigUint64(at + 40, p.memoryBytes, little);
    room.setBigUint64(at + 48, p.align, little);
  }
  return new Uint8Array(room.buffer).slice(0, file.lengthBytes);
}
