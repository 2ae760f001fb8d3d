/**
 * String instructions. REP (F3) and REPNE (F2) are prefixes of the instruction, not part of a row.
 * Intel SDM Vol. 1 §5.1.8; Vol. 2 "REP/REPE/REPZ/REPNE/REPNZ".
 */

export const STRING = [
  ["A4", "MOVSB"],
  ["o16 A5", "MOVSW"],
  ["o32 A5", "MOVSD"],
  ["REX.W + A5", "MOVSQ"],
  ["A6", "CMPSB"],
  ["o16 A7", "CMPSW"],
  ["o32 A7", "CMPSD"],
  ["REX.W + A7", "CMPSQ"],
  ["AE", "SCASB"],
  ["o16 AF", "SCASW"],
  ["o32 AF", "SCASD"],
  ["REX.W + AF", "SCASQ"],
  ["AC", "LODSB"],
  ["o16 AD", "LODSW"],
  ["o32 AD", "LODSD"],
  ["REX.W + AD", "LODSQ"],
  ["AA", "STOSB"],
  ["o16 AB", "STOSW"],
  ["o32 AB", "STOSD"],
  ["REX.W + AB", "STOSQ"],
] as const;
