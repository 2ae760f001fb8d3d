/** Registers at system calls, signals and program start on arm64: ArchProcess. */
import type { Aarch64Cpu, Platform } from "../../../emu/hardware.ts";
import type { PhysicalMemory } from "../../../mmu/index.ts";
import { type Context, done, type Work } from "../../context.ts";
import type { Task } from "../../sched/task.ts";
import type { SignalDelivery } from "../../signal/delivery-record.ts";
import type { KPtr } from "../../struct.ts";
import type { SyscallEntry } from "../../syscalls/syscall.ts";
import { processOf } from "../../tasks/process-state.ts";
import type { ArchProcess, ChildStart, ProgramStart } from "../process-port.ts";
import { hwcapOf, supportsSsbs } from "./cpu-features.ts";
import {
  ELF_PLATFORM,
  EM_AARCH64,
  ET_DYN_BASE_VPN,
  O_DIRECTORY,
  O_NOFOLLOW,
  STACK_TOP_VPN,
} from "./elf-abi.ts";
import { esrClassText } from "./esr.ts";
import { faultText } from "./fault-text.ts";
import * as regs from "./pt-regs.ts";
import { PSR_MODE_EL0t, PSR_SSBS_BIT } from "./registers.ts";
import { describeRegisters } from "./report.ts";
import { MINSIGSTKSZ, popSignalFrame, pushSignalFrame, SIGNAL_STACK_BYTES } from "./signal-frame.ts";
import { arm64SyscallName, arm64SyscallNumber } from "./syscall-names.ts";
import { ARM64_SYSCALLS } from "./syscall-table.ts";
import { saveThreadRegisters, THREAD_TPIDR } from "./thread-registers.ts";
import { TRAMPOLINE_CODE } from "./vdso.ts";

/** Length of SVC, which a restart executes again. */
const SYSCALL_BYTES = 4;
const RESTART_SYSCALL: number = arm64SyscallNumber("restart_syscall");
const NO_CODE_LINE: Work<null> = done(null);

export class Arm64Process implements ArchProcess {
  readonly elfMachine: number = EM_AARCH64;
  readonly machineName: string = ELF_PLATFORM;
  readonly littleEndian: boolean = true;
  readonly platform: string = ELF_PLATFORM;
  readonly minimumSignalStackBytes: number = SIGNAL_STACK_BYTES;
  readonly minimumAlternateStackBytes: number = MINSIGSTKSZ;
  readonly openFlags: ArchProcess["openFlags"] = { directory: O_DIRECTORY, noFollow: O_NOFOLLOW };
  readonly stackTopVpn: number = STACK_TOP_VPN;
  readonly programBaseVpn: number = ET_DYN_BASE_VPN;
  readonly syscalls: readonly SyscallEntry[] = ARM64_SYSCALLS;
  readonly vdsoCode: Uint8Array = TRAMPOLINE_CODE;
  readonly #bootCore: Aarch64Cpu;

  constructor(platform: Platform) {
    this.#bootCore = platform.cpus[0] as Aarch64Cpu;
  }

