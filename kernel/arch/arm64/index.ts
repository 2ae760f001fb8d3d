/** arm64: the architecture's port, put together for one machine. */
import type { Aarch64Cpu, Platform } from "../../../emu/hardware.ts";
import type { ArchClasses } from "../index.ts";
import type { ArchPort } from "../port.ts";
import { Arm64Entry } from "./entry.ts";
import { memoryAbort } from "./fault.ts";
import { Arm64Mmu } from "./mmu.ts";
import { Arm64Process } from "./process.ts";
import { textPages } from "./stubs.ts";

export function arm64Port(platform: Platform, classes: ArchClasses = {}): ArchPort {
  const mmu = new Arm64Mmu({
    kernelPages: textPages(),
    ...(platform.firmware["asidBits"] === undefined ? {} : { asidBits: platform.firmware["asidBits"] }),
    ...(classes.arm64Tlb === undefined ? {} : { tlbClass: classes.arm64Tlb }),
    ...(classes.arm64Asids === undefined ? {} : { asidsClass: classes.arm64Asids }),
  });
  return {
    name: "aarch64",
    entry: new Arm64Entry(platform, {
      abort: memoryAbort,
      setUpTranslation: (cpu: Aarch64Cpu) => mmu.setUpCore(cpu),
    }),
    mmu,
    process: new Arm64Process(platform),
  };
}
