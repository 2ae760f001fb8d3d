/** The ELF header: what kind of file this is, and whether its tables lie inside it. gABI chapter 4, "ELF Header". */
import ByteBuffer from "bytebuffer";
import { UserError } from "../user-error.ts";
import * as elf from "./elf-format.ts";

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

/** Program headers that the loader reads at most; Linux reads 64 KiB of them. */
const MAX_PROGRAM_HEADERS = Math.floor(65536 / elf.PROGRAM_HEADER_BYTES);

/** What to do about common mistakes. */
export const STATIC = "link the program statically (gcc -static)";
export const REBUILD = "build or copy the file again";

/** The first thing that is wrong with a file's header, or null. @param name what messages call the file */
export function checkHeader(bytes: Uint8Array, name: string, limits: ElfLimits): UserError | null {
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
  return checkKind(bytes, header, name);
}

function checkKind(bytes: Uint8Array, header: ByteBuffer, name: string): UserError | null {
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

export function wrap(bytes: Uint8Array, order: "little" | "big"): ByteBuffer {
  return ByteBuffer.wrap(bytes, order === "little");
}

/** A 64-bit field. */
export function u64(buffer: ByteBuffer, offset: number): bigint {
  const value = buffer.readUint64(offset);
  return (BigInt(value.getHighBitsUnsigned()) << 32n) | BigInt(value.getLowBitsUnsigned());
}

function machineName(machine: number): string {
  return elf.MACHINE_NAMES[machine] ?? `the unknown machine ${machine}`;
}

export function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
