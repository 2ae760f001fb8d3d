/**
 * Constants of ELF64 files: System V ABI, generic part (gABI), chapter 4 "Object Files" and chapter 5 "Program
 * Loading"; machine numbers from the registry that accompanies it. Offsets are bytes from the start of a header.
 */
export const ELF_MAGIC: readonly number[] = [0x7f, 0x45, 0x4c, 0x46];

export const EI_CLASS = 4;
export const EI_DATA = 5;
export const EI_VERSION = 6;
export const ELFCLASS64 = 2;
export const ELFDATA2LSB = 1;
export const ELFDATA2MSB = 2;
export const EV_CURRENT = 1;

export const E_TYPE = 16;
export const E_MACHINE = 18;
export const E_VERSION = 20;
export const E_ENTRY = 24;
export const E_PHOFF = 32;
export const E_SHOFF = 40;
export const E_EHSIZE = 52;
export const E_PHENTSIZE = 54;
export const E_PHNUM = 56;
export const E_SHENTSIZE = 58;
export const E_SHNUM = 60;
export const ELF_HEADER_BYTES = 64;

export const ET_EXEC = 2;
export const ET_DYN = 3;
export const TYPE_NAMES: Readonly<Record<number, string>> = {
  0: "a file of no type",
  1: "a relocatable object file",
  4: "a core dump",
};

export const P_TYPE = 0;
export const P_FLAGS = 4;
export const P_OFFSET = 8;
export const P_VADDR = 16;
export const P_FILESZ = 32;
export const P_MEMSZ = 40;
export const P_ALIGN = 48;
export const PROGRAM_HEADER_BYTES = 56;
export const SECTION_HEADER_BYTES = 64;

export const SH_TYPE = 4;
export const SH_OFFSET = 24;
export const SH_SIZE = 32;
export const SH_LINK = 40;
export const SH_ENTSIZE = 56;
export const SHT_SYMTAB = 2;
export const SHT_STRTAB = 3;

export const ST_NAME = 0;
export const ST_INFO = 4;
export const ST_SHNDX = 6;
export const ST_VALUE = 8;
export const ST_SIZE = 16;
export const SYMBOL_BYTES = 24;
export const SHN_UNDEF = 0;
export const SHN_ABS = 0xfff1;
export const STT_NOTYPE = 0;
export const STT_OBJECT = 1;
export const STT_FUNC = 2;

export const PT_LOAD = 1;
export const PT_INTERP = 3;
export const PT_GNU_STACK = 0x6474_e551;

export const PF_X = 1;
export const PF_W = 2;
export const PF_R = 4;

/** e_machine values that messages can name. */
export const MACHINE_NAMES: Readonly<Record<number, string>> = {
  2: "SPARC",
  3: "i386",
  8: "MIPS",
  20: "PowerPC",
  21: "PowerPC64",
  22: "S390",
  40: "ARM",
  43: "SPARC V9",
  62: "x86-64",
  183: "AArch64",
  243: "RISC-V",
  258: "LoongArch",
};
