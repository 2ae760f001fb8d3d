/** The few A64 instructions of which tests make programs; encodings as in DDI 0487 C6.2. */
export type Word = number;

export const NOP = 0xd503201f;
export const WFI = 0xd503207f;
export const WFE = 0xd503205f;
export const UDF = 0x00000000;

export const svc = (imm: number): Word => 0xd4000001 | (imm << 5);
export const brk = (imm: number): Word => 0xd4200000 | (imm << 5);
export const hvc = (imm: number): Word => 0xd4000002 | (imm << 5);
export const movz = (rd: number, imm: number, shift = 0): Word =>
  0xd2800000 | ((shift >> 4) << 21) | ((imm & 0xffff) << 5) | rd;
export const movk = (rd: number, imm: number, shift: number): Word =>
  0xf2800000 | ((shift >> 4) << 21) | ((imm & 0xffff) << 5) | rd;
/** ADD Rd, Rn, #imm; register 31 is SP in both. */
export const addImmediate = (rd: number, rn: number, imm: number): Word =>
  0x91000000 | (imm << 10) | (rn << 5) | rd;
/** ORR Xd, XZR, Xm. */
export const movRegister = (rd: number, rm: number): Word => 0xaa0003e0 | (rm << 16) | rd;
export const cmpRegister = (rn: number, rm: number): Word => 0xeb00001f | (rm << 16) | (rn << 5);
/** LDR and STR Xt, [Xn, #imm]. @param imm a multiple of 8 */
export const ldr = (rt: number, rn: number, imm = 0): Word =>
  0xf9400000 | ((imm >> 3) << 10) | (rn << 5) | rt;
export const str = (rt: number, rn: number, imm = 0): Word =>
  0xf9000000 | ((imm >> 3) << 10) | (rn << 5) | rt;
export const ldxr = (rt: number, rn: number): Word => 0xc85f7c00 | (rn << 5) | rt;
export const br = (rn: number): Word => 0xd61f0000 | (rn << 5);
export const blr = (rn: number): Word => 0xd63f0000 | (rn << 5);
export const ret = (): Word => 0xd65f03c0;
/** MRS Xt, S<op0>_<op1>_C<n>_C<m>_<op2>, and MSR. */
export const mrs = (rt: number, op0: number, op1: number, crn: number, crm: number, op2: number): Word =>
  0xd5300000 | ((op0 & 1) << 19) | (op1 << 16) | (crn << 12) | (crm << 8) | (op2 << 5) | rt;
export const msr = (rt: number, op0: number, op1: number, crn: number, crm: number, op2: number): Word =>
  0xd5100000 | ((op0 & 1) << 19) | (op1 << 16) | (crn << 12) | (crm << 8) | (op2 << 5) | rt;
export const msrDaifSet = (imm: number): Word => 0xd50340df | (imm << 8);

/** A 64-bit constant: four instructions, always. */
export function mov64(rd: number, value: bigint): Word[] {
  const part = (shift: number): number => Number((value >> BigInt(shift)) & 0xffffn);
  return [movz(rd, part(0)), movk(rd, part(16), 16), movk(rd, part(32), 32), movk(rd, part(48), 48)];
}

/** A system call with constant arguments, result in X0. */
export function call(number: number, ...args: bigint[]): Word[] {
  return [...args.flatMap((value, index) => mov64(index, value)), movz(8, number), svc(0)];
}
