/** arch_prctl(2): the FS and GS bases (arch/x86/kernel/process_64.c). */
import type { X86Cpu } from "../../../emu/hardware.ts";
import type { Context, Work } from "../../context.ts";
import { EFAULT, EINVAL, EPERM } from "../../errno.ts";
import type { Syscall } from "../../syscalls/syscall.ts";
import { putUser64 } from "../../user-access.ts";
import { MSR_FS_BASE, MSR_GS_BASE } from "./registers.ts";

const ARCH_SET_GS = 0x1001;
const ARCH_SET_FS = 0x1002;
const ARCH_GET_FS = 0x1003;
const ARCH_GET_GS = 0x1004;

/** arch_prctl(code, address). */
export function* sysArchPrctl(k: Context, call: Syscall): Work<number> {
  const code = call.lo(0);
  const cpu = k.cpu as X86Cpu;
  const msr = code === ARCH_SET_FS || code === ARCH_GET_FS ? MSR_FS_BASE : MSR_GS_BASE;
  switch (code) {
    case ARCH_SET_FS:
    case ARCH_SET_GS:
      if (!k.kernel.arch.entry.isUserRange(call.lo(1), call.hi(1), 1)) return -EPERM;
      cpu.wrmsr(msr, call.lo(1), call.hi(1));
      return 0;
    case ARCH_GET_FS:
    case ARCH_GET_GS: {
      const status = yield* putUser64(k, call.lo(1), call.hi(1), cpu.rdmsrLo(msr), cpu.rdmsrHi(msr));
      return status === 0 ? 0 : -EFAULT;
    }
    default:
      return -EINVAL;
  }
}
