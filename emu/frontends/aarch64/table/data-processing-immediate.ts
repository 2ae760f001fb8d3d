/** C4.1 "Data Processing -- Immediate": op0 100x. */

export const DATA_PROCESSING_IMMEDIATE = [
  // PC-rel. addressing
  ["0jj10000iiiiiiiiiiiiiiiiiiiddddd", "ADR", "adr <Xd>, <adr>"],
  ["1jj10000iiiiiiiiiiiiiiiiiiiddddd", "ADRP", "adrp <Xd>, <adrp>"],
  // Add/subtract (immediate)
  ["s00100010hiiiiiiiiiiiinnnnnddddd", "ADD (immediate)", "add <Rd|SP>, <Rn|SP>, #<ix><lsl12>"],
  ["s01100010hiiiiiiiiiiiinnnnnddddd", "ADDS (immediate)", "adds <Rd>, <Rn|SP>, #<ix><lsl12>"],
  ["s10100010hiiiiiiiiiiiinnnnnddddd", "SUB (immediate)", "sub <Rd|SP>, <Rn|SP>, #<ix><lsl12>"],
  ["s11100010hiiiiiiiiiiiinnnnnddddd", "SUBS (immediate)", "subs <Rd>, <Rn|SP>, #<ix><lsl12>"],
  // Logical (immediate)
  ["s00100100Nrrrrrriiiiiinnnnnddddd", "AND (immediate)", "and <Rd|SP>, <Rn>, #<bitmask>", "bit-mask"],
  ["s01100100Nrrrrrriiiiiinnnnnddddd", "ORR (immediate)", "orr <Rd|SP>, <Rn>, #<bitmask>", "bit-mask"],
  ["s10100100Nrrrrrriiiiiinnnnnddddd", "EOR (immediate)", "eor <Rd|SP>, <Rn>, #<bitmask>", "bit-mask"],
  ["s11100100Nrrrrrriiiiiinnnnnddddd", "ANDS (immediate)", "ands <Rd>, <Rn>, #<bitmask>", "bit-mask"],
  // Move wide (immediate)
  ["s00100101hhiiiiiiiiiiiiiiiiddddd", "MOVN", "movn <Rd>, #<ix><hw>", "halfword"],
  ["s10100101hhiiiiiiiiiiiiiiiiddddd", "MOVZ", "movz <Rd>, #<ix><hw>", "halfword"],
  ["s11100101hhiiiiiiiiiiiiiiiiddddd", "MOVK", "movk <Rd>, #<ix><hw>", "halfword"],
  // Bitfield
  ["s00100110Nrrrrrriiiiiinnnnnddddd", "SBFM", "sbfm <Rd>, <Rn>, #<r>, #<i>", "bitfield"],
  ["s01100110Nrrrrrriiiiiinnnnnddddd", "BFM", "bfm <Rd>, <Rn>, #<r>, #<i>", "bitfield"],
  ["s10100110Nrrrrrriiiiiinnnnnddddd", "UBFM", "ubfm <Rd>, <Rn>, #<r>, #<i>", "bitfield"],
  // Extract
  ["s00100111N0mmmmmiiiiiinnnnnddddd", "EXTR", "extr <Rd>, <Rn>, <Rm>, #<i>", "extract"],
] as const;
