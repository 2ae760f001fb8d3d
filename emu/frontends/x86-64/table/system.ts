/**
 * System instructions.
 * Intel SDM Vol. 1 §5.20, §5.21; Vol. 2; Vol. 3 ch. 2.8.
 */

export const SYSTEM = [
  // Descriptor tables
  ["oIG 0F 01 /0", "SGDT m80"],
  ["oIG 0F 01 /1", "SIDT m80"],
  ["oIG 0F 01 /2", "LGDT m80"],
  ["oIG 0F 01 /3", "LIDT m80"],
  ["0F 00 /0", "SLDT r/m16"],
  ["0F 00 /0", "SLDT r32/m16"],
  ["REX.W + 0F 00 /0", "SLDT r64/m16"],
  ["0F 00 /1", "STR r/m16"],
  ["0F 00 /1", "STR r32/m16"],
  ["REX.W + 0F 00 /1", "STR r64/m16"],
  ["oIG 0F 00 /2", "LLDT r/m16"],
  ["oIG 0F 00 /3", "LTR r/m16"],
  ["oIG 0F 00 /4", "VERR r/m16"],
  ["oIG 0F 00 /5", "VERW r/m16"],
  ["0F 01 /4", "SMSW r/m16"],
  ["0F 01 /4", "SMSW r32/m16"],
  ["REX.W + 0F 01 /4", "SMSW r64/m16"],
  ["oIG 0F 01 /6", "LMSW r/m16"],
  ["0F 02 /r", "LAR r16, r/m16"],
  ["0F 02 /r", "LAR r32, r/m16"],
  ["REX.W + 0F 02 /r", "LAR r64, r/m16"],
  ["0F 03 /r", "LSL r16, r/m16"],
  ["0F 03 /r", "LSL r32, r/m16"],
  ["REX.W + 0F 03 /r", "LSL r64, r/m16"],
  // Control and debug registers. The mod field is ignored.
  ["f64 0F 20 /r", "MOV r64, CR0-CR8"],
  ["f64 0F 22 /r", "MOV CR0-CR8, r64"],
  ["f64 0F 21 /r", "MOV r64, DR0-DR7"],
  ["f64 0F 23 /r", "MOV DR0-DR7, r64"],
  ["0F 06", "CLTS"],
  // Model-specific registers
  ["0F 32", "RDMSR"],
  ["0F 30", "WRMSR"],
  // Translation and caches
  ["0F 01 /7", "INVLPG m8"],
  ["66 f64 0F 38 82 /r", "INVPCID r64, m128"],
  ["0F 08", "INVD"],
  ["NF3 0F 09", "WBINVD"],
  ["F3 0F 09", "WBNOINVD"],
  // Processor state
  ["F4", "HLT"],
  ["0F 01 F8", "SWAPGS"],
  ["NP 0F 01 CA", "CLAC"],
  ["NP 0F 01 CB", "STAC"],
  // Far pointers loads
  ["o16 0F B2 /r", "LSS r16, m16:16"],
  ["o32 0F B2 /r", "LSS r32, m16:32"],
  ["REX.W + 0F B2 /r", "LSS r64, m16:64"],
  ["o16 0F B4 /r", "LFS r16, m16:16"],
  ["o32 0F B4 /r", "LFS r32, m16:32"],
  ["REX.W + 0F B4 /r", "LFS r64, m16:64"],
  ["o16 0F B5 /r", "LGS r16, m16:16"],
  ["o32 0F B5 /r", "LGS r32, m16:32"],
  ["REX.W + 0F B5 /r", "LGS r64, m16:64"],
] as const;
