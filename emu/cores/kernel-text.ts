/** Where kernel text leads: pages of stubs of STUB_BYTES, numbered from 0 through adjacent frames. */
import { FAST_ADDEND, FAST_EXEC, fastIndex, SUPERVISOR, type TranslationUnit } from "../../mmu/index.ts";
import { STUB_BYTES } from "../hardware.ts";

/** Number of the stub at an address that has just been fetched at kernel privilege. */
export function stubAt(
  mmu: TranslationUnit,
  pcLo: number,
  pcHi: number,
  isKernelText: (frame: number) => boolean,
): number {
  const { fast } = mmu;
  const at = fastIndex(pcLo, SUPERVISOR);
  const hit = fast[at + FAST_EXEC] === (pcLo & ~0xfff) && fast[at + FAST_EXEC + 1] === pcHi;
  const pa = hit ? (pcLo + fast[at + FAST_ADDEND]!) >>> 0 : mmu.probe(pcLo, pcHi);
  let first = Math.floor(pa / 4096);
  while (first > 0 && isKernelText(first - 1)) first--;
  return Math.floor((pa - first * 4096) / STUB_BYTES);
}
