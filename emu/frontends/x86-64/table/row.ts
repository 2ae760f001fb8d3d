/** A row of the instruction table: what the two columns of the SDM's opcode tables say, in the form the decoder uses. */

export type RowSource = readonly [opcode: string, instruction: string];

/** `lifted` executes; `gap` and `invalid` decode to their length and raise #UD. */
export type RowKind = "lifted" | "gap" | "invalid";

export type RegisterFile = "gpr" | "segment" | "control" | "debug" | "mm" | "xmm" | "ymm" | "st";

export type OperandPlace =
  | "reg"
  | "rm"
  | "vvvv"
  | "opcode"
  | "is4"
  | "fixed"
  | "immediate"
  | "relative"
  | "moffs";

export interface OperandSpec {
  /** As the instruction column prints it. */
  readonly text: string;
  readonly place: OperandPlace;
  /** Register file if the operand is or may be a register. */
  readonly file: RegisterFile | null;
  readonly registerBits: number;
  /** It may be memory; always so if `file` is null. */
  readonly memory: boolean;
  /** Width of the memory operand in bits; 0 if the manual gives none (LEA, FXSAVE, descriptor tables). */
  readonly memoryBits: number;
  /** Register number or constant of a fixed operand (AL, CL, FS, 1), else 0. */
  readonly value: number;
}

/** Conditions under which a row applies, one bit mask per dimension of the encoding. */
export interface RowConditions {
  /** Bit (W << 1 | 66 present). */
  readonly size: number;
  /** Bit 0: neither, 1: F2, 2: F3 (of several the last). */
  readonly rep: number;
  /** Bit 0: memory, 1: register. */
  readonly mod: number;
  readonly reg: number;
  readonly rm: number;
  /** REX.B. */
  readonly b: number;
  /** VEX.L. */
  readonly l: number;
}

export interface Row extends RowConditions {
  /** Position in the whole table; stable only within one build. */
  readonly id: number;
  readonly group: string;
  readonly kind: RowKind;
  readonly opcodeText: string;
  readonly instructionText: string;
  readonly mnemonic: string;
  readonly operands: readonly OperandSpec[];
  readonly vex: boolean;
  /** 0: one-byte map, 1: 0F, 2: 0F 38, 3: 0F 3A. */
  readonly map: number;
  readonly opcode: number;
  /** The low three opcode bits are a register. */
  readonly plusRegister: boolean;
  readonly hasModRM: boolean;
  /** The mod field is ignored and taken as 3 (MOV to and from CR and DR). */
  readonly modIgnored: boolean;
  /** Operand size in bits, 8 to 64; 0 where it has no meaning. */
  readonly operandBits: number;
  /** Sizes in bytes of the immediates; a size of 8 is a full 64-bit immediate. */
  readonly immediateBytes: readonly number[];
  /** An 8-bit immediate is sign-extended. */
  readonly immediateSigned: boolean;
  /** 66, F2 or F3 as part of the opcode, else 0. */
  readonly mandatoryPrefix: number;
  /** Some instruction of this row may carry LOCK: its destination is memory. */
  readonly lockable: boolean;
  /** Meaning of F2 and F3: none, REP, or REPE/REPNE. */
  readonly repeat: "none" | "rep" | "repe";
}
