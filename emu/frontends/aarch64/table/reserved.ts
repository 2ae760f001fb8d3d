/** C4.1 "Reserved": op0 0000. Everything else there is unallocated. */
export const RESERVED = [["0000000000000000iiiiiiiiiiiiiiii", "UDF", "udf #<i>"]] as const;
