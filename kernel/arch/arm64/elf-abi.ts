/**
 * What the ABI of arm64 says about programs: machine number and places of stack and program (arch/arm64/include/asm/elf.h,
 * asm/processor.h, 48-bit addresses).
 */
export const EM_AARCH64 = 183;
export const ELF_PLATFORM = "aarch64";
/** STACK_TOP_MAX: the end of TTBR0_EL1's half (DEFAULT_MAP_WINDOW_64). */
export const STACK_TOP_VPN: number = 2 ** 36;
/** ELF_ET_DYN_BASE: two thirds of it. */
export const ET_DYN_BASE_VPN: number = Math.floor((STACK_TOP_VPN * 2) / 3);
/** Flags of open() that are the architecture's own (arch/arm64/include/uapi/asm/fcntl.h). */
export const O_DIRECTORY = 0o40000;
export const O_NOFOLLOW = 0o100000;
