/** The architectures that the kernel runs on, by the name that machines carry. */
import type { Platform } from "../../emu/hardware.ts";
import type { AsidsClass } from "./arm64/asid.ts";
import { arm64Port } from "./arm64/index.ts";
import type { Arm64TlbClass } from "./arm64/tlb.ts";
import type { ArchPort } from "./port.ts";
import { x86Port } from "./x86/index.ts";
import type { X86TlbClass } from "./x86/tlb.ts";

/** Classes of an architecture that a variant of the kernel replaces by subclasses. */
export interface ArchClasses {
  readonly x86Tlb?: X86TlbClass;
  readonly arm64Tlb?: Arm64TlbClass;
  readonly arm64Asids?: AsidsClass;
}

export const ARCHITECTURES: ReadonlyMap<string, (platform: Platform, classes?: ArchClasses) => ArchPort> =
  new Map([
    ["x86-64", x86Port],
    ["aarch64", arm64Port],
  ]);
