/**
 * Reads a static ELF64 program: what to map where, and where it starts. System V ABI, generic part, chapter 5
 * "Program Loading". Everything in the file is untrusted; whatever is wrong with it is answered by one UserError and
 * nothing is mapped before the whole file was checked. Where Linux's loader (fs/binfmt_elf.c) is more lenient only
 * by accident (overlapping segments, an entry point in no segment), this one refuses the file.
 *
 * Simplification: no program interpreter, so dynamically linked programs are refused.
 */
import ByteBuffer from "bytebuffer";
import type { VirtAddr } from "../../mmu/index.ts";
import { virtAddr } from "../../mmu/index.ts";
import { UserError } from "../user-error.ts";
import * as elf from "./elf-format.ts";

/** One PT_LOAD. */
export interface ElfSegment {
  readonly va: VirtAddr;
  /** Bytes in memory; what lies past `fileBytes` is zero. */
  readonly memoryBytes: bigint;
  readonly fileOffset: number;
  readonly fileBytes: number;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
}

export interface ElfImage {
  readonly name: string;
  /** The whole file: segments refer to it by offset. */
  readonly bytes: Uint8Array;
  /** e_machine. */
  readonly machine: number;
  /** Position independent: addresses count from a base of the loader's choice. */
  readonly positionIndependent: boolean;
  readonly entry: VirtAddr;
  /** In ascending order of address, none overlapping, none empty. */
  readonly segments: readonly ElfSegment[];
  /** The largest p_align of a PT_LOAD, at least the page size. */
  readonly alignBytes: bigint;
  /** Where the program headers are in memory; 0 if no segment holds them. */
  readonly phdrVa: VirtAddr;
  readonly phdrBytes: number;
  readonly phdrCount: number;
  /** PT_GNU_STACK with PF_X, or none at all. */
  readonly stackExecutable: boolean;
}

/** What the machine can load. */
export interface ElfLimits {
  /** e_machine values that can run here, with the byte order of their programs. */
  readonly machines: ReadonlyMap<number, "little" | "big">;
  /** First address that a program cannot map. */
  readonly userEnd: bigint;
  /** A power of two. */
  readonly pageBytes: bigint;
  /** Guest RAM. */
  readonly memoryBytes: bigint;
}

/** The end of user addresses of x86-64 with four-level paging (the last page is never mapped). */
export const X86_64_USER_END_47 = 0x7fff_ffff_f000n;

/** x86-64 with four-level paging. */
export function x86Limits(memoryBytes: number): ElfLimits {
  return {
    machines: new Map([[62, "little"]]),
    userEnd: X86_64_USER_END_47,
    pageBytes: 4096n,
    memoryBytes: BigInt(memoryBytes),
  };
}

/** Program headers that the loader reads at most; Linux reads 64 KiB of them. */
const MAX_PROGRAM_HEADERS = Math.floor(65536 / elf.PROGRAM_HEADER_BYTES);
const TWO_64 = 1n << 64n;

const STATIC = "link the program statically (gcc -static)";
const REBUILD = "build or copy the file again";

/** Parses a program file. @param name what messages call the file */
export function parseElf(bytes: Uint8Array, name: string, limits: ElfLimits): ElfImage | UserError {
  const identity = checkIdentity(bytes, name, limits);
  if (identity !== null) return identity;
  return new ElfReader(bytes, name, limits).read();
}

function checkIdentity(bytes: Uint8Array, name: string, limits: ElfLimits): UserError | null {
  if (bytes.length === 0) return new UserError("the file is empty", name, REBUILD);
  if (elf.ELF_MAGIC.some((byte, at) => at < bytes.length && bytes[at] !== byte)) {
    const script = bytes[0] === 0x23 && bytes[1] === 0x21 ? " but a script" : "";
    return new UserError(`not an ELF file${script}`, name, "give a static ELF64 program");
  }
  if (bytes.length < elf.ELF_HEADER_BYTES) {
    return new UserError(
      `truncated in the ELF header (${bytes.length} of ${elf.ELF_HEADER_BYTES} bytes)`,
      name,
      REBUILD,
    );
  }
  const header = wrap(bytes, bytes[elf.EI_DATA] === elf.ELFDATA2MSB ? "big" : "little");
  const fileClass = bytes[elf.EI_CLASS];
  if (fileClass !== elf.ELFCLASS64) {
    const text = fileClass === 1 ? "a 32-bit program" : `of the unknown ELF class ${fileClass}`;
    return new UserError(`the file is ${text}`, `${name}, EI_CLASS`, "build it for 64 bits");
  }
  const data = bytes[elf.EI_DATA];
  if (data !== elf.ELFDATA2LSB && data !== elf.ELFDATA2MSB) {
    return new UserError(`unknown byte order ${data}`, `${name}, EI_DATA`, REBUILD);
  }
  const machine = header.readUint16(elf.E_MACHINE);
  const order = limits.machines.get(machine);
  if (order === undefined) {
    const known = [...limits.machines.keys()].map(machineName).join(", ");
    return new UserError(
      `the program is for ${machineName(machine)}`,
      `${name}, e_machine`,
      `this machine runs ${known}`,
    );
  }
  if (order !== (data === elf.ELFDATA2LSB ? "little" : "big")) {
    return new UserError(
      `the program is ${order === "little" ? "big" : "little"}-endian`,
      `${name}, EI_DATA`,
      `${machineName(machine)} programs are ${order}-endian here`,
    );
  }
  return checkHeader(bytes, header, name);
}

