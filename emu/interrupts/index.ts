/** Interrupt controllers. */
export type { MessageKind } from "./apic-messages.ts";
export * from "./x2apic.ts";
export { X2ApicBus } from "./x2apic-bus.ts";
export * from "./x2apic-registers.ts";
