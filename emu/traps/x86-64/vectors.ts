/**
 * Exception vectors: which push an error code (Intel SDM vol. 3A 6.3, table 6-1) and how two of them combine while the
 * first is being delivered (6.15, tables 6-4 and 6-5).
 */

export const VECTOR_DE = 0;
export const VECTOR_DB = 1;
export const VECTOR_NMI = 2;
export const VECTOR_BP = 3;
export const VECTOR_UD = 6;
export const VECTOR_DF = 8;
export const VECTOR_TS = 10;
export const VECTOR_NP = 11;
export const VECTOR_SS = 12;
export const VECTOR_GP = 13;
export const VECTOR_PF = 14;
export const VECTOR_AC = 17;

/** Classes of the event that is being delivered. */
export const SEVERITY_BENIGN = 0;
export const SEVERITY_CONTRIBUTORY = 1;
export const SEVERITY_PAGE_FAULT = 2;
export const SEVERITY_DOUBLE_FAULT = 3;

/** #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP. */
const WITH_ERROR_CODE = (1 << 8) | (0x1f << 10) | (1 << 17) | (1 << 21);
/** #DE, #TS, #NP, #SS, #GP, #CP. */
const CONTRIBUTORY = (1 << 0) | (0xf << 10) | (1 << 21);
/** #PF, #VE. */
const PAGE_FAULTS = (1 << 14) | (1 << 20);

/** @hot */
export function hasErrorCode(vector: number): boolean {
  return vector < 32 && ((WITH_ERROR_CODE >>> vector) & 1) !== 0;
}

/** Severity of an exception. @hot */
export function contributionOf(vector: number): number {
  if (vector >= 32) return SEVERITY_BENIGN;
  if (((CONTRIBUTORY >>> vector) & 1) !== 0) return SEVERITY_CONTRIBUTORY;
  return ((PAGE_FAULTS >>> vector) & 1) !== 0 ? SEVERITY_PAGE_FAULT : SEVERITY_BENIGN;
}

/** What follows when `vector` arises while an event of severity `first` is delivered: a vector, or -1 for shutdown. */
export function secondEvent(first: number, vector: number): number {
  const second = contributionOf(vector);
  if (second === SEVERITY_BENIGN || first === SEVERITY_BENIGN) return vector;
  switch (first) {
    case SEVERITY_CONTRIBUTORY:
      return second === SEVERITY_CONTRIBUTORY ? VECTOR_DF : vector;
    case SEVERITY_PAGE_FAULT:
      return VECTOR_DF;
    default:
      return -1;
  }
}
