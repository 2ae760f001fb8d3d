/** C4.1 "Branches, Exception Generating and System instructions": op0 101x. */
export const BRANCHES_SYSTEM = [
  // Conditional branch (immediate)
  ["01010100iiiiiiiiiiiiiiiiiii0cccc", "B.cond", "b.<c> <label>"],
  // Exception generation
  ["11010100000iiiiiiiiiiiiiiii00001", "SVC", "svc #<ix>"],
  ["11010100000iiiiiiiiiiiiiiii00010", "HVC", "hvc #<ix>"],
  ["11010100000iiiiiiiiiiiiiiii00011", "SMC", "smc #<ix>"],
  ["11010100001iiiiiiiiiiiiiiii00000", "BRK", "brk #<ix>"],
  ["11010100010iiiiiiiiiiiiiiii00000", "HLT", "hlt #<ix>"],
  // Hints
  ["11010101000000110010iiiiiii11111", "HINT", "hint #<ix>"],
  // Barriers
  ["11010101000000110011iiii01011111", "CLREX", "clrex<clrex>"],
  ["11010101000000110011iiii10011111", "DSB", "dsb <barrier>"],
  ["11010101000000110011iiii10111111", "DMB", "dmb <barrier>"],
  ["11010101000000110011iiii11011111", "ISB", "isb<isb>"],
  ["11010101000000110011000011111111", "SB", "sb"],
  // PSTATE
  ["11010101000000000100000000011111", "CFINV", "cfinv"],
  ["11010101000000000100000000111111", "XAFLAG", "xaflag"],
  ["11010101000000000100000001011111", "AXFLAG", "axflag"],
  ["11010101000000000100iiii01111111", "MSR UAO", "msr uao, #<ix>"],
  ["11010101000000000100iiii10011111", "MSR PAN", "msr pan, #<ix>"],
  ["11010101000000000100iiii10111111", "MSR SPSel", "msr spsel, #<ix>"],
  ["11010101000000110100iiii00111111", "MSR SSBS", "msr ssbs, #<ix>"],
  ["11010101000000110100iiii01011111", "MSR DIT", "msr dit, #<ix>"],
  ["11010101000000110100iiii11011111", "MSR DAIFSet", "msr daifset, #<ix>"],
  ["11010101000000110100iiii11111111", "MSR DAIFClr", "msr daifclr, #<ix>"],
  // System instructions
  ["1101010100001ooonnnnmmmmpppttttt", "SYS", "sys #<o>, C<n>, C<m>, #<p><Xt?>"],
  ["1101010100101ooonnnnmmmmpppttttt", "SYSL", "sysl <Xt>, #<o>, C<n>, C<m>, #<p>"],
  // System register move
  ["110101010001jooonnnnmmmmpppttttt", "MSR (register)", "msr <sysreg>, <Xt>"],
  ["110101010011jooonnnnmmmmpppttttt", "MRS", "mrs <Xt>, <sysreg>"],
  // Unconditional branch (register)
  ["1101011000011111000000nnnnn00000", "BR", "br <Xn>"],
  ["1101011000111111000000nnnnn00000", "BLR", "blr <Xn>"],
  ["1101011001011111000000nnnnn00000", "RET", "ret<Xn?30>"],
  ["11010110100111110000001111100000", "ERET", "eret"],
  // Unconditional branch (immediate)
  ["000101iiiiiiiiiiiiiiiiiiiiiiiiii", "B", "b <label>"],
  ["100101iiiiiiiiiiiiiiiiiiiiiiiiii", "BL", "bl <label>"],
  // Compare and branch (immediate)
  ["s0110100iiiiiiiiiiiiiiiiiiittttt", "CBZ", "cbz <Rt>, <label>"],
  ["s0110101iiiiiiiiiiiiiiiiiiittttt", "CBNZ", "cbnz <Rt>, <label>"],
  // Test and branch (immediate)
  ["s0110110kkkkkiiiiiiiiiiiiiittttt", "TBZ", "tbz <Rt>, #<bit>, <label>"],
  ["s0110111kkkkkiiiiiiiiiiiiiittttt", "TBNZ", "tbnz <Rt>, #<bit>, <label>"],
] as const;
