/**
 * The kernel log's account of a fatal fault (show_signal_msg() of arch/x86/mm/fault.c and its kin elsewhere): one line
 * with what and where, and one with the code bytes around the PC.
 */
import type { Context, Work } from "../context.ts";
import type { KPtr } from "../struct.ts";
import { processOf } from "../tasks/process-state.ts";

/** Prints the report. `frame`: the user frame of the fault. */
export function* reportFault(k: Context, frame: KPtr): Work {
  const arch = k.kernel.arch.process;
  const task = k.task!;
  const pcLo = arch.pcLo(k.ram, frame);
  const pcHi = arch.pcHi(k.ram, frame);
  k.kernel.printk(arch.faultLine(k, frame, task, programLocation(k, pcLo, pcHi)));
  const code = yield* arch.codeLine(k, frame);
  if (code !== null) k.kernel.printk(code);
}

/** ` in NAME[offset,start+size]` of the program segment that holds a PC, or nothing (print_vma_addr()). */
export function programLocation(k: Context, pcLo: number, pcHi: number): string {
  const image = processOf(k.task!).group.image;
  const vpn = (pcLo >>> 12) + (pcHi >>> 0) * 0x10_0000;
  const segment = image.segments.find((candidate) => vpn >= candidate.startVpn && vpn < candidate.endVpn);
  if (segment === undefined) return "";
  const name = image.path.slice(image.path.lastIndexOf("/") + 1);
  const offset = (vpn - segment.startVpn + segment.fileOffsetPages) * 4096 + (pcLo & 0xfff);
  const start = (segment.startVpn * 4096).toString(16);
  const size = ((segment.endVpn - segment.startVpn) * 4096).toString(16);
  return ` in ${name}[${offset.toString(16)},${start}+${size}]`;
}
