/**
 * AES, carry-less multiplication, SHA and GF(2^8) instructions without VEX: declared gaps.
 * Intel SDM Vol. 1 §5.12, §5.18; Vol. 2.
 */

export const GAPS_CRYPTO = [
  ["66 0F 38 DB /r", "AESIMC xmm1, xmm2/m128"],
  ["66 0F 38 DC /r", "AESENC xmm1, xmm2/m128"],
  ["66 0F 38 DD /r", "AESENCLAST xmm1, xmm2/m128"],
  ["66 0F 38 DE /r", "AESDEC xmm1, xmm2/m128"],
  ["66 0F 38 DF /r", "AESDECLAST xmm1, xmm2/m128"],
  ["66 0F 38 CF /r", "GF2P8MULB xmm1, xmm2/m128"],
  ["66 0F 3A DF /r ib", "AESKEYGENASSIST xmm1, xmm2/m128, imm8"],
  ["66 0F 3A 44 /r ib", "PCLMULQDQ xmm1, xmm2/m128, imm8"],
  ["66 0F 3A CE /r ib", "GF2P8AFFINEQB xmm1, xmm2/m128, imm8"],
  ["66 0F 3A CF /r ib", "GF2P8AFFINEINVQB xmm1, xmm2/m128, imm8"],
  ["NP 0F 38 C8 /r", "SHA1NEXTE xmm1, xmm2/m128"],
  ["NP 0F 38 C9 /r", "SHA1MSG1 xmm1, xmm2/m128"],
  ["NP 0F 38 CA /r", "SHA1MSG2 xmm1, xmm2/m128"],
  ["NP 0F 38 CB /r", "SHA256RNDS2 xmm1, xmm2/m128, <XMM0>"],
  ["NP 0F 38 CC /r", "SHA256MSG1 xmm1, xmm2/m128"],
  ["NP 0F 38 CD /r", "SHA256MSG2 xmm1, xmm2/m128"],
  ["NP 0F 3A CC /r ib", "SHA1RNDS4 xmm1, xmm2/m128, imm8"],
] as const;
