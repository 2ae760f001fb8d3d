/** Changing the alternate signal stack: do_sigaltstack() of kernel/signal.c, for sigaltstack() and for the return from a handler. */
import { EINVAL, ENOMEM } from "../errno.ts";
import type { AlternateStack } from "./delivery-record.ts";
import { SS_AUTODISARM, SS_DISABLE, SS_ONSTACK } from "./signal-numbers.ts";

/**
 * Makes `next` the alternate stack. Whether the old one is in use is the caller's question.
 * @param minimumBytes MINSIGSTKSZ of the architecture
 * @returns 0, -EINVAL or -ENOMEM; the stack is unchanged then
 */
export function changeAlternateStack(
  stack: AlternateStack,
  next: Readonly<AlternateStack>,
  minimumBytes: number,
): number {
  const mode = next.flags & ~SS_AUTODISARM;
  if (mode !== SS_DISABLE && mode !== SS_ONSTACK && mode !== 0) return -EINVAL;
  if (mode === SS_DISABLE) {
    Object.assign(stack, { lo: 0, hi: 0, sizeBytes: 0, flags: next.flags });
    return 0;
  }
  if (next.sizeBytes < minimumBytes) return -ENOMEM;
  Object.assign(stack, next);
  return 0;
}