function checkHeader(bytes: Uint8Array, header: ByteBuffer, name: string): UserError | null {
  const identVersion = bytes[elf.EI_VERSION];
  const version = header.readUint32(elf.E_VERSION);
  if (identVersion !== elf.EV_CURRENT || version !== elf.EV_CURRENT) {
    const [field, value] =
      identVersion !== elf.EV_CURRENT ? ["EI_VERSION", identVersion] : ["e_version", version];
    return new UserError(`unknown ELF version ${value}`, `${name}, ${field}`, REBUILD);
  }
  const type = header.readUint16(elf.E_TYPE);
  if (type !== elf.ET_EXEC && type !== elf.ET_DYN) {
    const text = elf.TYPE_NAMES[type] ?? `a file of the unknown type ${type}`;
    return new UserError(`this is ${text}, not a program`, `${name}, e_type`, STATIC);
  }
  const headerBytes = header.readUint16(elf.E_EHSIZE);
  if (headerBytes !== elf.ELF_HEADER_BYTES) {
    return new UserError(
      `the ELF header claims ${headerBytes} bytes instead of 64`,
      `${name}, e_ehsize`,
      REBUILD,
    );
  }
  const entryBytes = header.readUint16(elf.E_PHENTSIZE);
  const count = header.readUint16(elf.E_PHNUM);
  if (count === 0) return new UserError("no program headers", `${name}, e_phnum`, STATIC);
  if (entryBytes !== elf.PROGRAM_HEADER_BYTES) {
    return new UserError(
      `program headers of ${entryBytes} bytes instead of 56`,
      `${name}, e_phentsize`,
      REBUILD,
    );
  }
  if (count > MAX_PROGRAM_HEADERS) {
    return new UserError(
      `${count} program headers, more than ${MAX_PROGRAM_HEADERS}`,
      `${name}, e_phnum`,
      REBUILD,
    );
  }
  return checkTables(header, count, bytes.length, name);
}

function checkTables(header: ByteBuffer, count: number, fileBytes: number, name: string): UserError | null {
  const phoff = u64(header, elf.E_PHOFF);
  if (phoff + BigInt(count * elf.PROGRAM_HEADER_BYTES) > BigInt(fileBytes)) {
    return new UserError(
      `the program headers at offset ${hex(phoff)} reach past the end of the file (${hex(BigInt(fileBytes))})`,
      `${name}, e_phoff`,
      REBUILD,
    );
  }
  const shoff = u64(header, elf.E_SHOFF);
  if (shoff === 0n) return null;
  const sections = header.readUint16(elf.E_SHNUM);
  const sectionBytes = header.readUint16(elf.E_SHENTSIZE);
  if (sections !== 0 && sectionBytes !== elf.SECTION_HEADER_BYTES) {
    return new UserError(
      `section headers of ${sectionBytes} bytes instead of 64`,
      `${name}, e_shentsize`,
      REBUILD,
    );
  }
  if (shoff + BigInt(sections * elf.SECTION_HEADER_BYTES) > BigInt(fileBytes)) {
    return new UserError(
      `the section headers at offset ${hex(shoff)} reach past the end of the file (${hex(BigInt(fileBytes))})`,
      `${name}, e_shoff`,
      REBUILD,
    );
  }
  return null;
}

