/**
 * What the ABI of x86-64 says about programs: machine number, auxiliary vector values, places of stack and program
 * (System V ABI, AMD64 supplement, "Process Initialization"; arch/x86/include/asm/elf.h, asm/processor.h).
 */
export const EM_X86_64 = 62;
export const ELF_PLATFORM = "x86_64";
/** AT_HWCAP: EDX of CPUID leaf 1: PSE, TSC, MSR, PAE, CX8, APIC, PGE, CMOV, PAT, CLFSH. */
export const ELF_HWCAP = 0x9_a378;
/** AT_HWCAP2: HWCAP2_FSGSBASE, user mode may write its segment bases. */
export const ELF_HWCAP2 = 2;
/** STACK_TOP: the end of the 47-bit user half, whose last page is never mapped. */
export const STACK_TOP_VPN: number = 2 ** 35 - 1;
/** ELF_ET_DYN_BASE: two thirds of the 47-bit user half. */
export const ET_DYN_BASE_VPN: number = Math.floor((STACK_TOP_VPN / 3) * 2);
/** Flags of open() that are the architecture's own (asm-generic/fcntl.h, which x86-64 takes as it is). */
export const O_DIRECTORY = 0o200000;
export const O_NOFOLLOW = 0o400000;
