/**
 * The IR's operations as data: argument types, result type, immediates and effects. The builder, the verifier, the
 * text form and every backend derive what they need from this table.
 *
 * Values are SSA temporaries of a block. i32 operations wrap modulo 2^32. Shift and rotate counts are i32, taken
 * modulo the width. `offset` immediates are byte offsets into the core's state. A 64-bit constant has two int32
 * immediates, low first. Division by zero yields 0; frontends test first where their manual traps.
 *
 * Memory operations take a 64-bit guest virtual address. Their immediate `attr` is made by memAttr():
 * endianness, order, alignment class and segment class. A load with order `locked` is translated for writing and
 * opens a bus-locked sequence that the next `unlock` store of the same instruction closes; all of it is one event.
 * An `exclusive` load sets the core's monitor; storex stores only while it holds, and clears it.
 * A load with order `modify` is a plain load whose page is translated for writing, because the instruction writes it back.
 */

export type IrType = "i32" | "i64" | "f32" | "f64" | "v128";

export type Immediate =
  /** Byte offset into the core state. */
  | "offset"
  /** A signed 32-bit number. */
  | "int"
  /** Two int32 halves, low first: a constant or a guest address. */
  | "wide"
  /** memAttr() bits. */
  | "attr"
  /** 8, 16, 32 or 64. */
  | "width"
  /** Index into CONDITIONS. */
  | "condition"
  /** Control-transfer hint, index into TRANSFERS. */
  | "transfer";

export interface Operation {
  readonly args: readonly IrType[];
  readonly result: IrType | null;
  readonly immediates: readonly Immediate[];
  /** May raise a guest fault; must precede every write of guest state of its instruction. */
  readonly faults: boolean;
  /** Writes guest state (slots or the condition record). */
  readonly writesState: boolean;
  /** Reads or writes memory in a way that others can see: never moved or removed. */
  readonly memory: "load" | "store" | null;
  readonly writesFlags: boolean;
  readonly readsFlags: boolean;
  /** Ends the block. */
  readonly exit: boolean;
  readonly doc: string;
}

/**
 * Operation → [signature, meaning]. Signature: argument types and `#immediates`, `-> result`, `! effects`.
 */
