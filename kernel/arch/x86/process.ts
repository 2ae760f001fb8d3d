/** Registers at system calls, signals and program start on x86-64: ArchProcess. */
import type { X86Cpu } from "../../../emu/hardware.ts";
import type { PhysicalMemory } from "../../../mmu/index.ts";
import type { Context, Work } from "../../context.ts";
import type { Task } from "../../sched/task.ts";
import type { SignalDelivery } from "../../signal/delivery-record.ts";
import type { KPtr } from "../../struct.ts";
import type { SyscallEntry } from "../../syscalls/syscall.ts";
import { processOf } from "../../tasks/process-state.ts";
import { copyFromUser } from "../../user-access.ts";
import type { ArchProcess, ChildStart, ProgramStart } from "../process-port.ts";
import { USER_CS, USER_DS } from "./descriptors.ts";
import {
  ELF_HWCAP,
  ELF_HWCAP2,
  ELF_PLATFORM,
  EM_X86_64,
  ET_DYN_BASE_VPN,
  O_DIRECTORY,
  O_NOFOLLOW,
  STACK_TOP_VPN,
} from "./elf-abi.ts";
import * as regs from "./pt-regs.ts";
import { MSR_FS_BASE, MSR_GS_BASE, RFLAGS_FIXED, RFLAGS_IF } from "./registers.ts";
import { DEFAULT_PKRU, MINIMUM_SIGNAL_STACK_BYTES, popSignalFrame, pushSignalFrame } from "./signal-frame.ts";
import { x86SyscallName, x86SyscallNumber } from "./syscall-names.ts";
import { X86_SYSCALLS } from "./syscall-table.ts";
import { saveThreadRegisters, THREAD_FS_BASE } from "./thread-registers.ts";
import { VECTOR_PF } from "./vectors.ts";

/** Places of the arguments: RDI RSI RDX R10 R8 R9. */
const ARGUMENTS: readonly number[] = [
  regs.REGS_DI,
  regs.REGS_SI,
  regs.REGS_DX,
  regs.REGS_R10,
  regs.REGS_R8,
  regs.REGS_R9,
];
/** Length of the SYSCALL instruction, which a restart executes again. */
const SYSCALL_BYTES = 2;
const RESTART_SYSCALL: number = x86SyscallNumber("restart_syscall");
/** Code bytes that a report shows before and from the PC on (PROLOGUE_SIZE, EPILOGUE_SIZE). */
const PROLOGUE_BYTES = 42;
const OPCODE_BYTES = 64;

/** What a report calls a trap (exc_*() of arch/x86/kernel/traps.c). */
const TRAP_NAMES: Readonly<Record<number, string>> = {
  0: "trap divide error",
  1: "trap debug",
  3: "trap int3",
  4: "trap overflow",
  5: "trap bounds",
  6: "trap invalid opcode",
  10: "trap invalid TSS",
  11: "trap segment not present",
  12: "trap stack segment",
  13: "general protection fault",
  16: "trap fpu exception",
  17: "trap alignment check",
  19: "trap simd exception",
  21: "trap control protection",
};

export class X86Process implements ArchProcess {
  readonly elfMachine: number = EM_X86_64;
  readonly machineName: string = ELF_PLATFORM;
  readonly littleEndian: boolean = true;
  readonly platform: string = ELF_PLATFORM;
  readonly hwcap: number = ELF_HWCAP;
  readonly hwcap2: number = ELF_HWCAP2;
  readonly minimumSignalStackBytes: number = MINIMUM_SIGNAL_STACK_BYTES;
  readonly minimumAlternateStackBytes: number = MINIMUM_SIGNAL_STACK_BYTES;
  readonly openFlags: ArchProcess["openFlags"] = { directory: O_DIRECTORY, noFollow: O_NOFOLLOW };
  readonly stackTopVpn: number = STACK_TOP_VPN;
  readonly programBaseVpn: number = ET_DYN_BASE_VPN;
  /** SA_RESTORER is mandatory, so there is no trampoline to provide. */
  readonly vdsoCode = null;
  readonly syscalls: readonly SyscallEntry[] = X86_SYSCALLS;

  syscallName(number: number): string {
    return x86SyscallName(number);
  }

  /** @hot */
  syscallNumber(ram: PhysicalMemory, frame: KPtr): number {
    // EAX, sign-extended: do_syscall_64() does not look at the upper half.
    return Math.max(ram.read32(frame + regs.REGS_ORIG_AX), -1);
  }

  /** @hot */
  argumentLo(ram: PhysicalMemory, frame: KPtr, index: number): number {
    return ram.read32(frame + ARGUMENTS[index]!);
  }

  /** @hot */
  argumentHi(ram: PhysicalMemory, frame: KPtr, index: number): number {
    return ram.read32(frame + ARGUMENTS[index]! + 4);
  }

  /** @hot */
  setResult(ram: PhysicalMemory, frame: KPtr, lo: number, hi: number): void {
    ram.write64(frame + regs.REGS_AX, lo, hi);
  }

  resultLo(ram: PhysicalMemory, frame: KPtr): number {
    return ram.read32(frame + regs.REGS_AX);
  }

  restartSyscall(ram: PhysicalMemory, frame: KPtr): void {
    const lo = ram.read32(frame + regs.REGS_ORIG_AX);
    ram.write64(frame + regs.REGS_AX, lo, ram.read32(frame + regs.REGS_ORIG_AX + 4));
    this.#stepBack(ram, frame);
  }

