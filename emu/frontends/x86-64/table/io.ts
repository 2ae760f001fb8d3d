/**
 * Input and output instructions, string forms included. An operand size of 64 bits does not exist; REX.W means 32.
 * Intel SDM Vol. 1 §5.1.9, §5.1.10; Vol. 2.
 */

export const IO = [
  ["E4 ib", "IN AL, imm8"],
  ["o16 E5 ib", "IN AX, imm8"],
  ["oW32 E5 ib", "IN EAX, imm8"],
  ["EC", "IN AL, DX"],
  ["o16 ED", "IN AX, DX"],
  ["oW32 ED", "IN EAX, DX"],
  ["E6 ib", "OUT imm8, AL"],
  ["o16 E7 ib", "OUT imm8, AX"],
  ["oW32 E7 ib", "OUT imm8, EAX"],
  ["EE", "OUT DX, AL"],
  ["o16 EF", "OUT DX, AX"],
  ["oW32 EF", "OUT DX, EAX"],
  ["6C", "INSB"],
  ["o16 6D", "INSW"],
  ["oW32 6D", "INSD"],
  ["6E", "OUTSB"],
  ["o16 6F", "OUTSW"],
  ["oW32 6F", "OUTSD"],
] as const;