export const SIGNATURES = {
  mark: ["#wide #int", "a guest instruction starts: its address and length in bytes"],
  "const.i32": ["#int -> i32", "constant"],
  "const.i64": ["#wide -> i64", "constant"],
  get8: ["#offset -> i32", "byte of state, zero-extended"],
  get16: ["#offset -> i32", "halfword of state, zero-extended"],
  get32: ["#offset -> i32", "word of state"],
  get64: ["#offset -> i64", "doubleword of state"],
  put8: ["i32 #offset ! writes-state", "writes a byte of state"],
  put16: ["i32 #offset ! writes-state", "writes a halfword of state"],
  put32: ["i32 #offset ! writes-state", "writes a word of state"],
  put64: ["i64 #offset ! writes-state", "writes a doubleword of state"],
  "add.i32": ["i32 i32 -> i32", "sum"],
  "sub.i32": ["i32 i32 -> i32", "difference"],
  "mul.i32": ["i32 i32 -> i32", "low half of the product"],
  "and.i32": ["i32 i32 -> i32", "bitwise and"],
  "or.i32": ["i32 i32 -> i32", "bitwise or"],
  "xor.i32": ["i32 i32 -> i32", "bitwise exclusive or"],
  "shl.i32": ["i32 i32 -> i32", "shift left"],
  "shr.i32": ["i32 i32 -> i32", "shift right, zero fill"],
  "sar.i32": ["i32 i32 -> i32", "shift right, sign fill"],
  "rotl.i32": ["i32 i32 -> i32", "rotate left"],
  "rotr.i32": ["i32 i32 -> i32", "rotate right"],
  "divu.i32": ["i32 i32 -> i32", "unsigned quotient"],
  "divs.i32": ["i32 i32 -> i32", "signed quotient, toward zero; wraps on overflow"],
  "remu.i32": ["i32 i32 -> i32", "unsigned remainder"],
  "rems.i32": ["i32 i32 -> i32", "signed remainder, sign of the dividend"],
  "clz.i32": ["i32 -> i32", "leading zeros; 32 for 0"],
  "ctz.i32": ["i32 -> i32", "trailing zeros; 32 for 0"],
  "popcnt.i32": ["i32 -> i32", "set bits"],
  "bswap.i32": ["i32 -> i32", "byte reversal"],
  "zext8.i32": ["i32 -> i32", "low byte, zero-extended"],
  "zext16.i32": ["i32 -> i32", "low halfword, zero-extended"],
  "sext8.i32": ["i32 -> i32", "low byte, sign-extended"],
  "sext16.i32": ["i32 -> i32", "low halfword, sign-extended"],
  "add.i64": ["i64 i64 -> i64", "sum"],
  "sub.i64": ["i64 i64 -> i64", "difference"],
  "mul.i64": ["i64 i64 -> i64", "low half of the product"],
  "mulhu.i64": ["i64 i64 -> i64", "high half of the unsigned product"],
  "mulhs.i64": ["i64 i64 -> i64", "high half of the signed product"],
  "and.i64": ["i64 i64 -> i64", "bitwise and"],
  "or.i64": ["i64 i64 -> i64", "bitwise or"],
  "xor.i64": ["i64 i64 -> i64", "bitwise exclusive or"],
  "shl.i64": ["i64 i32 -> i64", "shift left"],
  "shr.i64": ["i64 i32 -> i64", "shift right, zero fill"],
  "sar.i64": ["i64 i32 -> i64", "shift right, sign fill"],
  "rotl.i64": ["i64 i32 -> i64", "rotate left"],
  "rotr.i64": ["i64 i32 -> i64", "rotate right"],
  "divu.i64": ["i64 i64 -> i64", "unsigned quotient"],
  "divs.i64": ["i64 i64 -> i64", "signed quotient, toward zero; wraps on overflow"],
  "remu.i64": ["i64 i64 -> i64", "unsigned remainder"],
  "rems.i64": ["i64 i64 -> i64", "signed remainder, sign of the dividend"],
  "divu128.fits": ["i64 i64 i64 -> i32", "(hi, lo, d): d is not 0 and hi:lo / d fits 64 bits, unsigned"],
  "divs128.fits": ["i64 i64 i64 -> i32", "(hi, lo, d): d is not 0 and hi:lo / d fits 64 bits, signed"],
  divu128: ["i64 i64 i64 -> i64", "(hi, lo, d): unsigned quotient modulo 2^64"],
  remu128: ["i64 i64 i64 -> i64", "(hi, lo, d): unsigned remainder"],
  divs128: ["i64 i64 i64 -> i64", "(hi, lo, d): signed quotient modulo 2^64"],
  rems128: ["i64 i64 i64 -> i64", "(hi, lo, d): signed remainder"],
  "clz.i64": ["i64 -> i64", "leading zeros; 64 for 0"],
  "ctz.i64": ["i64 -> i64", "trailing zeros; 64 for 0"],
  "popcnt.i64": ["i64 -> i64", "set bits"],
  "bswap.i64": ["i64 -> i64", "byte reversal"],
  pdep: ["i64 i64 -> i64", "(source, mask): deposits low source bits at the mask's set bits"],
  pext: ["i64 i64 -> i64", "(source, mask): gathers source bits at the mask's set bits"],
  crc32: [
    "i32 i64 #int #int -> i32",
    "(crc, data) with reflected polynomial and data length in bytes (1, 2, 4, 8)",
  ],
  "sext.i64": ["i32 -> i64", "sign extension"],
  "zext.i64": ["i32 -> i64", "zero extension"],
  "wrap.i32": ["i64 -> i32", "low half"],
  "eq.i32": ["i32 i32 -> i32", "equal"],
  "ne.i32": ["i32 i32 -> i32", "not equal"],
  "ltu.i32": ["i32 i32 -> i32", "less, unsigned"],
  "lts.i32": ["i32 i32 -> i32", "less, signed"],
  "leu.i32": ["i32 i32 -> i32", "less or equal, unsigned"],
  "les.i32": ["i32 i32 -> i32", "less or equal, signed"],
  "eq.i64": ["i64 i64 -> i32", "equal"],
  "ne.i64": ["i64 i64 -> i32", "not equal"],
  "ltu.i64": ["i64 i64 -> i32", "less, unsigned"],
  "lts.i64": ["i64 i64 -> i32", "less, signed"],
  "leu.i64": ["i64 i64 -> i32", "less or equal, unsigned"],
  "les.i64": ["i64 i64 -> i32", "less or equal, signed"],
  "select.i32": ["i32 i32 i32 -> i32", "(c, a, b): a if c is not 0, else b"],
  "select.i64": ["i32 i64 i64 -> i64", "(c, a, b): a if c is not 0, else b"],
  addr: ["i64 i64 #int #int -> i64", "(base, index): base + (index << scale) + sign-extended displacement"],
  load8: ["i64 #attr -> i32 ! faults load", "zero-extended byte"],
  load16: ["i64 #attr -> i32 ! faults load", "zero-extended halfword"],
  load32: ["i64 #attr -> i32 ! faults load", "word"],
  load64: ["i64 #attr -> i64 ! faults load", "doubleword"],
  store8: ["i64 i32 #attr ! faults store", "low byte"],
  store16: ["i64 i32 #attr ! faults store", "low halfword"],
  store32: ["i64 i32 #attr ! faults store", "word"],
  store64: ["i64 i64 #attr ! faults store", "doubleword"],
  storex8: [
    "i64 i32 #attr -> i32 ! faults store",
    "low byte, if the core's exclusive monitor holds: 0, else 1",
  ],
  storex16: ["i64 i32 #attr -> i32 ! faults store", "low halfword, likewise"],
  storex32: ["i64 i32 #attr -> i32 ! faults store", "word, likewise"],
  storex64: ["i64 i64 #attr -> i32 ! faults store", "doubleword, likewise"],
  storex128: ["i64 i64 i64 #attr -> i32 ! faults store", "(address, low, high): 16 bytes, likewise"],
  fence: ["#int", "orders memory accesses: bits load-load 1, load-store 2, store-load 4, store-store 8"],
  "flags.add.i32": ["i32 i32 #width ! writes-flags", "record of a + b"],
  "flags.sub.i32": ["i32 i32 #width ! writes-flags", "record of a - b; carry is borrow"],
  "flags.adc.i32": ["i32 i32 i32 #width ! writes-flags", "record of a + b + carry (0 or 1)"],
  "flags.sbb.i32": ["i32 i32 i32 #width ! writes-flags", "record of a - b - borrow (0 or 1)"],
  "flags.logic.i32": ["i32 #width ! writes-flags", "record of a logical result: C = O = A = 0"],
  "flags.logicc.i32": ["i32 #width ! writes-flags", "record of a logical result: C = 1, O = A = 0"],
  "flags.inc.i32": ["i32 #width ! reads-flags writes-flags", "record of a result of + 1; keeps C"],
  "flags.dec.i32": ["i32 #width ! reads-flags writes-flags", "record of a result of - 1; keeps C"],
  "flags.shl.i32": [
    "i32 i32 #width ! reads-flags writes-flags",
    "record of a << count (0-31); count 0 keeps the record",
  ],
  "flags.shr.i32": [
    "i32 i32 #width ! reads-flags writes-flags",
    "record of a >>> count; count 0 keeps the record",
  ],
  "flags.sar.i32": [
    "i32 i32 #width ! reads-flags writes-flags",
    "record of a >> count; count 0 keeps the record",
  ],
  "flags.add.i64": ["i64 i64 #width ! writes-flags", "record of a + b"],
  "flags.sub.i64": ["i64 i64 #width ! writes-flags", "record of a - b; carry is borrow"],
  "flags.adc.i64": ["i64 i64 i32 #width ! writes-flags", "record of a + b + carry (0 or 1)"],
  "flags.sbb.i64": ["i64 i64 i32 #width ! writes-flags", "record of a - b - borrow (0 or 1)"],
  "flags.logic.i64": ["i64 #width ! writes-flags", "record of a logical result: C = O = A = 0"],
  "flags.logicc.i64": ["i64 #width ! writes-flags", "record of a logical result: C = 1, O = A = 0"],
  "flags.inc.i64": ["i64 #width ! reads-flags writes-flags", "record of a result of + 1; keeps C"],
  "flags.dec.i64": ["i64 #width ! reads-flags writes-flags", "record of a result of - 1; keeps C"],
  "flags.shl.i64": [
    "i64 i32 #width ! reads-flags writes-flags",
    "record of a << count (0-63); count 0 keeps the record",
  ],
  "flags.shr.i64": [
    "i64 i32 #width ! reads-flags writes-flags",
    "record of a >>> count; count 0 keeps the record",
  ],
  "flags.sar.i64": [
    "i64 i32 #width ! reads-flags writes-flags",
    "record of a >> count; count 0 keeps the record",
  ],
  "flags.read": ["-> i32 ! reads-flags", "the six condition bits (FLAG_*)"],
  "flags.write": ["i32 ! writes-flags", "sets the six condition bits"],
  "flags.patch": ["i32 i32 ! reads-flags writes-flags", "(mask, bits): replaces the bits under the mask"],
  condition: ["#condition -> i32 ! reads-flags", "a predicate of the condition record, 0 or 1"],
  "trap.if": [
    "i32 #int ! faults",
    "if the value is not 0: trap of the frontend's number, at this instruction",
  ],
  "exit.if": ["i32 #wide ! faults", "if the value is not 0: leave for this address; no write precedes it"],
  "exit.jump": ["#wide #transfer ! exit", "to a constant address"],
  "exit.branch": ["i32 #wide #wide ! exit", "first address if the value is not 0, else the second"],
  "exit.indirect": ["i64 #transfer ! exit", "to a computed address"],
  "exit.trap": ["#int #wide ! exit", "trap of the frontend's number; the address is the saved PC"],
  "exit.helper": [
    "i64 i64 #int #wide ! exit",
    "calls the frontend's host helper with two values; PC is the given address unless the helper changes it or traps",
  ],
} as const;

