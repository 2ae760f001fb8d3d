/** The architectures that the kernel runs on, by the name that machines carry. */
import type { Platform } from "../../emu/hardware.ts";
import type { ArchPort } from "./port.ts";
import { x86Port } from "./x86/index.ts";

export const ARCHITECTURES: ReadonlyMap<string, (platform: Platform) => ArchPort> = new Map([
  ["x86-64", x86Port],
]);
