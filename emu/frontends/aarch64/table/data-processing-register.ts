/** C4.1 "Data Processing -- Register": op0 x101. */

export const DATA_PROCESSING_REGISTER = [
  // Data-processing (2 source)
  ["s0011010110mmmmm000010nnnnnddddd", "UDIV", "udiv <Rd>, <Rn>, <Rm>"],
  ["s0011010110mmmmm000011nnnnnddddd", "SDIV", "sdiv <Rd>, <Rn>, <Rm>"],
  ["s0011010110mmmmm001000nnnnnddddd", "LSLV", "lslv <Rd>, <Rn>, <Rm>"],
  ["s0011010110mmmmm001001nnnnnddddd", "LSRV", "lsrv <Rd>, <Rn>, <Rm>"],
  ["s0011010110mmmmm001010nnnnnddddd", "ASRV", "asrv <Rd>, <Rn>, <Rm>"],
  ["s0011010110mmmmm001011nnnnnddddd", "RORV", "rorv <Rd>, <Rn>, <Rm>"],
  ["00011010110mmmmm010000nnnnnddddd", "CRC32B", "crc32b <Wd>, <Wn>, <Wm>"],
  ["00011010110mmmmm010001nnnnnddddd", "CRC32H", "crc32h <Wd>, <Wn>, <Wm>"],
  ["00011010110mmmmm010010nnnnnddddd", "CRC32W", "crc32w <Wd>, <Wn>, <Wm>"],
  ["10011010110mmmmm010011nnnnnddddd", "CRC32X", "crc32x <Wd>, <Wn>, <Xm>"],
  ["00011010110mmmmm010100nnnnnddddd", "CRC32CB", "crc32cb <Wd>, <Wn>, <Wm>"],
  ["00011010110mmmmm010101nnnnnddddd", "CRC32CH", "crc32ch <Wd>, <Wn>, <Wm>"],
  ["00011010110mmmmm010110nnnnnddddd", "CRC32CW", "crc32cw <Wd>, <Wn>, <Wm>"],
  ["10011010110mmmmm010111nnnnnddddd", "CRC32CX", "crc32cx <Wd>, <Wn>, <Xm>"],
  // Data-processing (1 source)
  ["s101101011000000000000nnnnnddddd", "RBIT", "rbit <Rd>, <Rn>"],
  ["s101101011000000000001nnnnnddddd", "REV16", "rev16 <Rd>, <Rn>"],
  ["0101101011000000000010nnnnnddddd", "REV (32-bit)", "rev <Wd>, <Wn>"],
  ["1101101011000000000010nnnnnddddd", "REV32", "rev32 <Xd>, <Xn>"],
  ["1101101011000000000011nnnnnddddd", "REV (64-bit)", "rev <Xd>, <Xn>"],
  ["s101101011000000000100nnnnnddddd", "CLZ", "clz <Rd>, <Rn>"],
  ["s101101011000000000101nnnnnddddd", "CLS", "cls <Rd>, <Rn>"],
  // Logical (shifted register)
  ["s0001010hh0mmmmmiiiiiinnnnnddddd", "AND (shifted register)", "and <Rd>, <Rn>, <Rm><shift>", "shift"],
  ["s0001010hh1mmmmmiiiiiinnnnnddddd", "BIC (shifted register)", "bic <Rd>, <Rn>, <Rm><shift>", "shift"],
  ["s0101010hh0mmmmmiiiiiinnnnnddddd", "ORR (shifted register)", "orr <Rd>, <Rn>, <Rm><shift>", "shift"],
  ["s0101010hh1mmmmmiiiiiinnnnnddddd", "ORN (shifted register)", "orn <Rd>, <Rn>, <Rm><shift>", "shift"],
  ["s1001010hh0mmmmmiiiiiinnnnnddddd", "EOR (shifted register)", "eor <Rd>, <Rn>, <Rm><shift>", "shift"],
  ["s1001010hh1mmmmmiiiiiinnnnnddddd", "EON (shifted register)", "eon <Rd>, <Rn>, <Rm><shift>", "shift"],
  ["s1101010hh0mmmmmiiiiiinnnnnddddd", "ANDS (shifted register)", "ands <Rd>, <Rn>, <Rm><shift>", "shift"],
  ["s1101010hh1mmmmmiiiiiinnnnnddddd", "BICS (shifted register)", "bics <Rd>, <Rn>, <Rm><shift>", "shift"],
  // Add/subtract (shifted register)
  ["s0001011hh0mmmmmiiiiiinnnnnddddd", "ADD (shifted register)", "add <Rd>, <Rn>, <Rm><shift>", "rotation"],
  ["s0101011hh0mmmmmiiiiiinnnnnddddd", "ADDS (shifted register)", "adds <Rd>, <Rn>, <Rm><shift>", "rotation"],
  ["s1001011hh0mmmmmiiiiiinnnnnddddd", "SUB (shifted register)", "sub <Rd>, <Rn>, <Rm><shift>", "rotation"],
  ["s1101011hh0mmmmmiiiiiinnnnnddddd", "SUBS (shifted register)", "subs <Rd>, <Rn>, <Rm><shift>", "rotation"],
  // Add/subtract (extended register)
  [
    "s0001011001mmmmmoooiiinnnnnddddd",
    "ADD (extended register)",
    "add <Rd|SP>, <Rn|SP>, <extended>",
    "extension",
  ],
  [
    "s0101011001mmmmmoooiiinnnnnddddd",
    "ADDS (extended register)",
    "adds <Rd>, <Rn|SP>, <extendedS>",
    "extension",
  ],
  [
    "s1001011001mmmmmoooiiinnnnnddddd",
    "SUB (extended register)",
    "sub <Rd|SP>, <Rn|SP>, <extended>",
    "extension",
  ],
  [
    "s1101011001mmmmmoooiiinnnnnddddd",
    "SUBS (extended register)",
    "subs <Rd>, <Rn|SP>, <extendedS>",
    "extension",
  ],
  // Add/subtract (with carry)
  ["s0011010000mmmmm000000nnnnnddddd", "ADC", "adc <Rd>, <Rn>, <Rm>"],
  ["s0111010000mmmmm000000nnnnnddddd", "ADCS", "adcs <Rd>, <Rn>, <Rm>"],
  ["s1011010000mmmmm000000nnnnnddddd", "SBC", "sbc <Rd>, <Rn>, <Rm>"],
  ["s1111010000mmmmm000000nnnnnddddd", "SBCS", "sbcs <Rd>, <Rn>, <Rm>"],
  // Rotate right into flags
  ["10111010000iiiiii00001nnnnn0kkkk", "RMIF", "rmif <Xn>, #<i>, #<k>"],
  // Evaluate into flags
  ["0011101000000000000010nnnnn01101", "SETF8", "setf8 <Wn>"],
  ["0011101000000000010010nnnnn01101", "SETF16", "setf16 <Wn>"],
  // Conditional compare
  ["s0111010010mmmmmcccc00nnnnn0vvvv", "CCMN (register)", "ccmn <Rn>, <Rm>, #<vx>, <c>"],
  ["s1111010010mmmmmcccc00nnnnn0vvvv", "CCMP (register)", "ccmp <Rn>, <Rm>, #<vx>, <c>"],
  ["s0111010010mmmmmcccc10nnnnn0vvvv", "CCMN (immediate)", "ccmn <Rn>, #<mx>, #<vx>, <c>"],
  ["s1111010010mmmmmcccc10nnnnn0vvvv", "CCMP (immediate)", "ccmp <Rn>, #<mx>, #<vx>, <c>"],
  // Conditional select
  ["s0011010100mmmmmcccc00nnnnnddddd", "CSEL", "csel <Rd>, <Rn>, <Rm>, <c>"],
  ["s0011010100mmmmmcccc01nnnnnddddd", "CSINC", "csinc <Rd>, <Rn>, <Rm>, <c>"],
  ["s1011010100mmmmmcccc00nnnnnddddd", "CSINV", "csinv <Rd>, <Rn>, <Rm>, <c>"],
  ["s1011010100mmmmmcccc01nnnnnddddd", "CSNEG", "csneg <Rd>, <Rn>, <Rm>, <c>"],
  // Data-processing (3 source)
  ["s0011011000mmmmm0aaaaannnnnddddd", "MADD", "madd <Rd>, <Rn>, <Rm>, <Ra>"],
  ["s0011011000mmmmm1aaaaannnnnddddd", "MSUB", "msub <Rd>, <Rn>, <Rm>, <Ra>"],
  ["10011011001mmmmm0aaaaannnnnddddd", "SMADDL", "smaddl <Xd>, <Wn>, <Wm>, <Xa>"],
  ["10011011001mmmmm1aaaaannnnnddddd", "SMSUBL", "smsubl <Xd>, <Wn>, <Wm>, <Xa>"],
  ["10011011010mmmmm0-----nnnnnddddd", "SMULH", "smulh <Xd>, <Xn>, <Xm>"],
  ["10011011101mmmmm0aaaaannnnnddddd", "UMADDL", "umaddl <Xd>, <Wn>, <Wm>, <Xa>"],
  ["10011011101mmmmm1aaaaannnnnddddd", "UMSUBL", "umsubl <Xd>, <Wn>, <Wm>, <Xa>"],
  ["10011011110mmmmm0-----nnnnnddddd", "UMULH", "umulh <Xd>, <Xn>, <Xm>"],
] as const;