interface ProgramHeader {
  readonly index: number;
  readonly type: number;
  readonly flags: number;
  readonly offset: bigint;
  readonly va: bigint;
  readonly fileBytes: bigint;
  readonly memoryBytes: bigint;
  readonly align: bigint;
}

/** Reads a file whose ELF header is sound. */
class ElfReader {
  readonly #bytes: Uint8Array;
  readonly #name: string;
  readonly #limits: ElfLimits;
  readonly #header: ByteBuffer;

  constructor(bytes: Uint8Array, name: string, limits: ElfLimits) {
    this.#bytes = bytes;
    this.#name = name;
    this.#limits = limits;
    this.#header = wrap(bytes, bytes[elf.EI_DATA] === elf.ELFDATA2MSB ? "big" : "little");
  }

  read(): ElfImage | UserError {
    const headers = this.#programHeaders();
    const interpreter = headers.find((header) => header.type === elf.PT_INTERP);
    if (interpreter !== undefined) {
      return this.#error(interpreter, "PT_INTERP", "the program is dynamically linked", STATIC);
    }
    const loads = headers.filter((header) => header.type === elf.PT_LOAD);
    for (const header of loads) {
      const error = this.#checkFileRange(header) ?? this.#checkAddresses(header);
      if (error !== null) return error;
    }
    const mapped = loads.filter((header) => header.memoryBytes > 0n).sort((a, b) => (a.va < b.va ? -1 : 1));
    if (mapped.length === 0) {
      return new UserError("no segment to load (PT_LOAD)", `${this.#name}, program headers`, STATIC);
    }
    return this.#checkTogether(mapped) ?? this.#image(headers, mapped);
  }

