/**
 * What an abort's fault status code means to the kernel: fault_info[] of arch/arm64/mm/fault.c, Linux 6.6. A tag check
 * fault cannot happen: the modelled cores have no memory tags.
 */

/** Who handles it: do_translation_fault(), do_page_fault(), do_alignment_fault(), do_sea(), do_bad(). */
export type FaultHandler = "translation" | "page" | "alignment" | "external" | "bad";

export interface FaultInfo {
  readonly handler: FaultHandler;
  readonly signo: number;
  readonly code: number;
  readonly name: string;
}

const SIGBUS = 7;
const SIGKILL = 9;
const SIGSEGV = 11;
const SI_KERNEL = 0x80;
const SEGV_MAPERR = 1;
const SEGV_ACCERR = 2;
const BUS_ADRALN = 1;
const BUS_OBJERR = 3;

/** esr_to_fault_info(). */
export function faultInfo(esr: number): FaultInfo {
  return FAULT_INFO[esr & 0x3f]!;
}

const FAULT_INFO: readonly FaultInfo[] = Array.from({ length: 64 }, (_, code) => infoOf(code));

function infoOf(code: number): FaultInfo {
  const level = code & 3;
  if (code === 0) return bad("ttbr address size fault");
  if (code < 0x04) return bad(`level ${level} address size fault`);
  if (code < 0x08) {
    return {
      handler: "translation",
      signo: SIGSEGV,
      code: SEGV_MAPERR,
      name: `level ${level} translation fault`,
    };
  }
  if (code < 0x10 && level !== 0) {
    const name = `level ${level} ${code < 0x0c ? "access flag" : "permission"} fault`;
    return { handler: "page", signo: SIGSEGV, code: SEGV_ACCERR, name };
  }
  if (code >= 0x14 && code < 0x18) return walkAborted(`level ${level} (translation table walk)`);
  if (code >= 0x1c && code < 0x20) {
    return walkAborted(`level ${level} synchronous parity error (translation table walk)`);
  }
  switch (code) {
    case 0x10:
      return { handler: "external", signo: SIGBUS, code: BUS_OBJERR, name: "synchronous external abort" };
    case 0x18:
      return {
        handler: "external",
        signo: SIGBUS,
        code: BUS_OBJERR,
        name: "synchronous parity or ECC error",
      };
    case 0x21:
      return { handler: "alignment", signo: SIGBUS, code: BUS_ADRALN, name: "alignment fault" };
    case 0x30:
      return bad("TLB conflict abort");
    case 0x31:
      return bad("Unsupported atomic hardware update fault");
    case 0x34:
      return bad("implementation fault (lockdown abort)");
    case 0x35:
      return {
        handler: "bad",
        signo: SIGBUS,
        code: BUS_OBJERR,
        name: "implementation fault (unsupported exclusive)",
      };
    case 0x3d:
      return bad("section domain fault");
    case 0x3e:
      return bad("page domain fault");
    default:
      return bad(`unknown ${code}`);
  }
}

function bad(name: string): FaultInfo {
  return { handler: "bad", signo: SIGKILL, code: SI_KERNEL, name };
}

function walkAborted(name: string): FaultInfo {
  return { handler: "external", signo: SIGKILL, code: SI_KERNEL, name };
}
