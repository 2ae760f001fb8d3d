/**
 * The symbol table of a program file: names to addresses, and addresses to names. System V ABI, generic part (gABI),
 * chapter 4 "Sections" and "Symbol Table". Only what lies at an address counts: functions, objects, and labels of a
 * section; sections, files and undefined symbols are left out.
 */
import type ByteBuffer from "bytebuffer";
import { type VirtAddr, virtAddr } from "../../mmu/index.ts";
import { UserError } from "../user-error.ts";
import type { ElfImage } from "./elf.ts";
import * as elf from "./elf-format.ts";
import { hex, REBUILD, u64, wrap } from "./elf-header.ts";

export interface ElfSymbol {
  readonly name: string;
  readonly va: VirtAddr;
  /** 0: not said. */
  readonly sizeBytes: number;
  readonly kind: "function" | "object" | "label";
}

/** A place in the program: `offset` bytes behind the symbol's start. */
export interface SymbolPlace {
  readonly symbol: ElfSymbol;
  readonly offset: number;
}

/** Symbols that a file may have at most. */
const MAX_SYMBOLS = 2 ** 20;

export class SymbolTable {
  /** In ascending order of address; of one address, labels come first, so that names with a size win. */
  readonly #sorted: readonly ElfSymbol[];
  readonly #byName: ReadonlyMap<string, ElfSymbol>;

  constructor(symbols: readonly ElfSymbol[]) {
    this.#sorted = [...symbols].sort(byAddress);
    const byName = new Map<string, ElfSymbol>();
    for (const symbol of symbols) if (!byName.has(symbol.name)) byName.set(symbol.name, symbol);
    this.#byName = byName;
  }

  /** All symbols, in ascending order of address. */
  get symbols(): readonly ElfSymbol[] {
    return this.#sorted;
  }

  /** A symbol by name; of several local ones with one name the first of the file. */
  find(name: string): ElfSymbol | null {
    return this.#byName.get(name) ?? null;
  }

  /** The symbol that an address lies in: with its size if it has one, else up to the next symbol. */
  at(va: bigint): SymbolPlace | null {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]!.va <= va) low = middle + 1;
      else high = middle;
    }
    const symbol = this.#sorted[low - 1];
    if (symbol === undefined) return null;
    const offset = va - symbol.va;
    const end = symbol.sizeBytes === 0 ? this.#sorted[low]?.va : symbol.va + BigInt(symbol.sizeBytes);
    if (end === undefined ? offset > 0n : va >= end && offset > 0n) return null;
    return { symbol, offset: Number(offset) };
  }

  /** `name+0x10`, `name`, or null: how messages write an address. */
  describe(va: bigint): string | null {
    const place = this.at(va);
    if (place === null) return null;
    return place.offset === 0 ? place.symbol.name : `${place.symbol.name}+0x${place.offset.toString(16)}`;
  }
}

/** Reads .symtab; a stripped file has an empty table. @param image of parseElf(), so its section headers lie in the file */
export function readSymbols(image: ElfImage): SymbolTable | UserError {
  const { bytes, name } = image;
  const buffer = wrap(bytes, bytes[elf.EI_DATA] === elf.ELFDATA2MSB ? "big" : "little");
  const sections = sectionHeaders(buffer);
  const table = sections.find((section) => section.type === elf.SHT_SYMTAB);
  if (table === undefined) return new SymbolTable([]);
  const strings = sections[table.link];
  if (strings?.type !== elf.SHT_STRTAB) {
    return new UserError("the symbol table names no string table", `${name}, sh_link`, REBUILD);
  }
  for (const section of [table, strings]) {
    if (section.offset + section.sizeBytes > BigInt(bytes.length)) {
      const text = `the symbols at offset ${hex(section.offset)} reach past the end of the file (${hex(BigInt(bytes.length))})`;
      return new UserError(text, `${name}, section headers`, REBUILD);
    }
  }
  if (table.entryBytes !== BigInt(elf.SYMBOL_BYTES)) {
    return new UserError(
      `symbols of ${table.entryBytes} bytes instead of ${elf.SYMBOL_BYTES}`,
      `${name}, sh_entsize`,
      REBUILD,
    );
  }
  const count = Number(table.sizeBytes) / elf.SYMBOL_BYTES;
  if (count > MAX_SYMBOLS) {
    return new UserError(`${count} symbols, more than ${MAX_SYMBOLS}`, `${name}, sh_size`, REBUILD);
  }
  const symbols: ElfSymbol[] = [];
  for (let index = 1; index < count; index++) {
    const symbol = readSymbol(buffer, Number(table.offset) + index * elf.SYMBOL_BYTES, bytes, strings);
    if (symbol !== null) symbols.push(symbol);
  }
  return new SymbolTable(symbols);
}

interface Section {
  readonly type: number;
  readonly link: number;
  readonly offset: bigint;
  readonly sizeBytes: bigint;
  readonly entryBytes: bigint;
}

function sectionHeaders(buffer: ByteBuffer): Section[] {
  const start = Number(u64(buffer, elf.E_SHOFF));
  const count = start === 0 ? 0 : buffer.readUint16(elf.E_SHNUM);
  return Array.from({ length: count }, (_, index) => {
    const at = start + index * elf.SECTION_HEADER_BYTES;
    return {
      type: buffer.readUint32(at + elf.SH_TYPE),
      link: buffer.readUint32(at + elf.SH_LINK),
      offset: u64(buffer, at + elf.SH_OFFSET),
      sizeBytes: u64(buffer, at + elf.SH_SIZE),
      entryBytes: u64(buffer, at + elf.SH_ENTSIZE),
    };
  });
}

const KINDS: Readonly<Record<number, ElfSymbol["kind"]>> = {
  [elf.STT_NOTYPE]: "label",
  [elf.STT_OBJECT]: "object",
  [elf.STT_FUNC]: "function",
};

/** null: nothing that lies at an address. */
function readSymbol(buffer: ByteBuffer, at: number, bytes: Uint8Array, strings: Section): ElfSymbol | null {
  const kind = KINDS[buffer.readUint8(at + elf.ST_INFO) & 15];
  const section = buffer.readUint16(at + elf.ST_SHNDX);
  const name = readName(bytes, strings, buffer.readUint32(at + elf.ST_NAME));
  if (kind === undefined || section === elf.SHN_UNDEF || section === elf.SHN_ABS || name === "") return null;
  return {
    name,
    va: virtAddr(u64(buffer, at + elf.ST_VALUE)),
    sizeBytes: Number(u64(buffer, at + elf.ST_SIZE)),
    kind,
  };
}

/** A string of the table; one that begins outside is empty, one without end goes on to the table's end. */
function readName(bytes: Uint8Array, strings: Section, offset: number): string {
  const start = Number(strings.offset) + offset;
  const limit = Number(strings.offset + strings.sizeBytes);
  if (start >= limit) return "";
  const zero = bytes.indexOf(0, start);
  return new TextDecoder().decode(bytes.subarray(start, zero < 0 || zero > limit ? limit : zero));
}

function byAddress(a: ElfSymbol, b: ElfSymbol): number {
  if (a.va !== b.va) return a.va < b.va ? -1 : 1;
  return a.sizeBytes - b.sizeBytes;
}