  #programHeaders(): ProgramHeader[] {
    const start = Number(u64(this.#header, elf.E_PHOFF));
    const count = this.#header.readUint16(elf.E_PHNUM);
    const headers: ProgramHeader[] = [];
    for (let index = 0; index < count; index++) {
      const at = start + index * elf.PROGRAM_HEADER_BYTES;
      headers.push({
        index,
        type: this.#header.readUint32(at + elf.P_TYPE),
        flags: this.#header.readUint32(at + elf.P_FLAGS),
        offset: u64(this.#header, at + elf.P_OFFSET),
        va: u64(this.#header, at + elf.P_VADDR),
        fileBytes: u64(this.#header, at + elf.P_FILESZ),
        memoryBytes: u64(this.#header, at + elf.P_MEMSZ),
        align: u64(this.#header, at + elf.P_ALIGN),
      });
    }
    return headers;
  }

  #checkFileRange(header: ProgramHeader): UserError | null {
    if (header.fileBytes > header.memoryBytes) {
      const text = `${hex(header.fileBytes)} bytes in the file do not fit ${hex(header.memoryBytes)} in memory`;
      return this.#error(header, "p_filesz", text, REBUILD);
    }
    if (header.offset + header.fileBytes > BigInt(this.#bytes.length)) {
      const text = `bytes ${hex(header.offset)} to ${hex(header.offset + header.fileBytes)} reach past the end of the file (${hex(BigInt(this.#bytes.length))})`;
      return this.#error(header, "p_offset", text, REBUILD);
    }
    return null;
  }

  #checkAddresses(header: ProgramHeader): UserError | null {
    const { userEnd, pageBytes, memoryBytes } = this.#limits;
    const end = header.va + header.memoryBytes;
    if (end > TWO_64) {
      const text = `${hex(header.memoryBytes)} bytes at ${hex(header.va)} wrap around the address space`;
      return this.#error(header, "p_memsz", text, REBUILD);
    }
    if (header.va >= userEnd) {
      const kind = header.va >= TWO_64 - userEnd - pageBytes ? "in the kernel's half" : "not a user address";
      return this.#error(header, "p_vaddr", `${hex(header.va)} is ${kind}`, `link below ${hex(userEnd)}`);
    }
    if (end > userEnd) {
      const text = `${hex(header.memoryBytes)} bytes at ${hex(header.va)} end above the user addresses`;
      return this.#error(header, "p_memsz", text, `link below ${hex(userEnd)}`);
    }
    if (header.memoryBytes > memoryBytes) {
      const text = `the segment needs ${hex(header.memoryBytes)} bytes of memory and the machine has ${hex(memoryBytes)}`;
      return this.#error(header, "p_memsz", text, "give the machine more memory (--mem)");
    }
    if (header.align !== 0n && (header.align & (header.align - 1n)) !== 0n) {
      return this.#error(
        header,
        "p_align",
        `the alignment ${hex(header.align)} is not a power of two`,
        REBUILD,
      );
    }
    if (header.align > userEnd) {
      return this.#error(
        header,
        "p_align",
        `no user address is aligned to ${hex(header.align)} bytes`,
        REBUILD,
      );
    }
    if ((header.va - header.offset) % pageBytes !== 0n) {
      const text = `address ${hex(header.va)} and file offset ${hex(header.offset)} differ in their offset in a page`;
      return this.#error(header, "p_offset", text, "link with -z max-page-size=4096");
    }
    return null;
  }

  /** Checks that concern several segments, in ascending order of address. */
  #checkTogether(loads: readonly ProgramHeader[]): UserError | null {
    let total = 0n;
    for (const [position, header] of loads.entries()) {
      total += header.memoryBytes;
      const previous = loads[position - 1];
      if (previous === undefined || previous.va + previous.memoryBytes <= header.va) continue;
      const text = `the segment at ${hex(header.va)} overlaps the one of program header ${previous.index} (${hex(previous.va)} to ${hex(previous.va + previous.memoryBytes)})`;
      return this.#error(header, "p_vaddr", text, REBUILD);
    }
    if (total > this.#limits.memoryBytes) {
      return new UserError(
        `the segments need ${hex(total)} bytes of memory and the machine has ${hex(this.#limits.memoryBytes)}`,
        `${this.#name}, program headers`,
        "give the machine more memory (--mem)",
      );
    }
    const entry = u64(this.#header, elf.E_ENTRY);
    const home = loads.find((header) => entry >= header.va && entry < header.va + header.memoryBytes);
    if (home === undefined) {
      const library = this.#header.readUint16(elf.E_TYPE) === elf.ET_DYN && entry === 0n;
      const text = library
        ? "no entry point: this is a shared library"
        : `the entry point ${hex(entry)} is in no segment`;
      return new UserError(text, `${this.#name}, e_entry`, library ? "give a program" : REBUILD);
    }
    if ((home.flags & elf.PF_X) === 0) {
      const text = `the entry point ${hex(entry)} is in a segment that is not executable`;
      return this.#error(home, "p_flags", text, REBUILD);
    }
    return null;
  }

  #image(headers: readonly ProgramHeader[], loads: readonly ProgramHeader[]): ElfImage {
    const phoff = u64(this.#header, elf.E_PHOFF);
    const phdrHome = loads.find((load) => load.offset <= phoff && phoff < load.offset + load.fileBytes);
    const stack = headers.findLast((header) => header.type === elf.PT_GNU_STACK);
    let alignBytes = this.#limits.pageBytes;
    for (const load of loads) if (load.align > alignBytes) alignBytes = load.align;
    return {
      name: this.#name,
      bytes: this.#bytes,
      machine: this.#header.readUint16(elf.E_MACHINE),
      positionIndependent: this.#header.readUint16(elf.E_TYPE) === elf.ET_DYN,
      entry: virtAddr(u64(this.#header, elf.E_ENTRY)),
      segments: loads.map((load) => ({
        va: virtAddr(load.va),
        memoryBytes: load.memoryBytes,
        fileOffset: Number(load.offset),
        fileBytes: Number(load.fileBytes),
        readable: (load.flags & elf.PF_R) !== 0,
        writable: (load.flags & elf.PF_W) !== 0,
        executable: (load.flags & elf.PF_X) !== 0,
      })),
      alignBytes,
      phdrVa: virtAddr(phdrHome === undefined ? 0n : phoff - phdrHome.offset + phdrHome.va),
      phdrBytes: elf.PROGRAM_HEADER_BYTES,
      phdrCount: headers.length,
      stackExecutable: stack === undefined || (stack.flags & elf.PF_X) !== 0,
    };
  }

  #error(header: ProgramHeader, field: string, what: string, hint: string): UserError {
    return new UserError(what, `${this.#name}, program header ${header.index}, ${field}`, hint);
  }
}

function wrap(bytes: Uint8Array, order: "little" | "big"): ByteBuffer {
  return ByteBuffer.wrap(bytes, order === "little");
}

function u64(buffer: ByteBuffer, offset: number): bigint {
  const value = buffer.readUint64(offset);
  return (BigInt(value.getHighBitsUnsigned()) << 32n) | BigInt(value.getLowBitsUnsigned());
}

function machineName(machine: number): string {
  return elf.MACHINE_NAMES[machine] ?? `the unknown machine ${machine}`;
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
