/**
 * Exceptions other than page faults (arch/x86/kernel/traps.c): from user mode a signal, from kernel mode the fixup of a
 * user-access site or the end of the machine.
 */
import type { X86Cpu } from "../../../emu/hardware.ts";
import type { Context, Work } from "../../context.ts";
import { COST_IRQ_MASK, COST_STEP } from "../../costs.ts";
import type { KPtr } from "../../struct.ts";
import { REGS_FLAGS, REGS_IP, REGS_ORIG_AX, userMode } from "./pt-regs.ts";
import { RFLAGS_IF, RFLAGS_TF } from "./registers.ts";
import { fixupOf, stubAt, stubLo, TEXT_HI } from "./stubs.ts";
import {
  hasErrorCode,
  VECTOR_AC,
  VECTOR_BP,
  VECTOR_BR,
  VECTOR_CP,
  VECTOR_DB,
  VECTOR_DE,
  VECTOR_GP,
  VECTOR_MF,
  VECTOR_NP,
  VECTOR_OF,
  VECTOR_SS,
  VECTOR_TS,
  VECTOR_UD,
  VECTOR_XM,
} from "./vectors.ts";

/** Signal numbers and codes, asm-generic/signal.h and siginfo.h. */
const SIGILL = 4;
const SIGTRAP = 5;
const SIGBUS = 7;
const SIGFPE = 8;
const SIGSEGV = 11;
const SI_KERNEL = 0x80;
const ILL_ILLOPN = 2;
const FPE_INTDIV = 1;
const FPE_FLTINV = 7;
/** get_si_code() without DR6.BS: what INT1 gives. */
const TRAP_BRKPT = 1;
const BUS_ADRALN = 1;
const SEGV_CPERR = 10;

interface Response {
  /** As `die` and the kernel log name it. */
  readonly text: string;
  readonly signo: number;
  readonly code: number;
  /** si_addr is the address of the instruction. */
  readonly address: "ip" | "none";
}

const RESPONSES: ReadonlyMap<number, Response> = new Map([
  [VECTOR_DE, { text: "divide error", signo: SIGFPE, code: FPE_INTDIV, address: "ip" }],
  [VECTOR_DB, { text: "debug", signo: SIGTRAP, code: TRAP_BRKPT, address: "ip" }],
  [VECTOR_BP, { text: "int3", signo: SIGTRAP, code: SI_KERNEL, address: "none" }],
  [VECTOR_OF, { text: "overflow", signo: SIGSEGV, code: SI_KERNEL, address: "none" }],
  [VECTOR_BR, { text: "bounds", signo: SIGSEGV, code: SI_KERNEL, address: "none" }],
  [VECTOR_UD, { text: "invalid opcode", signo: SIGILL, code: ILL_ILLOPN, address: "ip" }],
  [VECTOR_TS, { text: "invalid TSS", signo: SIGSEGV, code: SI_KERNEL, address: "none" }],
  [VECTOR_NP, { text: "segment not present", signo: SIGBUS, code: SI_KERNEL, address: "none" }],
  [VECTOR_SS, { text: "stack segment", signo: SIGBUS, code: SI_KERNEL, address: "none" }],
  [VECTOR_GP, { text: "general protection fault", signo: SIGSEGV, code: SI_KERNEL, address: "none" }],
  [VECTOR_MF, { text: "fpu exception", signo: SIGFPE, code: FPE_FLTINV, address: "ip" }],
  [VECTOR_AC, { text: "alignment check", signo: SIGBUS, code: BUS_ADRALN, address: "none" }],
  [VECTOR_XM, { text: "simd exception", signo: SIGFPE, code: FPE_FLTINV, address: "ip" }],
  [VECTOR_CP, { text: "control protection", signo: SIGSEGV, code: SEGV_CPERR, address: "none" }],
]);

/** Handles an exception with its frame. Interrupts are off on entry. */
export function* exception(k: Context, frame: KPtr, vector: number): Work {
  const response = RESPONSES.get(vector);
  const error = hasErrorCode(vector) ? k.ram.read32(frame + REGS_ORIG_AX) : 0;
  if (k.point(COST_STEP)) yield;
  if (!userMode(k.ram, frame)) {
    if (!fixupException(k, frame)) yield* die(k, frame, `${response?.text ?? `trap ${vector}`}`, error);
    return;
  }
  if (response === undefined) {
    yield* die(k, frame, `unexpected trap ${vector} from user mode`, error);
    return;
  }
  enableIfFrameHad(k, frame);
  if (k.point(COST_IRQ_MASK)) yield;
  if (vector === VECTOR_DB) clearSingleStep(k, frame);
  const atIp = response.address === "ip";
  k.kernel.process.forceSignal(k, {
    signo: response.signo,
    code: response.code,
    lo: atIp ? k.ram.read32(frame + REGS_IP) : 0,
    hi: atIp ? k.ram.read32(frame + REGS_IP + 4) : 0,
    trap: vector,
    error,
  });
}

/** cond_local_irq_enable(): interrupts are on again if they were where the trap came from. @hot */
export function enableIfFrameHad(k: Context, frame: KPtr): void {
  if ((k.ram.read32(frame + REGS_FLAGS) & RFLAGS_IF) !== 0) k.cpu.setInterruptsEnabled(true);
}

/** fixup_exception(): the frame of a user-access site returns to the site's fixup; false: it was not one. */
export function fixupException(k: Context, frame: KPtr): boolean {
  const ram = k.ram;
  const fixup = fixupOf(stubAt(ram.read32(frame + REGS_IP), ram.read32(frame + REGS_IP + 4)));
  if (fixup < 0) return false;
  ram.write64(frame + REGS_IP, stubLo(fixup), TEXT_HI);
  return true;
}

/** die() and panic(): the kernel's own mistake, with a dump. Does not return. */
export function* die(k: Context, frame: KPtr, text: string, error: number): Work {
  const kernel = k.kernel;
  const code = (error >>> 0).toString(16).padStart(4, "0");
  kernel.printk(`${text}: ${code} [#1] SMP`);
  kernel.printk(kernel.arch.entry.describeFrame(kernel, frame));
  kernel.panic(k, userMode(k.ram, frame) ? text : "Fatal exception");
  for (;;) yield;
}

/** Double fault, on its own stack: nothing can be trusted, so the machine stops. Does not return. */
export function* doubleFault(k: Context, frame: KPtr): Work {
  k.kernel.printk(`PANIC: double fault, error_code: 0x0, CR2 ${cr2Text(k)}`);
  yield* die(k, frame, "double fault", 0);
}

/** A non-maskable interrupt, on its own stack: no device of the machine raises one, so it is reported. */
export function* nonMaskableInterrupt(k: Context): Work {
  if (k.point(COST_STEP)) yield;
  k.kernel.count("NMI");
  k.kernel.printk(
    `Uhhuh. NMI received for unknown reason 00 on CPU ${k.cpu.id}.\nDazed and confused, but trying to continue`,
  );
}

/** The kernel has no use for single steps of its own: TF does not survive the signal. */
function clearSingleStep(k: Context, frame: KPtr): void {
  const at = frame + REGS_FLAGS;
  k.ram.write32(at, k.ram.read32(at) & ~RFLAGS_TF);
}

function cr2Text(k: Context): string {
  const cpu = k.cpu as X86Cpu;
  return `${(cpu.cr2Hi >>> 0).toString(16).padStart(8, "0")}${(cpu.cr2Lo >>> 0).toString(16).padStart(8, "0")}`;
}