export type Opcode = keyof typeof SIGNATURES;

function parseSignature([signature, doc]: readonly [string, string]): Operation {
  const [shape, effectText] = signature.split("!").map((part) => part.trim());
  const [operands, result] = shape!.split("->").map((part) => part.trim());
  const words = operands === "" ? [] : operands!.split(" ");
  const effects = new Set(effectText?.split(" "));
  return {
    args: words.filter((word) => !word.startsWith("#")) as IrType[],
    immediates: words.filter((word) => word.startsWith("#")).map((word) => word.slice(1) as Immediate),
    result: (result as IrType | undefined) ?? null,
    faults: effects.has("faults"),
    memory: effects.has("load") ? "load" : effects.has("store") ? "store" : null,
    readsFlags: effects.has("reads-flags"),
    writesFlags: effects.has("writes-flags"),
    writesState: effects.has("writes-flags") || effects.has("writes-state"),
    exit: effects.has("exit"),
    doc,
  };
}

export const OPERATIONS: Readonly<Record<Opcode, Operation>> = Object.fromEntries(
  Object.entries(SIGNATURES).map(([opcode, entry]) => [opcode, parseSignature(entry)]),
) as Record<Opcode, Operation>;

export const TRANSFERS = ["next", "jump", "call", "return"] as const;
export type Transfer = (typeof TRANSFERS)[number];

