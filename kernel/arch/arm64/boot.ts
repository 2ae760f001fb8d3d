/**
 * Start-up: memory of the cores' own structures, the boot core, PSCI CPU_ON for the others, the first task
 * (arch/arm64/kernel/head.S, setup.c, smp.c, psci.c, init/main.c).
 *
 * The boot loader's work and what head.S does before the MMU is on are done before the first instruction. A secondary core
 * starts as firmware leaves it, at EL1 with the MMU off, at the physical address of `secondary_entry`.
 */
import type { Aarch64Cpu } from "../../../emu/hardware.ts";
import type { Context, Work } from "../../context.ts";
import { COST_ACCESS, COST_IRQ_MASK, COST_STEP } from "../../costs.ts";
import { CrossCalls } from "../../cross-call.ts";
import type { Kernel } from "../../kernel.ts";
import { PERCPU, percpuOf } from "../../percpu.ts";
import { KERNEL_STACK_BYTES, Task, wakeUpNewTask } from "../../sched/index.ts";
import { type I32Field, type KPtr, kptrOf, NULL } from "../../struct.ts";
import { hwcapOf, idField } from "./cpu-features.ts";
import { setUpGic } from "./gic.ts";
import {
  SCTLR_C,
  SCTLR_DZE,
  SCTLR_EIS,
  SCTLR_EOS,
  SCTLR_I,
  SCTLR_LSMAOE,
  SCTLR_M,
  SCTLR_nTLSMD,
  SCTLR_nTWE,
  SCTLR_SA,
  SCTLR_SA0,
  SCTLR_SED,
  SCTLR_TSCXT,
  SCTLR_UCI,
  SCTLR_UCT,
} from "./registers.ts";
import {
  STUB_BOOT,
  STUB_RESUME,
  STUB_SECONDARY,
  stubLo,
  stubPa,
  TEXT_FRAMES,
  TEXT_HI,
  TEXT_LO,
  TEXT_PA,
  writeText,
} from "./stubs.ts";
import { counterFrequency, setUpTimer } from "./timer.ts";

/** PAGE_OFFSET of 48-bit addresses: all RAM is mapped from here on. High half. */
export const DIRECT_MAP_HI: number = 0xffff_0000 | 0;

/** PSCI functions, SMC64 (DEN 0022). */
const PSCI_VERSION: number = 0x8400_0000 | 0;
const PSCI_CPU_ON: number = 0xc400_0003 | 0;

/**
 * INIT_SCTLR_EL1_MMU_ON without SPAN: taking an exception sets PAN (cpu_enable_pan()). User mode may read CTR_EL0, maintain
 * caches and execute WFE; WFI is trapped.
 */
const SCTLR: number =
  SCTLR_M |
  SCTLR_C |
  SCTLR_I |
  SCTLR_SA |
  SCTLR_SA0 |
  SCTLR_SED |
  SCTLR_DZE |
  SCTLR_UCT |
  SCTLR_nTWE |
  SCTLR_UCI |
  SCTLR_LSMAOE |
  SCTLR_nTLSMD |
  SCTLR_EIS |
  SCTLR_TSCXT |
  SCTLR_EOS;

/** Capabilities that the log names, by bit of AT_HWCAP. */
const NAMED_FEATURES: readonly (readonly [bit: number, text: string])[] = [
  [7, "CRC32 instructions"],
  [24, "Data independent timing control (DIT)"],
  [8, "LSE atomic instructions"],
  [28, "Speculative Store Bypassing Safe (SSBS)"],
];

/** 1 once the core executes kernel code. */
const cpuOnline: I32Field = PERCPU.i32("cpu_online", "marked");

/** Where the structures of the cores lie: the stacks of their idle tasks (low ends). */
export interface BootAreas {
  readonly idleStacks: readonly number[];
}

/** Translation registers of a starting core, MMU off. */
export type SetUpTranslation = (cpu: Aarch64Cpu) => void;

/** Source of zeroed memory that is never given back. */
interface BootSource {
  take(lengthBytes: number, alignBytes: number): number;
}

