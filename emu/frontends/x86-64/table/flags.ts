/**
 * Flag control instructions.
 * Intel SDM Vol. 1 §5.1.11; Vol. 2.
 */

export const FLAGS = [
  ["F8", "CLC"],
  ["F9", "STC"],
  ["F5", "CMC"],
  ["FC", "CLD"],
  ["FD", "STD"],
  ["9F", "LAHF"],
  ["9E", "SAHF"],
  ["o16 9C", "PUSHF"],
  ["d64 9C", "PUSHFQ"],
  ["o16 9D", "POPF"],
  ["d64 9D", "POPFQ"],
  ["FA", "CLI"],
  ["FB", "STI"],
] as const;
