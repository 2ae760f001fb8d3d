/** Registers of the local APIC in x2APIC mode and their bits. Intel SDM vol. 3A 10.5, 10.6, 10.12. */

/** MSR numbers, SDM table 10-6. */
export const MSR_X2APIC_FIRST = 0x800;
export const MSR_X2APIC_LAST = 0x8ff;
export const X2APIC_ID = 0x802;
export const X2APIC_VERSION = 0x803;
export const X2APIC_TPR = 0x808;
export const X2APIC_PPR = 0x80a;
export const X2APIC_EOI = 0x80b;
export const X2APIC_LDR = 0x80d;
export const X2APIC_SVR = 0x80f;
export const X2APIC_ISR = 0x810;
export const X2APIC_TMR = 0x818;
export const X2APIC_IRR = 0x820;
export const X2APIC_ESR = 0x828;
export const X2APIC_ICR = 0x830;
export const X2APIC_LVT_TIMER = 0x832;
export const X2APIC_LVT_THERMAL = 0x833;
export const X2APIC_LVT_PERFORMANCE = 0x834;
export const X2APIC_LVT_LINT0 = 0x835;
export const X2APIC_LVT_LINT1 = 0x836;
export const X2APIC_LVT_ERROR = 0x837;
export const X2APIC_INITIAL_COUNT = 0x838;
export const X2APIC_CURRENT_COUNT = 0x839;
export const X2APIC_DIVIDE = 0x83e;
export const X2APIC_SELF_IPI = 0x83f;

/** ESR bits. */
export const ESR_REDIRECTABLE_IPI: number = 1 << 4;
export const ESR_SEND_ILLEGAL_VECTOR: number = 1 << 5;
export const ESR_RECEIVED_ILLEGAL_VECTOR: number = 1 << 6;

/** Version 0x14 of the integrated APIC, six LVT entries. */
export const VERSION = 0x0005_0014;
export const SVR_ENABLE = 0x100;
export const SVR_VALID = 0x1ff;
export const LVT_MASKED = 0x1_0000;
/** Writable bits of each LVT entry. */
export const LVT_TIMER_VALID = 0x7_00ff;
export const LVT_MODE_VALID = 0x1_07ff;
export const LVT_LINT_VALID = 0x1_a7ff;
export const LVT_ERROR_VALID = 0x1_00ff;
/** ICR bits 7:0, 10:8, 11, 14, 15, 19:18. */
export const ICR_LO_VALID = 0xc_cfff;
export const LEVEL_ASSERT = 0x4000;
export const TRIGGER_LEVEL = 0x8000;
/** Vectors below are illegal. */
export const FIRST_VECTOR = 16;

export const DELIVERY_FIXED = 0;
export const DELIVERY_LOWEST = 1;
export const DELIVERY_NMI = 4;
export const DELIVERY_INIT = 5;
export const DELIVERY_SIPI = 6;