  get hwcap(): number {
    return hwcapOf(this.#bootCore, 1);
  }

  get hwcap2(): number {
    return hwcapOf(this.#bootCore, 2);
  }

  syscallName(number: number): string {
    return arm64SyscallName(number);
  }

  /** @hot */
  syscallNumber(ram: PhysicalMemory, frame: KPtr): number {
    return Math.max(ram.read32(frame + regs.REGS_SYSCALLNO), regs.NO_SYSCALL);
  }

  /** X0 … X5. @hot */
  argumentLo(ram: PhysicalMemory, frame: KPtr, index: number): number {
    return ram.read32(frame + regs.REGS_X0 + index * 8);
  }

  /** @hot */
  argumentHi(ram: PhysicalMemory, frame: KPtr, index: number): number {
    return ram.read32(frame + regs.REGS_X0 + index * 8 + 4);
  }

  /** @hot */
  setResult(ram: PhysicalMemory, frame: KPtr, lo: number, hi: number): void {
    ram.write64(frame + regs.REGS_X0, lo, hi);
  }

  resultLo(ram: PhysicalMemory, frame: KPtr): number {
    return ram.read32(frame + regs.REGS_X0);
  }

  /** do_signal(): X0 is what it was, and no second signal starts the call again. */
  restartSyscall(ram: PhysicalMemory, frame: KPtr): void {
    const lo = ram.read32(frame + regs.REGS_ORIG_X0);
    ram.write64(frame + regs.REGS_X0, lo, ram.read32(frame + regs.REGS_ORIG_X0 + 4));
    ram.write32(frame + regs.REGS_SYSCALLNO, regs.NO_SYSCALL);
    const pcLo = ram.read32(frame + regs.REGS_PC);
    const pcHi = ram.read32(frame + regs.REGS_PC + 4) - (pcLo >>> 0 < SYSCALL_BYTES ? 1 : 0);
    ram.write64(frame + regs.REGS_PC, (pcLo - SYSCALL_BYTES) | 0, pcHi | 0);
  }

  restartBySyscall(ram: PhysicalMemory, frame: KPtr): void {
    this.restartSyscall(ram, frame);
    ram.write64(frame + regs.REGS_X8, RESTART_SYSCALL, 0);
  }

  pcLo(ram: PhysicalMemory, frame: KPtr): number {
    return ram.read32(frame + regs.REGS_PC);
  }

  pcHi(ram: PhysicalMemory, frame: KPtr): number {
    return ram.read32(frame + regs.REGS_PC + 4);
  }

  spLo(ram: PhysicalMemory, frame: KPtr): number {
    return ram.read32(frame + regs.REGS_SP);
  }

  spHi(ram: PhysicalMemory, frame: KPtr): number {
    return ram.read32(frame + regs.REGS_SP + 4);
  }

  /** start_thread() and flush_thread(). Speculative store bypassing is allowed, as Linux does without a prctl(). */
  startProgram(k: Context, frame: KPtr, start: ProgramStart): void {
    const { ram } = k;
    const cpu = k.cpu as Aarch64Cpu;
    for (let offset = 0; offset < regs.REGS_BYTES; offset += 8) ram.write64(frame + offset, 0, 0);
    ram.view.setBigUint64(frame + regs.REGS_PC, start.entry, true);
    ram.view.setBigUint64(frame + regs.REGS_SP, start.sp, true);
    ram.write32(frame + regs.REGS_PSTATE, PSR_MODE_EL0t | (supportsSsbs(cpu) ? PSR_SSBS_BIT : 0));
    ram.write32(frame + regs.REGS_SYSCALLNO, regs.NO_SYSCALL);
    cpu.msr("TPIDR_EL0", 0, 0);
    cpu.msr("TPIDRRO_EL0", 0, 0);
  }

  /** copy_thread(). */
  startChild(k: Context, parentFrame: KPtr, child: Task, start: ChildStart): void {
    const { ram } = k;
    const frame = child.userFrame;
    for (let offset = 0; offset < regs.REGS_BYTES; offset += 8) {
      ram.write64(frame + offset, ram.read32(parentFrame + offset), ram.read32(parentFrame + offset + 4));
    }
    ram.write64(frame + regs.REGS_X0, 0, 0);
    if (start.stack !== null) ram.write64(frame + regs.REGS_SP, start.stack.lo, start.stack.hi);
    saveThreadRegisters(k.cpu as Aarch64Cpu, child.userRegisters);
    if (start.tls !== null) {
      child.userRegisters[THREAD_TPIDR] = start.tls.lo;
      child.userRegisters[THREAD_TPIDR + 1] = start.tls.hi;
    }
    child.returnsBySyscall = true;
  }

  pushSignalFrame(k: Context, frame: KPtr, delivery: SignalDelivery): Work<boolean> {
    return pushSignalFrame(k, frame, delivery);
  }

  popSignalFrame(k: Context, frame: KPtr): Work {
    return popSignalFrame(k, frame);
  }

  /** arm64_show_signal(), as with debug.exception-trace set; the registers follow, a line for every three. */
  faultLine(k: Context, frame: KPtr, task: Task, location: string): string {
    const { fault } = processOf(task);
    const esr = fault.error >>> 0;
    const syndrome = esr === 0 ? "" : `${esrClassText(esr)}, ESR 0x${esr.toString(16).padStart(16, "0")}, `;
    const what = `${task.comm}[${task.pid}]: unhandled exception: ${syndrome}${faultText(fault.trap, esr)}${location}`;
    const who = `CPU: ${k.cpu.id} PID: ${task.pid} Comm: ${task.comm} Not tainted`;
    return `${what}\n${who}\n${describeRegisters(k.kernel, frame)}`;
  }

  /** There is none for user code. */
  codeLine(_k: Context, _frame: KPtr): Work<string | null> {
    return NO_CODE_LINE;
  }
}