/** Takes and fills the areas; the text lies at a fixed place. Called while memory is being laid out. */
export function takeBootAreas(kernel: Kernel, boot: BootSource): BootAreas {
  const { ram, platform } = kernel;
  const count = platform.cpus.length;
  ram.directMapHi = DIRECT_MAP_HI;
  writeText(ram, TEXT_PA);
  platform.setKernelText(TEXT_PA / 4096, TEXT_FRAMES);
  const idleStacks = platform.cpus.map(() => boot.take(KERNEL_STACK_BYTES, 4096));
  kernel.crossCalls.initialize(boot.take(CrossCalls.bytes(count), 4096), count);
  return { idleStacks };
}

/** Makes the idle tasks and sets the boot core to the boot stub, in the state in which head.S enters start_kernel(). */
export function startBootCore(kernel: Kernel, areas: BootAreas, setUpTranslation: SetUpTranslation): void {
  const { ram, platform } = kernel;
  for (const cpu of platform.cpus) {
    const idle = new Task(kernel, {
      pid: 0,
      tgid: 0,
      stack: kptrOf(areas.idleStacks[cpu.id]!),
      cpu,
      comm: `swapper/${cpu.id}`,
      kind: "idle",
    });
    idle.activeMm = kernel.memory.initMm;
    kernel.sched.addCore(idle);
    kernel.current.push(idle.context);
    kernel.memory.grabMm(idle.context, kernel.memory.initMm);
  }
  const boot = platform.cpus[0] as Aarch64Cpu;
  setUpCore(kernel, boot, setUpTranslation);
  boot.setKernelPc(stubLo(STUB_BOOT), TEXT_HI);
  kernel.sched.online.add(0);
  cpuOnline.set(ram, percpuOf(kernel, 0), 1);
}

/** The boot core has executed the boot stub: start_kernel() is what its idle task does first. */
export function enterBootCore(kernel: Kernel): void {
  const k = kernel.current[0]!;
  k.push(startKernel(k), 0);
}

/** A secondary core has executed its first stub, untranslated: secondary_start_kernel(). It becomes idle at once. */
export function enterSecondary(kernel: Kernel, cpu: Aarch64Cpu, setUpTranslation: SetUpTranslation): void {
  setUpCore(kernel, cpu, setUpTranslation);
  cpu.setKernelPc(stubLo(STUB_RESUME), TEXT_HI);
  kernel.printk(`Detected PIPT I-cache on CPU${cpu.id}`);
  kernel.printk(`CPU${cpu.id}: Booted secondary processor 0x${affinityText(cpu)} [${midrText(cpu)}]`);
  kernel.sched.online.add(cpu.id);
  cpuOnline.set(kernel.ram, percpuOf(kernel, cpu.id), 1);
}

/** cpu_psci_cpu_boot(), then __cpu_up() waits until the core says that it is there. */
export function* startSecondary(k: Context, target: number): Work {
  const { kernel, ram } = k;
  const cpu = k.cpu as Aarch64Cpu;
  const core = kernel.platform.cpus[target] as Aarch64Cpu;
  if (k.point(COST_STEP)) yield;
  const entry = stubPa(STUB_SECONDARY);
  const affinity = core.mrsLo("MPIDR_EL1") & 0xff_ffff;
  const status = cpu.psci(PSCI_CPU_ON, [affinity, entry, 0], [core.mrsHi("MPIDR_EL1") & 0xff, 0, 0]);
  if (status !== 0) {
    kernel.printk(`psci: failed to boot CPU${target} (${status})`);
    kernel.panic(k, `CPU${target} failed to boot`);
    for (;;) yield;
  }
  const online = cpuOnline.at(percpuOf(kernel, target));
  for (;;) {
    if (k.point(COST_ACCESS)) yield;
    if (ram.read32(online) !== 0) break;
    k.cpu.waitForWord(online);
    yield;
  }
}

/** __cpu_setup(), __enable_mmu(), the CPU interface and the timer; SP_EL1 is the idle task's stack. */
function setUpCore(kernel: Kernel, cpu: Aarch64Cpu, setUpTranslation: SetUpTranslation): void {
  cpu.msr("CPACR_EL1", 0, 0);
  // The OS Lock is open: debug exceptions are what MDSCR_EL1 says, and that is none.
  cpu.msr("OSLAR_EL1", 0, 0);
  cpu.msr("MDSCR_EL1", 0, 0);
  setUpTranslation(cpu);
  cpu.msr("VBAR_EL1", TEXT_LO, TEXT_HI);
  cpu.msr("SCTLR_EL1", SCTLR, 0);
  cpu.isb();
  cpu.setPan(1);
  cpu.msr("TPIDR_EL1", percpuOf(kernel, cpu.id) | 0, DIRECT_MAP_HI);
  cpu.writeSp(1, kernel.current[cpu.id]!.task!.stackTop | 0, DIRECT_MAP_HI);
  setUpGic(cpu);
  setUpTimer(cpu);
}

