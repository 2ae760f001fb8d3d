/**
 * Start-up: memory of the cores' own structures, the boot core, INIT–SIPI–SIPI for the others, the first task
 * (arch/x86/kernel/setup.c, smpboot.c, init/main.c).
 *
 * Simplification: nothing runs in real or protected mode. The boot loader's work is done before the first instruction,
 * and a start-up IPI enters long mode at once, with the registers that lie in the trampoline page:
 *
 *     0x8000 + 08  CR3     + 20  CR0
 *     0x8000 + 10  RIP     + 28  CR4
 *     0x8000 + 18  RSP     + 30  EFER
 */
import type { X86Cpu } from "../../../emu/hardware.ts";
import type { Context, Work } from "../../context.ts";
import { COST_ACCESS, COST_IRQ_MASK, COST_STEP } from "../../costs.ts";
import { CrossCalls } from "../../cross-call.ts";
import type { Kernel } from "../../kernel.ts";
import { mmPgd } from "../../mm/mm-struct.ts";
import { PERCPU, percpuOf } from "../../percpu.ts";
import { Task, wakeUpNewTask } from "../../sched/index.ts";
import { type I32Field, type KPtr, kptrOf, NULL } from "../../struct.ts";
import { sendInit, sendStartup, setUpApic } from "./apic.ts";
import { udelay } from "./delay.ts";
import {
  CORE_AREA_BYTES,
  GDT_LIMIT,
  IDT_LIMIT,
  idleStackOf,
  KERNEL_CS,
  TSS_SELECTOR,
  USER32_CS,
  writeCoreArea,
  writeIdt,
} from "./descriptors.ts";
import {
  CR0_AM,
  CR0_ET,
  CR0_MP,
  CR0_NE,
  CR0_PE,
  CR0_PG,
  CR0_WP,
  CR4_FSGSBASE,
  CR4_LA57,
  CR4_PAE,
  CR4_PCIDE,
  CR4_PGE,
  CR4_PKE,
  CR4_PSE,
  CR4_SMAP,
  CR4_SMEP,
  EFER_LMA,
  EFER_LME,
  EFER_NX,
  EFER_SCE,
  MSR_CSTAR,
  MSR_GS_BASE,
  MSR_KERNEL_GS_BASE,
  MSR_LSTAR,
  MSR_STAR,
  MSR_SYSCALL_MASK,
} from "./registers.ts";
import {
  STUB_AP_START,
  STUB_BOOT,
  STUB_SYSCALL,
  stubLo,
  TEXT_FRAMES,
  TEXT_HI,
  TEXT_PA,
  writeText,
} from "./stubs.ts";

/** page_offset_base: all RAM is mapped from here on, with 4 and with 5 levels alike. High half. */
export const DIRECT_MAP_HI: number = 0xffff_8880 | 0;
/** Page of the trampoline; the vector of the start-up IPI is its number. */
const TRAMPOLINE_PAGE = 8;
const STARTUP_IPIS = 2;
/** wakeup_secondary_cpu_via_init(): "some time to accept the IPI". */
const STARTUP_ACCEPT_MICROSECONDS = 10;
const TRAMPOLINE_CR3 = 0x8;
const TRAMPOLINE_RIP = 0x10;
const TRAMPOLINE_RSP = 0x18;
const TRAMPOLINE_CR0 = 0x20;
const TRAMPOLINE_CR4 = 0x28;
const TRAMPOLINE_EFER = 0x30;

const CR0: number = CR0_PG | CR0_AM | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE;
const CR4: number = CR4_PSE | CR4_PAE | CR4_PGE | CR4_FSGSBASE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE;
const EFER: number = EFER_SCE | EFER_LME | EFER_LMA | EFER_NX;
/** CF PF AF ZF SF TF IF DF OF IOPL NT RF AC ID: cleared by SYSCALL (syscall_init). */
const SYSCALL_FLAGS_MASK = 0x0025_7fd5;

/** 1 once the core executes kernel code. */
const cpuOnline: I32Field = PERCPU.i32("cpu_online", "marked");

/** Where the structures of the cores lie. */
export interface BootAreas {
  readonly idt: number;
  /** Per core: GDT, TSS, stacks. */
  readonly cores: readonly number[];
}

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
  const idt = boot.take(4096, 4096);
  writeIdt(ram, idt);
  const cores: number[] = [];
  for (let cpu = 0; cpu < count; cpu++) {
    const area = boot.take(CORE_AREA_BYTES, 4096);
    writeCoreArea(ram, area);
    cores.push(area);
  }
  kernel.crossCalls.initialize(boot.take(CrossCalls.bytes(count), 4096), count);
  return { idt, cores };
}

/** Makes the idle tasks and sets the boot core to the boot stub, in the state that a boot loader leaves. */
export function startBootCore(kernel: Kernel, areas: BootAreas): void {
  const { ram, platform } = kernel;
  for (const cpu of platform.cpus) {
    const idle = new Task(kernel, {
      pid: 0,
      tgid: 0,
      stack: kptrOf(idleStackOf(areas.cores[cpu.id]!)),
      cpu,
      comm: `swapper/${cpu.id}`,
      kind: "idle",
    });
    idle.activeMm = kernel.memory.initMm;
    kernel.sched.addCore(idle);
    kernel.current.push(idle.context);
    kernel.memory.grabMm(idle.context, kernel.memory.initMm);
  }
  const boot = platform.cpus[0] as X86Cpu;
  boot.writeCr3(mmPgd.get(ram, kernel.memory.initMm), 0);
  setUpCore(kernel, areas, boot);
  boot.gpr[8] = kernel.current[0]!.task!.stackTop | 0;
  boot.gpr[9] = DIRECT_MAP_HI;
  boot.setKernelPc(stubLo(STUB_BOOT), TEXT_HI);
  kernel.sched.online.add(0);
  cpuOnline.set(ram, percpuOf(kernel, 0), 1);
}

