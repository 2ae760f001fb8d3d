/**
 * The signal trampoline of the vDSO (arch/arm64/kernel/vdso/sigreturn.S): what a handler without SA_RESTORER returns to.
 *
 * Simplification: the page holds the trampoline and nothing else; it is no ELF object, so AT_SYSINFO_EHDR is not given, and
 * there is no [vvar] before it.
 */

/** `mov x8, #139; svc #0`: rt_sigreturn(). */
export const TRAMPOLINE_CODE: Uint8Array = Uint8Array.of(0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4);
