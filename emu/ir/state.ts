/**
 * The architecture-neutral head of a core's state. Byte offsets; frontends place their slots from
 * STATE_FRONTEND_BASE on. Host and guest state are little-endian; byte and halfword slots are parts of wider ones.
 *
 *     0  PC (i64)          address of the next instruction at a block boundary
 *     8  flags kind (i32)  which operation the lazy condition record holds (flags.ts)
 *    12  flags carry (i32) carry in of adc/sbb, preserved carry of inc/dec, count of shifts
 *    16  flags A (i64)     first operand; the result for logic; the bits themselves for "explicit"
 *    24  flags B (i64)     second operand
 *    32  access phase (i32)  1: the first half of a page-crossing access is translated; 2: that of an instruction
 *    36  access pa (i32)     its physical address
 *    40  locked (i32)        a bus-locked sequence is open
 *    44  monitor (i32)       of exclusive accesses: physical address of the granule, bit 0 set; 0 if open
 *    48  exclusive data      16 bytes of a storex128 on their way; its or another storex's result
 */
export const STATE_PC = 0;
export const STATE_FLAGS_KIND = 8;
export const STATE_FLAGS_CARRY = 12;
export const STATE_FLAGS_A = 16;
export const STATE_FLAGS_B = 24;
export const STATE_ACCESS_PHASE = 32;
export const STATE_ACCESS_FIRST_PA = 36;
export const STATE_LOCKED = 40;
export const STATE_MONITOR = 44;
export const STATE_EXCLUSIVE_DATA = 48;
/** First byte that frontends may use. */
export const STATE_FRONTEND_BASE = 64;
/** Bytes reserved for all slots of a frontend, the vector and floating-point area included. */
export const STATE_TEMPS_BASE = 4096;
/** IR temporaries: 8 bytes each. A block has at most this many. */
export const MAX_TEMPS = 512;
/** First byte after the temporaries. */
export const STATE_END: number = STATE_TEMPS_BASE + MAX_TEMPS * 8;