/** The boot core has executed the boot stub: start_kernel() is what its idle task does first. */
export function enterBootCore(kernel: Kernel): void {
  const k = kernel.current[0]!;
  k.push(startKernel(k), 0);
}

/** A secondary core has executed its first stub: start_secondary(). It becomes idle at once. */
export function enterSecondary(kernel: Kernel, areas: BootAreas, cpu: X86Cpu): void {
  setUpCore(kernel, areas, cpu);
  kernel.sched.online.add(cpu.id);
  cpuOnline.set(kernel.ram, percpuOf(kernel, cpu.id), 1);
}

/**
 * do_boot_cpu(): INIT, then two start-up IPIs, then wait until the core says that it is there. Delays as for processors
 * since the P6 and the K8: none after INIT (smp_quirk_init_udelay()), and before and after the look at whether the APIC
 * has sent a start-up IPI the short ones.
 */
export function* startSecondary(k: Context, target: number): Work {
  const { kernel, ram } = k;
  const cpu = k.cpu as X86Cpu;
  const trampoline = TRAMPOLINE_PAGE * 4096;
  const stackTop = kernel.current[target]!.task!.stackTop;
  ram.write64(trampoline + TRAMPOLINE_CR3, mmPgd.get(ram, kernel.memory.initMm), 0);
  ram.write64(trampoline + TRAMPOLINE_RIP, stubLo(STUB_AP_START), TEXT_HI);
  ram.write64(trampoline + TRAMPOLINE_RSP, stackTop | 0, DIRECT_MAP_HI);
  ram.write64(trampoline + TRAMPOLINE_CR0, CR0, 0);
  ram.write64(trampoline + TRAMPOLINE_CR4, cr4Of(kernel), 0);
  ram.write64(trampoline + TRAMPOLINE_EFER, EFER, 0);
  if (k.point(COST_STEP)) yield;
  sendInit(cpu, target);
  for (let number = 1; number <= STARTUP_IPIS; number++) {
    if (k.point(COST_STEP)) yield;
    sendStartup(cpu, target, TRAMPOLINE_PAGE);
    yield* udelay(k, STARTUP_ACCEPT_MICROSECONDS);
    yield* udelay(k, STARTUP_ACCEPT_MICROSECONDS);
  }
  const online = cpuOnline.at(percpuOf(kernel, target));
  for (;;) {
    if (k.point(COST_ACCESS)) yield;
    if (ram.read32(online) !== 0) break;
    k.cpu.waitForWord(online);
    yield;
  }
}

/** cpu_init(): control registers, descriptor tables, system-call registers, local APIC. */
function setUpCore(kernel: Kernel, areas: BootAreas, cpu: X86Cpu): void {
  const area = areas.cores[cpu.id]!;
  cpu.writeControls(CR0, cr4Of(kernel), EFER);
  cpu.loadGdt(area | 0, DIRECT_MAP_HI, GDT_LIMIT);
  cpu.loadIdt(areas.idt | 0, DIRECT_MAP_HI, IDT_LIMIT);
  cpu.loadCodeSegment(KERNEL_CS);
  cpu.loadTaskRegister(TSS_SELECTOR);
  cpu.wrmsr(MSR_STAR, 0, (USER32_CS << 16) | KERNEL_CS);
  cpu.wrmsr(MSR_LSTAR, stubLo(STUB_SYSCALL), TEXT_HI);
  cpu.wrmsr(MSR_CSTAR, 0, 0);
  cpu.wrmsr(MSR_SYSCALL_MASK, SYSCALL_FLAGS_MASK, 0);
  cpu.wrmsr(MSR_GS_BASE, 0, 0);
  cpu.wrmsr(MSR_KERNEL_GS_BASE, percpuOf(kernel, cpu.id) | 0, DIRECT_MAP_HI);
  setUpApic(cpu);
}

function cr4Of(kernel: Kernel): number {
  return kernel.platform.firmware["pagingLevels"] === 5 ? CR4 | CR4_LA57 : CR4;
}

/** start_kernel() and rest_init(), in the idle task of the boot core. */
function* startKernel(k: Context): Work {
  const { kernel } = k;
  const { platform, options } = kernel;
  const cores = platform.cpus.length;
  const mhz = (platform.cyclesPerSecond / 1e6).toFixed(3);
  kernel.printk(`Faultline kernel (x86-64) #1 SMP, fault design ${options.design}`);
  kernel.printk(`tsc: Detected ${mhz} MHz processor`);
  kernel.printk(
    `x86/mm: ${platform.firmware["pagingLevels"] ?? 4}-level paging, PCID, SMEP, SMAP, memory keys`,
  );
  kernel.printk(`Memory: ${kernel.ram.sizeBytes / 1024}K RAM, ${cores} CPUs possible`);
  kernel.printk("x2apic: enabled, TSC-deadline timer");
  k.cpu.setInterruptsEnabled(true);
  if (k.point(COST_IRQ_MASK)) yield;
  if (cores > 1) {
    kernel.printk("smp: Bringing up secondary CPUs ...");
    for (let cpu = 1; cpu < cores; cpu++) yield* kernel.arch.entry.startSecondary(k, cpu);
  }
  kernel.printk(`smp: Brought up 1 node, ${cores} CPU${cores === 1 ? "" : "s"}`);
  const bogoMips = ((platform.cyclesPerSecond / 1e6) * 2 * cores).toFixed(2);
  kernel.printk(`smpboot: Total of ${cores} processors activated (${bogoMips} BogoMIPS)`);
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
