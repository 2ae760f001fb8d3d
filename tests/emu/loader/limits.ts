import type { ElfLimits } from "../../../emu/loader/index.ts";

/** An x86-64 machine with four-level paging; the last page of the user half is never mapped. */
export function x86Limits(memoryBytes: number): ElfLimits {
  return {
    machines: new Map([[62, "little"]]),
    userEnd: 0x7fff_ffff_f000n,
    pageBytes: 4096n,
    memoryBytes: BigInt(memoryBytes),
  };
}

/** An AArch64 machine with 48-bit addresses and pages of 4 KiB. */
export function aarch64Limits(memoryBytes: number): ElfLimits {
  return {
    machines: new Map([[183, "little"]]),
    userEnd: 1n << 48n,
    pageBytes: 4096n,
    memoryBytes: BigInt(memoryBytes),
  };
}
