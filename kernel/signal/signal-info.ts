/**
 * siginfo_t: what a handler is told about its signal. Layout of include/uapi/asm-generic/siginfo.h on 64-bit machines:
 *
 *     0  si_signo   4  si_errno   8  si_code  12  padding
 *    16  si_pid    20  si_uid    24  si_status (SIGCHLD) or si_value (queued)    kill, tgkill, SIGCHLD
 *    32  si_utime  40  si_stime                                                  SIGCHLD
 *    16  si_addr   32  si_pkey (SEGV_PKUERR)                                     faults
 *   128  bytes in all, the rest zero
 */
import ByteBuffer from "bytebuffer";

export const SIGINFO_BYTES = 128;

export interface SignalInfo {
  readonly signal: number;
  readonly code: number;
  readonly detail:
    | { readonly kind: "none" }
    | { readonly kind: "sender"; readonly pid: number; readonly uid: number }
    | { readonly kind: "child"; readonly pid: number; readonly uid: number; readonly status: number }
    | { readonly kind: "fault"; readonly lo: number; readonly hi: number; readonly pkey: number };
}

export function signalInfo(signal: number, code: number): SignalInfo {
  return { signal, code, detail: { kind: "none" } };
}

/** A signal that a process sent: kill (SI_USER), tkill and tgkill (SI_TKILL). */
export function sentInfo(signal: number, code: number, pid: number): SignalInfo {
  return { signal, code, detail: { kind: "sender", pid, uid: 0 } };
}

/** SIGCHLD: a child ended. */
export function childInfo(signal: number, code: number, pid: number, status: number): SignalInfo {
  return { signal, code, detail: { kind: "child", pid, uid: 0, status } };
}

/** A fault at an address, int32 halves. @param pkey the protection key, for SEGV_PKUERR alone */
export function faultInfo(signal: number, code: number, lo: number, hi: number, pkey = 0): SignalInfo {
  return { signal, code, detail: { kind: "fault", lo, hi, pkey } };
}

/** The bytes that the handler sees. */
export function encodeSignalInfo(info: SignalInfo, order: "little" | "big"): Uint8Array {
  const buffer = ByteBuffer.wrap(new Uint8Array(SIGINFO_BYTES), order === "little");
  buffer.writeInt32(info.signal, 0);
  buffer.writeInt32(info.code, 8);
  const detail = info.detail;
  switch (detail.kind) {
    case "none":
      break;
    case "sender":
      buffer.writeInt32(detail.pid, 16).writeInt32(detail.uid, 20);
      break;
    case "child":
      buffer.writeInt32(detail.pid, 16).writeInt32(detail.uid, 20).writeInt32(detail.status, 24);
      break;
    case "fault":
      buffer.writeInt32(order === "little" ? detail.lo : detail.hi, 16);
      buffer.writeInt32(order === "little" ? detail.hi : detail.lo, 20);
      buffer.writeInt32(detail.pkey, 32);
  }
  return buffer.buffer;
}
