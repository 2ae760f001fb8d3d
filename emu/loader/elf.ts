/**
 * Reads a static ELF64 program: what to map where, and where it starts. System V ABI, generic part, chapter 5
 * "Program Loading". Everything in the file is untrusted; whatever is wrong with it is answered by one UserError and
 * nothing is mapped before the whole file was checked. Where Linux's loader (fs/binfmt_elf.c) is more lenient only
 * by accident (overlapping segments, an entry point in no segment), this one refuses the file.
 *
 * Simplification: no program interpreter, so dynamically linked programs are refused.
 */
import type ByteBuffer from "bytebuffer";
import { type VirtAddr, virtAddr } from "../../mmu/index.ts";
import { UserError } from "../user-error.ts";
import * as elf from "./elf-format.ts";
import { checkHeader, type ElfLimits, hex, REBUILD, STATIC, u64, wrap } from "./elf-header.ts";

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

const TWO_64 = 1n << 64n;

/** Parses a program file. @param name what messages call the file */
export function parseElf(bytes: Uint8Array, name: string, limits: ElfLimits): ElfImage | UserError {
  const error = checkHeader(bytes, name, limits);
  if (error !== null) return error;
  return new ElfReader(bytes, name, limits).read();
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
