/**
 * Bit and byte instructions: BT family, bit scans, SETcc, POPCNT, CRC32.
 * Intel SDM Vol. 1 §5.1.6; Vol. 2.
 */

export const BIT = [
  // BT
  ["0F A3 /r", "BT r/m16, r16"],
  ["0F A3 /r", "BT r/m32, r32"],
  ["REX.W + 0F A3 /r", "BT r/m64, r64"],
  ["0F BA /4 ib", "BT r/m16, imm8"],
  ["0F BA /4 ib", "BT r/m32, imm8"],
  ["REX.W + 0F BA /4 ib", "BT r/m64, imm8"],
  // BTS
  ["0F AB /r", "BTS r/m16, r16"],
  ["0F AB /r", "BTS r/m32, r32"],
  ["REX.W + 0F AB /r", "BTS r/m64, r64"],
  ["0F BA /5 ib", "BTS r/m16, imm8"],
  ["0F BA /5 ib", "BTS r/m32, imm8"],
  ["REX.W + 0F BA /5 ib", "BTS r/m64, imm8"],
  // BTR
  ["0F B3 /r", "BTR r/m16, r16"],
  ["0F B3 /r", "BTR r/m32, r32"],
  ["REX.W + 0F B3 /r", "BTR r/m64, r64"],
  ["0F BA /6 ib", "BTR r/m16, imm8"],
  ["0F BA /6 ib", "BTR r/m32, imm8"],
  ["REX.W + 0F BA /6 ib", "BTR r/m64, imm8"],
  // BTC
  ["0F BB /r", "BTC r/m16, r16"],
  ["0F BB /r", "BTC r/m32, r32"],
  ["REX.W + 0F BB /r", "BTC r/m64, r64"],
  ["0F BA /7 ib", "BTC r/m16, imm8"],
  ["0F BA /7 ib", "BTC r/m32, imm8"],
  ["REX.W + 0F BA /7 ib", "BTC r/m64, imm8"],
  // Bit scans. A BSF or BSR with F3 is TZCNT or LZCNT; with F2 the prefix is ignored.
  ["NF3 0F BC /r", "BSF r16, r/m16"],
  ["NF3 0F BC /r", "BSF r32, r/m32"],
  ["NF3 REX.W + 0F BC /r", "BSF r64, r/m64"],
  ["NF3 0F BD /r", "BSR r16, r/m16"],
  ["NF3 0F BD /r", "BSR r32, r/m32"],
  ["NF3 REX.W + 0F BD /r", "BSR r64, r/m64"],
  ["F3 0F B8 /r", "POPCNT r16, r/m16"],
  ["F3 0F B8 /r", "POPCNT r32, r/m32"],
  ["F3 REX.W 0F B8 /r", "POPCNT r64, r/m64"],
  // SETcc. The reg field is ignored (Vol. 2 Appendix A, table A-3).
  ["0F 90 /_", "SETO r/m8"],
  ["0F 91 /_", "SETNO r/m8"],
  ["0F 92 /_", "SETB r/m8"],
  ["0F 93 /_", "SETAE r/m8"],
  ["0F 94 /_", "SETE r/m8"],
  ["0F 95 /_", "SETNE r/m8"],
  ["0F 96 /_", "SETBE r/m8"],
  ["0F 97 /_", "SETA r/m8"],
  ["0F 98 /_", "SETS r/m8"],
  ["0F 99 /_", "SETNS r/m8"],
  ["0F 9A /_", "SETP r/m8"],
  ["0F 9B /_", "SETNP r/m8"],
  ["0F 9C /_", "SETL r/m8"],
  ["0F 9D /_", "SETGE r/m8"],
  ["0F 9E /_", "SETLE r/m8"],
  ["0F 9F /_", "SETG r/m8"],
  // CRC32
  ["F2 0F 38 F0 /r", "CRC32 r32, r/m8"],
  ["F2 REX.W 0F 38 F0 /r", "CRC32 r64, r/m8"],
  ["F2 o16 0F 38 F1 /r", "CRC32 r32, r/m16"],
  ["F2 0F 38 F1 /r", "CRC32 r32, r/m32"],
  ["F2 REX.W 0F 38 F1 /r", "CRC32 r64, r/m64"],
] as const;