/** start_kernel() and rest_init(), in the idle task of the boot core. */
function* startKernel(k: Context): Work {
  const { kernel } = k;
  const { platform, options } = kernel;
  const cores = platform.cpus.length;
  announce(kernel, k.cpu as Aarch64Cpu);
  k.cpu.setInterruptsEnabled(true);
  if (k.point(COST_IRQ_MASK)) yield;
  if (cores > 1) {
    kernel.printk("smp: Bringing up secondary CPUs ...");
    for (let cpu = 1; cpu < cores; cpu++) yield* kernel.arch.entry.startSecondary(k, cpu);
  }
  kernel.printk(`smp: Brought up 1 node, ${cores} CPU${cores === 1 ? "" : "s"}`);
  kernel.printk(`SMP: Total of ${cores} processors activated.`);
  for (const line of featureLines(k.cpu as Aarch64Cpu)) kernel.printk(line);
  kernel.printk("CPU: All CPU(s) started at EL1");
  const stack: KPtr = yield* kernel.memory.allocStack(k);
  if (stack === NULL) {
    kernel.panic(k, "no memory for the first task");
    for (;;) yield;
  }
  const pid = kernel.sched.allocPid();
  const init = kernel.sched.newTask({ pid, tgid: pid, stack, cpu: 0, comm: "init" });
  init.started = true;
  init.context.push(kernel.process.startInit(init.context), 0);
  kernel.printk(`Run ${options.init.argv[0] ?? "init"} as init process`);
  wakeUpNewTask(k, init);
}

/** What the log says before the other cores are started. */
function announce(kernel: Kernel, cpu: Aarch64Cpu): void {
  const { platform, options } = kernel;
  const version = cpu.psci(PSCI_VERSION, [0, 0, 0], [0, 0, 0]);
  const megahertz = (counterFrequency(cpu) / 1e6).toFixed(2);
  kernel.printk(`Booting Faultline on physical CPU 0x${affinityText(cpu)} [${midrText(cpu)}]`);
  kernel.printk(`Faultline kernel (aarch64) #1 SMP, fault design ${options.design}`);
  kernel.printk(`psci: PSCIv${version >>> 16}.${version & 0xffff} detected in firmware.`);
  kernel.printk("Detected PIPT I-cache on CPU0");
  kernel.printk(`Memory: ${kernel.ram.sizeBytes / 1024}K RAM, ${platform.cpus.length} CPUs possible`);
  kernel.printk("GICv3: CPU interface through system registers, EOImode 0");
  kernel.printk(`arch_timer: cp15 timer(s) running at ${megahertz}MHz (virt).`);
}

/** setup_system_capabilities(): one line per feature that is used. */
function featureLines(cpu: Aarch64Cpu): string[] {
  const hwcap = hwcapOf(cpu, 1);
  const lines = NAMED_FEATURES.filter(([bit]) => ((hwcap >>> bit) & 1) !== 0).map(([, text]) => text);
  lines.push("Privileged Access Never");
  if (idField(cpu, "ID_AA64MMFR1_EL1", 0) >= 2) lines.push("Hardware dirty bit management");
  if (idField(cpu, "ID_AA64ISAR0_EL1", 56) >= 2) lines.push("TLB range maintenance instructions");
  return lines.map((text) => `CPU features: detected: ${text}`);
}

/** The affinity levels of MPIDR_EL1, as `%010llx`. */
function affinityText(cpu: Aarch64Cpu): string {
  const lo = (cpu.mrsLo("MPIDR_EL1") & 0xff_ffff).toString(16).padStart(8, "0");
  return (cpu.mrsHi("MPIDR_EL1") & 0xff).toString(16).padStart(2, "0") + lo;
}

function midrText(cpu: Aarch64Cpu): string {
  return `0x${(cpu.mrsLo("MIDR_EL1") >>> 0).toString(16).padStart(8, "0")}`;
}