  restartBySyscall(ram: PhysicalMemory, frame: KPtr): void {
    ram.write64(frame + regs.REGS_AX, RESTART_SYSCALL, 0);
    this.#stepBack(ram, frame);
  }

  pcLo(ram: PhysicalMemory, frame: KPtr): number {
    return ram.read32(frame + regs.REGS_IP);
  }

  pcHi(ram: PhysicalMemory, frame: KPtr): number {
    return ram.read32(frame + regs.REGS_IP + 4);
  }

  spLo(ram: PhysicalMemory, frame: KPtr): number {
    return ram.read32(frame + regs.REGS_SP);
  }

  spHi(ram: PhysicalMemory, frame: KPtr): number {
    return ram.read32(frame + regs.REGS_SP + 4);
  }

  startProgram(k: Context, frame: KPtr, start: ProgramStart): void {
    const { ram } = k;
    for (let offset = 0; offset < regs.REGS_BYTES; offset += 8) ram.write64(frame + offset, 0, 0);
    ram.view.setBigUint64(frame + regs.REGS_IP, start.entry, true);
    ram.view.setBigUint64(frame + regs.REGS_SP, start.sp, true);
    ram.write64(frame + regs.REGS_CS, USER_CS, 0);
    ram.write64(frame + regs.REGS_SS, USER_DS, 0);
    ram.write64(frame + regs.REGS_FLAGS, RFLAGS_FIXED | RFLAGS_IF, 0);
    const cpu = k.cpu as X86Cpu;
    cpu.wrmsr(MSR_FS_BASE, 0, 0);
    cpu.wrmsr(MSR_GS_BASE, 0, 0);
    cpu.writePkru(k.kernel.arch.mmu.pkeys > 0 ? DEFAULT_PKRU : 0);
  }

  startChild(k: Context, parentFrame: KPtr, child: Task, start: ChildStart): void {
    const { ram } = k;
    const frame = child.userFrame;
    for (let offset = 0; offset < regs.REGS_BYTES; offset += 8) {
      ram.write64(frame + offset, ram.read32(parentFrame + offset), ram.read32(parentFrame + offset + 4));
    }
    ram.write64(frame + regs.REGS_AX, 0, 0);
    if (start.stack !== null) ram.write64(frame + regs.REGS_SP, start.stack.lo, start.stack.hi);
    saveThreadRegisters(k.cpu as X86Cpu, child.userRegisters);
    if (start.tls !== null) {
      child.userRegisters[THREAD_FS_BASE] = start.tls.lo;
      child.userRegisters[THREAD_FS_BASE + 1] = start.tls.hi;
    }
    child.returnsBySyscall = true;
  }

  pushSignalFrame(k: Context, frame: KPtr, delivery: SignalDelivery): Work<boolean> {
    return pushSignalFrame(k, frame, delivery);
  }

  popSignalFrame(k: Context, frame: KPtr): Work {
    return popSignalFrame(k, frame);
  }

  /** show_signal_msg() for page faults, do_trap() for the rest. */
  faultLine(k: Context, frame: KPtr, task: Task, location: string): string {
    const { fault } = processOf(task);
    const ip = hex(this.pcLo(k.ram, frame), this.pcHi(k.ram, frame));
    const sp = hex(this.spLo(k.ram, frame), this.spHi(k.ram, frame));
    const error = (fault.error >>> 0).toString(16);
    const who = `${task.comm}[${task.pid}]`;
    if (fault.trap === VECTOR_PF) {
      const address = hex(fault.addressLo, fault.addressHi);
      const registers = `ip ${ip.padStart(16, "0")} sp ${sp.padStart(16, "0")} error ${error}`;
      const cpu = `likely on CPU ${k.cpu.id} (core ${k.cpu.id}, socket 0)`;
      return `${who}: segfault at ${address} ${registers}${location} ${cpu}`;
    }
    const name = TRAP_NAMES[fault.trap] ?? `trap ${fault.trap}`;
    return `traps: ${who} ${name} ip:${ip} sp:${sp} error:${error}${location}`;
  }

  /** show_opcodes(). */
  *codeLine(k: Context, frame: KPtr): Work<string | null> {
    if (processOf(k.task!).fault.trap !== VECTOR_PF) return null;
    const lo = this.pcLo(k.ram, frame) - PROLOGUE_BYTES;
    const bytes = new Uint8Array(OPCODE_BYTES);
    const hi = (this.pcHi(k.ram, frame) - (this.pcLo(k.ram, frame) >>> 0 < PROLOGUE_BYTES ? 1 : 0)) | 0;
    if ((yield* copyFromUser(k, bytes, lo | 0, hi)) !== 0) {
      return `Code: Unable to access opcode bytes at 0x${hex(lo | 0, hi)}.`;
    }
    const text = Array.from(bytes, (byte, index) => {
      const digits = byte.toString(16).padStart(2, "0");
      return index === PROLOGUE_BYTES ? `<${digits}>` : digits;
    });
    return `Code: ${text.join(" ")}`;
  }

  #stepBack(ram: PhysicalMemory, frame: KPtr): void {
    const lo = ram.read32(frame + regs.REGS_IP);
    const hi = ram.read32(frame + regs.REGS_IP + 4);
    ram.write64(frame + regs.REGS_IP, (lo - SYSCALL_BYTES) | 0, lo >>> 0 < SYSCALL_BYTES ? (hi - 1) | 0 : hi);
  }
}

function hex(lo: number, hi: number): string {
  const low = (lo >>> 0).toString(16);
  return hi === 0 ? low : (hi >>> 0).toString(16) + low.padStart(8, "0");
}
