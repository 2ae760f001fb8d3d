/**
 * Synchronous exceptions other than aborts and system calls (arch/arm64/kernel/entry-common.c, traps.c, debug-monitors.c of
 * Linux 6.6): from user mode a signal, from kernel mode the end of the machine; and the vectors that nothing should take.
 */
import type { Context, Work } from "../../context.ts";
import { COST_IRQ_MASK, COST_STEP } from "../../costs.ts";
import type { KPtr } from "../../struct.ts";
import {
  ESR_EC_BRK64,
  ESR_EC_BTI,
  ESR_EC_PC_ALIGN,
  ESR_EC_SP_ALIGN,
  ESR_EC_SYS64,
  ESR_EC_UNKNOWN,
  ESR_EC_WFX,
  esrClass,
  esrClassText,
} from "./esr.ts";
import { emulateIdRegister, stepOver } from "./id-registers.ts";
import { interruptsWereOn, REGS_PC, REGS_SP, userMode } from "./pt-regs.ts";
import { kernelCodeLine } from "./report.ts";
import { fixupOf, stubAt, stubLo, TEXT_HI } from "./stubs.ts";

/** Signal numbers and codes, asm-generic/signal.h and siginfo.h. */
const SIGILL = 4;
const SIGTRAP = 5;
const SIGBUS = 7;
const ILL_ILLOPC = 1;
const TRAP_BRKPT = 1;
const BUS_ADRALN = 1;
/** ISS of a trapped WFI or WFE: bit 0 is clear for WFI. */
const WFX_ISS_TI = 1;

/** el0t_64_sync_handler(), but for SVC and aborts. DAIF is masked on entry. @param lo FAR_EL1 */
export function* userException(k: Context, frame: KPtr, esr: number, lo: number, hi: number): Work {
  const ram = k.ram;
  if (k.point(COST_STEP)) yield;
  k.cpu.setInterruptsEnabled(true);
  if (k.point(COST_IRQ_MASK)) yield;
  const pcLo = ram.read32(frame + REGS_PC);
  const pcHi = ram.read32(frame + REGS_PC + 4);
  switch (esrClass(esr)) {
    case ESR_EC_WFX:
      // SCTLR_EL1.nTWI is clear: WFI in user mode is trapped, and skipped.
      if ((esr & WFX_ISS_TI) === 0) stepOver(ram, frame);
      else notify(k, SIGILL, ILL_ILLOPC, pcLo, pcHi, 0);
      break;
    case ESR_EC_SP_ALIGN:
      notify(k, SIGBUS, BUS_ADRALN, ram.read32(frame + REGS_SP), ram.read32(frame + REGS_SP + 4), esr);
      break;
    case ESR_EC_PC_ALIGN:
      notify(k, SIGBUS, BUS_ADRALN, lo, hi, esr);
      break;
    case ESR_EC_UNKNOWN:
    case ESR_EC_SYS64:
      // do_el0_undef(): no syndrome is kept.
      if (!(yield* emulateIdRegister(k, frame))) notify(k, SIGILL, ILL_ILLOPC, pcLo, pcHi, 0);
      break;
    case ESR_EC_BTI:
      notify(k, SIGILL, ILL_ILLOPC, pcLo, pcHi, 0);
      break;
    case ESR_EC_BRK64:
      // send_user_sigtrap(): what the frames say of the task's last fault stays as it is.
      k.kernel.process.forceSignal(k, {
        signo: SIGTRAP,
        code: TRAP_BRKPT,
        lo: pcLo,
        hi: pcHi,
        trap: ESR_EC_BRK64,
        error: 0,
        addressKind: "unrecorded",
      });
      break;
    default:
      // bad_el0_sync().
      notify(k, SIGILL, ILL_ILLOPC, pcLo, pcHi, esr);
  }
}

