/** Exception vectors (SDM vol. 3A table 6-1) and the kernel's interrupt vectors (asm/irq_vectors.h). */
export const VECTOR_DE = 0;
export const VECTOR_DB = 1;
export const VECTOR_NMI = 2;
export const VECTOR_BP = 3;
export const VECTOR_OF = 4;
export const VECTOR_BR = 5;
export const VECTOR_UD = 6;
export const VECTOR_NM = 7;
export const VECTOR_DF = 8;
export const VECTOR_TS = 10;
export const VECTOR_NP = 11;
export const VECTOR_SS = 12;
export const VECTOR_GP = 13;
export const VECTOR_PF = 14;
export const VECTOR_MF = 16;
export const VECTOR_AC = 17;
export const VECTOR_XM = 19;
export const VECTOR_CP = 21;

export const LOCAL_TIMER_VECTOR = 0xec;
export const CALL_FUNCTION_SINGLE_VECTOR = 0xfb;
export const CALL_FUNCTION_VECTOR = 0xfc;
export const RESCHEDULE_VECTOR = 0xfd;
export const SPURIOUS_APIC_VECTOR = 0xff;

/** Vectors for which the CPU pushes an error code: #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP, and 29, 30. */
const ERROR_CODE_VECTORS = 0x6022_7d00;

/** The CPU pushes an error code. @hot */
export function hasErrorCode(vector: number): boolean {
  return vector < 32 && ((ERROR_CODE_VECTORS >>> vector) & 1) !== 0;
}