export const ORDERS = ["plain", "acquire", "release", "exclusive", "locked", "unlock", "modify"] as const;
export type Order = (typeof ORDERS)[number];
export const ALIGNMENTS = ["any", "natural", "checked", "pair"] as const;
/**
 * `natural`: misaligned accesses fault always; `checked`: when the regime's alignment check is on; `pair`: the first
 * of two accesses of one size, whose address must be a multiple of both.
 */
export type Alignment = (typeof ALIGNMENTS)[number];
export const SEGMENTS = ["data", "stack"] as const;
/** Which of the frontend's address-fault causes applies (x86: #GP or #SS for a non-canonical address). */
export type Segment = (typeof SEGMENTS)[number];

export const PRIVILEGES = ["current", "user"] as const;
/** `user`: translated as if the core were at user privilege. */
export type Privilege = (typeof PRIVILEGES)[number];

export interface MemoryAccess {
  readonly endian?: "little" | "big";
  readonly order?: Order;
  readonly alignment?: Alignment;
  readonly segment?: Segment;
  readonly privilege?: Privilege;
}

/** Bits: 0 big-endian, 3:1 order, 5:4 alignment, 6 stack segment, 7 user privilege. */
export function memAttr(access: MemoryAccess): number {
  return (
    (access.endian === "big" ? 1 : 0) |
    (ORDERS.indexOf(access.order ?? "plain") << 1) |
    (ALIGNMENTS.indexOf(access.alignment ?? "any") << 4) |
    (access.segment === "stack" ? 64 : 0) |
    (access.privilege === "user" ? 128 : 0)
  );
}

export function memAccess(attr: number): Required<MemoryAccess> {
  return {
    endian: attr & 1 ? "big" : "little",
    order: ORDERS[(attr >> 1) & 7]!,
    alignment: ALIGNMENTS[(attr >> 4) & 3]!,
    segment: attr & 64 ? "stack" : "data",
    privilege: attr & 128 ? "user" : "current",
  };
}

/** Number of int32 words that an operation's immediates take. */
export function immediateWords(operation: Operation): number {
  return operation.immediates.reduce((sum, kind) => sum + (kind === "wide" ? 2 : 1), 0);
}