/** arm64_notify_die() for user mode: the address of the last page fault is forgotten. */
function notify(k: Context, signo: number, code: number, lo: number, hi: number, esr: number): void {
  const cause = { trap: esrClass(esr), error: esr, addressKind: "none" } as const;
  k.kernel.process.forceSignal(k, { signo, code, lo, hi, ...cause });
}

/** el1h_64_sync_handler(), but for aborts: the kernel's own mistakes. Does not return. */
export function* kernelException(k: Context, frame: KPtr, esr: number): Work {
  switch (esrClass(esr)) {
    case ESR_EC_PC_ALIGN:
      yield* die(k, frame, "SP/PC alignment exception", esr);
      break;
    case ESR_EC_SYS64:
    case ESR_EC_UNKNOWN:
      yield* die(k, frame, "Oops - Undefined instruction", esr);
      break;
    case ESR_EC_BRK64:
      k.kernel.printk("Unexpected kernel BRK exception at EL1");
      yield* die(k, frame, "aarch64 BRK", esr);
      break;
    default:
      yield* unhandled(k, frame, "64-bit el1h sync", esr);
  }
}

/** __panic_unhandled(). Does not return. @param vector as the log names it */
export function* unhandled(k: Context, frame: KPtr, vector: string, esr: number): Work {
  const { kernel } = k;
  kernel.printk(
    `Unhandled ${vector} exception on CPU${k.cpu.id}, ESR 0x${esrText(esr)} -- ${esrClassText(esr)}`,
  );
  kernel.printk(kernel.arch.entry.describeFrame(kernel, frame));
  kernel.panic(k, "Unhandled exception");
  for (;;) yield;
}

/** default_handle_fiq(): group 0 interrupts belong to nobody. Does not return. */
export function* fastInterrupt(k: Context): Work {
  k.kernel.panic(k, "FIQ taken without a root FIQ handler");
  for (;;) yield;
}

/** arm64_serror_panic(). Does not return. */
export function* systemError(k: Context, frame: KPtr, esr: number): Work {
  const { kernel } = k;
  kernel.printk(`SError Interrupt on CPU${k.cpu.id}, code 0x${esrText(esr)} -- ${esrClassText(esr)}`);
  kernel.printk(kernel.arch.entry.describeFrame(kernel, frame));
  kernel.panic(k, "Asynchronous SError Interrupt");
  for (;;) yield;
}

/** local_daif_inherit(): interrupts are on again if they were where the exception came from. @hot */
export function enableIfFrameHad(k: Context, frame: KPtr): void {
  if (interruptsWereOn(k.ram, frame)) k.cpu.setInterruptsEnabled(true);
}

/** fixup_exception(): the frame of a user-access site returns to the site's fixup; false: it was not one. */
export function fixupException(k: Context, frame: KPtr): boolean {
  const ram = k.ram;
  const fixup = fixupOf(stubAt(ram.read32(frame + REGS_PC), ram.read32(frame + REGS_PC + 4)));
  if (fixup < 0) return false;
  ram.write64(frame + REGS_PC, stubLo(fixup), TEXT_HI);
  return true;
}

/** die() and panic(): the kernel's own mistake, with a dump. Does not return. */
export function* die(k: Context, frame: KPtr, text: string, esr: number): Work {
  const { kernel, ram } = k;
  kernel.printk(`Internal error: ${text}: ${esrText(esr)} [#1] SMP`);
  kernel.printk(kernel.arch.entry.describeFrame(kernel, frame));
  if (!userMode(ram, frame)) {
    const code = kernelCodeLine(ram, ram.read32(frame + REGS_PC), ram.read32(frame + REGS_PC + 4));
    if (code !== null) kernel.printk(code);
  }
  kernel.panic(k, `${text}: Fatal exception${k.irqDepth > 0 ? " in interrupt" : ""}`);
  for (;;) yield;
}

function esrText(esr: number): string {
  return (esr >>> 0).toString(16).padStart(16, "0");
}
