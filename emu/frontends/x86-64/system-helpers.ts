/**
 * System instructions that the lifters hand to the core (`exit.helper`): number, name, and what `a` and `b` hold. PC is
 * the following instruction when the helper runs. Helpers check privilege and raise the manual's faults as faults of
 * their own instruction; everything that IR can do (loads, checks without tables, register moves) is already done.
 * Semantics: Intel SDM Vol. 2, the instruction of that name.
 *
 * Operand words: `register | bits << 8` names a destination register and the width of its write (32 zero-extends).
 */
export const SYSTEM_HELPERS = {
  /** UD2 in kernel text at CPL 0; elsewhere in that page #UD. */
  KERNEL_ENTER: 0,
  /** STI or POPF set IF, or POPF changed TF, AC, ...: the system flags are already written. */
  FLAGS_CHANGED: 1,
  PAUSE: 2,
  /** #GP(0) unless CPL is 0. */
  HLT: 3,
  /** RCX and R11 are written; masks RFLAGS by FMASK, loads CS, SS and CPL, PC from LSTAR. */
  SYSCALL: 4,
  /** a: 64 (REX.W) or 32. RCX, R11 and STAR give the target. */
  SYSRET: 5,
  /** a: operand size 16, 32 or 64. The frame is at RSP. */
  IRET: 6,
  /** INT n and INT3: a is the vector; gate privilege is checked, RFLAGS.RF is not set. */
  SOFTWARE_INTERRUPT: 7,
  CPUID: 8,
  RDTSC: 9,
  RDTSCP: 10,
  RDPMC: 11,
  RDMSR: 12,
  WRMSR: 13,
  /** a: value; b: number of the control register. */
  WRITE_CR: 14,
  /** a: debug register number | destination register << 8. */
  READ_DR: 15,
  /** a: value; b: number of the debug register. */
  WRITE_DR: 16,
  /** a: limit; b: base. */
  LGDT: 17,
  LIDT: 18,
  /** a: selector. */
  LLDT: 19,
  LTR: 20,
  /** a: value (16 bits). */
  LMSW: 21,
  /** a: selector; b: destination `register | bits << 8`. ZF, and the register if ZF. */
  LAR: 22,
  LSL: 23,
  /** a: selector. ZF. */
  VERR: 24,
  VERW: 25,
  /** MOV to a segment register: a: segment number; b: selector. MOV SS opens the interrupt shadow. */
  LOAD_SEGMENT: 26,
  /** POP FS, POP GS: a: segment number | bytes to add to RSP on success << 8; b: selector. */
  POP_SEGMENT: 27,
  /** LSS, LFS, LGS: a: selector | segment << 16 | register << 24 | bits << 32; b: offset. */
  LOAD_FAR_POINTER: 28,
  /** a: selector; b: offset. */
  FAR_JUMP: 29,
  /** a: selector | operand size << 16; b: offset. */
  FAR_CALL: 30,
  /** a: operand size; b: bytes to release. */
  FAR_RETURN: 31,
  /** a: linear address. */
  INVLPG: 32,
  /** a: linear address of the descriptor; b: PCID | type << 12. Reserved bits and type are checked. */
  INVPCID: 33,
  /** a: value. CR4.PKE and ECX, EDX are checked. */
  WRPKRU: 34,
  /** WRFSBASE, WRGSBASE: a: value; b: 4 (FS) or 5 (GS). CR4.FSGSBASE is checked; the helper checks that it is canonical. */
  WRITE_BASE: 35,
  /** a: port; b: width in bits. The value goes to AL, AX or EAX. */
  IN: 36,
  /** a: port | width << 16; b: value. */
  OUT: 37,
  /** INS, OUTS: a: width in bits | (1 OUTS) << 8 | (address size) << 16 | segment << 24 (FS 4, GS 5, else 0); b: 1 with REP. */
  STRING_IO: 38,
} as const;

export type SystemHelper = keyof typeof SYSTEM_HELPERS;

const NAMES = Object.keys(SYSTEM_HELPERS) as readonly SystemHelper[];

/** Name of a helper number. @throws Error for a number that no lifter emits */
export function systemHelperName(number: number): SystemHelper {
  const name = NAMES[number];
  if (name === undefined || SYSTEM_HELPERS[name] !== number)
    throw new Error(`there is no system helper ${number}`);
  return name;
}
