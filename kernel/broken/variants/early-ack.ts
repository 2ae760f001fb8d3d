/** A core answers before it has flushed, and the tables are freed while its walker may still be in them. */
import { X86Tlb } from "../../arch/x86/tlb.ts";
import type { SendOptions } from "../../cross-call.ts";
import type { KPtr } from "../../struct.ts";
import { ALL_DESIGNS, type BrokenVariant, X86 } from "../variant.ts";

/** The receiver unlocks the call record before it runs the function, and the sender waits for that. */
const BEFORE_FLUSH: SendOptions = { wait: "no-wait" };

class EarlyAcknowledgement extends X86Tlb {
  override sendOptions(mm: KPtr, tables: "tables-freed" | "tables-kept"): SendOptions {
    return tables === "tables-freed" ? BEFORE_FLUSH : super.sendOptions(mm, tables);
  }
}

export const EARLY_ACK: BrokenVariant = {
  id: "early-ack",
  title: "a flush that freed tables is acknowledged when the interrupt is accepted, not when it is done",
  catalogue: null,
  designs: ALL_DESIGNS,
  architectures: X86,
  invariants: ["I2", "I3"],
  needs: [],
  overrides: { x86Tlb: EarlyAcknowledgement },
};
