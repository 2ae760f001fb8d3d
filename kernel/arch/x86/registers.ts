/** Control-register bits, EFER bits and model-specific registers that the kernel sets. SDM vol. 3A 2.5, vol. 4. */
export const CR0_PE: number = 1 << 0;
export const CR0_MP: number = 1 << 1;
export const CR0_ET: number = 1 << 4;
export const CR0_NE: number = 1 << 5;
export const CR0_WP: number = 1 << 16;
export const CR0_AM: number = 1 << 18;
export const CR0_PG: number = 1 << 31;

export const CR4_PSE: number = 1 << 4;
export const CR4_PAE: number = 1 << 5;
export const CR4_PGE: number = 1 << 7;
export const CR4_LA57: number = 1 << 12;
export const CR4_FSGSBASE: number = 1 << 16;
export const CR4_PCIDE: number = 1 << 17;
export const CR4_SMEP: number = 1 << 20;
export const CR4_SMAP: number = 1 << 21;
export const CR4_PKE: number = 1 << 22;

export const EFER_SCE: number = 1 << 0;
export const EFER_LME: number = 1 << 8;
export const EFER_LMA: number = 1 << 10;
export const EFER_NX: number = 1 << 11;

export const RFLAGS_FIXED: number = 1 << 1;
export const RFLAGS_TF: number = 1 << 8;
export const RFLAGS_IF: number = 1 << 9;
export const RFLAGS_RF: number = 1 << 16;

export const MSR_IA32_APIC_BASE = 0x1b;
export const MSR_IA32_TSC_DEADLINE = 0x6e0;
export const MSR_X2APIC_TPR = 0x808;
export const MSR_X2APIC_EOI = 0x80b;
export const MSR_X2APIC_SVR = 0x80f;
export const MSR_X2APIC_ICR = 0x830;
export const MSR_X2APIC_LVT_TIMER = 0x832;
export const MSR_STAR = 0xc000_0081;
export const MSR_LSTAR = 0xc000_0082;
export const MSR_CSTAR = 0xc000_0083;
export const MSR_SYSCALL_MASK = 0xc000_0084;
export const MSR_FS_BASE = 0xc000_0100;
export const MSR_GS_BASE = 0xc000_0101;
export const MSR_KERNEL_GS_BASE = 0xc000_0102;
