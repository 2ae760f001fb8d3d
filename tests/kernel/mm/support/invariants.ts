/** The oracle's check of an address space, as the tests of kernel/mm use it. */
import type { Memory } from "../../../../kernel/mm/memory.ts";
import type { KPtr } from "../../../../kernel/struct.ts";
import { brokenAddressSpace } from "../../../../stress/oracle/address-space.ts";

/** The first violation as a text, or null. */
export function brokenInvariant(m: Memory, mm: KPtr): string | null {
  return brokenAddressSpace(m, mm)?.text ?? null;
}
