/** Interrupt controllers. */
export type { MessageKind } from "./apic-messages.ts";
export * from "./broadcasts.ts";
export * from "./generic-timer.ts";
export * from "./gicv3.ts";
export { affinityOf, Gicv3Bus } from "./gicv3-bus.ts";
export * from "./gicv3-registers.ts";
export * from "./x2apic.ts";
export { X2ApicBus } from "./x2apic-bus.ts";
export * from "./x2apic-registers.ts";
