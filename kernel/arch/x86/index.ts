/** x86-64: the architecture's port, put together for one machine. */
import type { Platform } from "../../../emu/hardware.ts";
import type { ArchClasses } from "../index.ts";
import type { ArchPort } from "../port.ts";
import { X86Entry } from "./entry.ts";
import { pageFault } from "./fault.ts";
import { X86Mmu } from "./mmu.ts";
import { X86Process } from "./process.ts";
import { TLB_NR_DYN_ASIDS, X86Tlb } from "./tlb.ts";

export function x86Port(platform: Platform, classes: ArchClasses = {}): ArchPort {
  const pagingLevels = platform.firmware["pagingLevels"] === 5 ? 5 : 4;
  return {
    name: "x86-64",
    entry: new X86Entry(platform, { pagingLevels, pageFault }),
    mmu: new X86Mmu({
      levels: pagingLevels,
      pcid: "pcid",
      pkeys: "pkeys",
      contextSlots: platform.firmware["contextSlots"] ?? TLB_NR_DYN_ASIDS,
      tlbClass: classes.x86Tlb ?? X86Tlb,
    }),
    process: new X86Process(),
  };
}
