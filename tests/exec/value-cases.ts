/**
 * Operations without side effects: arguments, immediates and the result that their definition in ir/opcodes.ts gives.
 * The rows of pdep, pext, crc32 and the 128-bit divisions that trap nowhere were recorded from PDEP, PEXT, CRC32, DIV
 * and IDIV on an AMD EPYC; crc32 of "1" is also the first step of the check value in RFC 3720, appendix B.4.
 */
import type { Opcode } from "../../emu/ir/index.ts";

export interface ValueCase {
  readonly opcode: Opcode;
  readonly args: readonly bigint[];
  readonly immediates: readonly number[];
  readonly expected: bigint;
}

type Row = readonly [args: readonly bigint[], expected: bigint, immediates?: readonly number[]];

const MAX32 = 0xffff_ffffn;
const MIN32 = 0x8000_0000n;
const MAX64 = 0xffff_ffff_ffff_ffffn;
const MIN64 = 0x8000_0000_0000_0000n;
const A = 0x0123_4567_89ab_cdefn;
const B = 0xfedc_ba98_7654_3210n;
const BYTES_ODD = 0xff00_ff00_ff00_ff00n;
const CASTAGNOLI = 0x82f6_3b78 | 0;

const ROWS: Partial<Record<Opcode, readonly Row[]>> = {
  "const.i32": [
    [[], 0n, [0]],
    [[], 0x7fff_ffffn, [0x7fff_ffff]],
    [[], MAX32, [-1]],
  ],
  "const.i64": [
    [[], MAX32, [-1, 0]],
    [[], MIN64, [0, -0x8000_0000]],
    [[], A, [0x89ab_cdef | 0, 0x0123_4567]],
  ],
  "add.i32": [
    [[1n, 2n], 3n],
    [[MAX32, 1n], 0n],
    [[0x7fff_ffffn, 1n], MIN32],
    [[MIN32, MIN32], 0n],
  ],
  "sub.i32": [
    [[3n, 2n], 1n],
    [[0n, 1n], MAX32],
    [[MIN32, 1n], 0x7fff_ffffn],
  ],
  "mul.i32": [
    [[0x1_0000n, 0x1_0000n], 0n],
    [[MAX32, MAX32], 1n],
    [[0x1234_5678n, 0x9abc_def1n], BigInt.asUintN(32, 0x1234_5678n * 0x9abc_def1n)],
    [[0x7fff_ffffn, 0x7fff_ffffn], 1n],
  ],
  "and.i32": [[[0xff00_ff00n, 0x0ff0_0ff0n], 0x0f00_0f00n]],
  "or.i32": [[[0xff00_ff00n, 0x0ff0_0ff0n], 0xfff0_fff0n]],
  "xor.i32": [[[0xff00_ff00n, 0x0ff0_0ff0n], 0xf0f0_f0f0n]],
  "shl.i32": [
    [[0x8000_0001n, 0n], 0x8000_0001n],
    [[0x8000_0001n, 1n], 2n],
    [[1n, 31n], MIN32],
    [[1n, 32n], 1n],
    [[1n, 33n], 2n],
    [[1n, MAX32], MIN32],
  ],
  "shr.i32": [
    [[MIN32, 0n], MIN32],
    [[MIN32, 31n], 1n],
    [[MIN32, 32n], MIN32],
    [[MAX32, 36n], 0x0fff_ffffn],
  ],
  "sar.i32": [
    [[MIN32, 0n], MIN32],
    [[MIN32, 31n], MAX32],
    [[MIN32, 32n], MIN32],
    [[0x7fff_ffffn, 30n], 1n],
    [[MIN32, 36n], 0xf800_0000n],
  ],
  "rotl.i32": [
    [[0x8000_0001n, 0n], 0x8000_0001n],
    [[0x8000_0001n, 1n], 3n],
    [[0x1234_5678n, 8n], 0x3456_7812n],
    [[0x1234_5678n, 40n], 0x3456_7812n],
    [[0x1234_5678n, 31n], 0x091a_2b3cn],
  ],
  "rotr.i32": [
    [[0x8000_0001n, 0n], 0x8000_0001n],
    [[0x8000_0001n, 1n], 0xc000_0000n],
    [[0x1234_5678n, 8n], 0x7812_3456n],
    [[0x1234_5678n, 40n], 0x7812_3456n],
  ],
  "divu.i32": [
    [[7n, 2n], 3n],
    [[MAX32, 1n], MAX32],
    [[MIN32, MAX32], 0n],
    [[MAX32, 16n], 0x0fff_ffffn],
    [[5n, 0n], 0n],
  ],
  "divs.i32": [
    [[BigInt.asUintN(32, -7n), 2n], BigInt.asUintN(32, -3n)],
    [[7n, BigInt.asUintN(32, -2n)], BigInt.asUintN(32, -3n)],
    [[MIN32, MAX32], MIN32],
    [[MIN32, 1n], MIN32],
    [[MIN32, 0n], 0n],
  ],
  "remu.i32": [
    [[7n, 2n], 1n],
    [[MAX32, 16n], 15n],
    [[MIN32, MAX32], MIN32],
    [[5n, 0n], 0n],
  ],
  "rems.i32": [
    [[BigInt.asUintN(32, -7n), 2n], MAX32],
    [[7n, BigInt.asUintN(32, -2n)], 1n],
    [[MIN32, MAX32], 0n],
    [[5n, 0n], 0n],
  ],
  "clz.i32": [
    [[0n], 32n],
    [[1n], 31n],
    [[MIN32], 0n],
    [[0x0001_8000n], 15n],
  ],
  "ctz.i32": [
    [[0n], 32n],
    [[1n], 0n],
    [[MIN32], 31n],
    [[0x0001_8000n], 15n],
  ],
  "popcnt.i32": [
    [[0n], 0n],
    [[MAX32], 32n],
    [[0x8000_0001n], 2n],
    [[0x1234_5678n], 13n],
  ],
  "bswap.i32": [
    [[0x1234_5678n], 0x7856_3412n],
    [[0x80n], MIN32],
  ],
  "zext8.i32": [
    [[0x1234_56ffn], 0xffn],
    [[0x100n], 0n],
  ],
  "zext16.i32": [
    [[0x1234_ff80n], 0xff80n],
    [[0x1_0000n], 0n],
  ],
  "sext8.i32": [
    [[0x80n], 0xffff_ff80n],
    [[0x1234_567fn], 0x7fn],
  ],
  "sext16.i32": [
    [[0x8000n], 0xffff_8000n],
    [[0x1234_7fffn], 0x7fffn],
  ],
  "add.i64": [
    [[MAX32, 1n], 0x1_0000_0000n],
    [[MAX64, 1n], 0n],
    [[A, B], MAX64],
    [[0x0000_0001_ffff_ffffn, 0x0000_0001_0000_0001n], 0x3_0000_0000n],
  ],
  "sub.i64": [
    [[0x1_0000_0000n, 1n], MAX32],
    [[0n, 1n], MAX64],
    [[A, B], 0x0246_8acf_1357_9bdfn],
  ],
  "mul.i64": [
    [[0x1_0000_0000n, 0x1_0000_0000n], 0n],
    [[MAX64, MAX64], 1n],
    [[MAX32, MAX32], 0xffff_fffe_0000_0001n],
    [[A, B], BigInt.asUintN(64, A * B)],
  ],
  "mulhu.i64": [
    [[0x1_0000_0000n, 0x1_0000_0000n], 1n],
    [[MAX64, MAX64], 0xffff_ffff_ffff_fffen],
    [[A, B], (A * B) >> 64n],
    [[MIN64, 2n], 1n],
  ],
  "mulhs.i64": [
    [[MAX64, MAX64], 0n],
    [[MAX64, 1n], MAX64],
    [[MIN64, MIN64], 0x4000_0000_0000_0000n],
    [[MIN64, 1n], MAX64],
    [[A, B], BigInt.asUintN(64, (A * (B - (1n << 64n))) >> 64n)],
  ],
  "and.i64": [[[A, BYTES_ODD], 0x0100_4500_8900_cd00n]],
  "or.i64": [[[A, BYTES_ODD], 0xff23_ff67_ffab_ffefn]],
  "xor.i64": [[[A, B], MAX64]],
  "shl.i64": [
    [[A, 0n], A],
    [[A, 4n], 0x1234_5678_9abc_def0n],
    [[A, 31n], 0xc4d5_e6f7_8000_0000n],
    [[A, 32n], 0x89ab_cdef_0000_0000n],
    [[A, 33n], 0x1357_9bde_0000_0000n],
    [[1n, 63n], MIN64],
    [[A, 64n], A],
    [[1n, MAX32], MIN64],
  ],
  "shr.i64": [
    [[B, 0n], B],
    [[B, 4n], 0x0fed_cba9_8765_4321n],
    [[B, 31n], 0x1_fdb9_7530n],
    [[B, 32n], 0xfedc_ba98n],
    [[B, 33n], 0x7f6e_5d4cn],
    [[MIN64, 63n], 1n],
    [[B, 68n], 0x0fed_cba9_8765_4321n],
  ],
  "sar.i64": [
    [[B, 0n], B],
    [[B, 4n], 0xffed_cba9_8765_4321n],
    [[B, 32n], 0xffff_ffff_fedc_ba98n],
    [[B, 33n], 0xffff_ffff_ff6e_5d4cn],
    [[MIN64, 63n], MAX64],
    [[A, 63n], 0n],
    [[B, 64n], B],
  ],
  "rotl.i64": [
    [[A, 0n], A],
    [[A, 8n], 0x2345_6789_abcd_ef01n],
    [[A, 32n], 0x89ab_cdef_0123_4567n],
    [[A, 40n], 0xabcd_ef01_2345_6789n],
    [[A, 72n], 0x2345_6789_abcd_ef01n],
    [[MIN64, 1n], 1n],
  ],
  "rotr.i64": [
    [[A, 0n], A],
    [[A, 8n], 0xef01_2345_6789_abcdn],
    [[A, 32n], 0x89ab_cdef_0123_4567n],
    [[A, 40n], 0x6789_abcd_ef01_2345n],
    [[1n, 1n], MIN64],
  ],
  "divu.i64": [
    [[MAX64, 0x1_0000_0000n], MAX32],
    [[B, A], 0xe0n],
    [[MIN64, MAX64], 0n],
    [[B, 0n], 0n],
  ],
  "divs.i64": [
    [[BigInt.asUintN(64, -7n), 2n], BigInt.asUintN(64, -3n)],
    [[MIN64, MAX64], MIN64],
    [[B, A], MAX64],
    [[MIN64, 0n], 0n],
  ],
  "remu.i64": [
    [[MAX64, 0x1_0000_0000n], MAX32],
    [[B, A], B - 0xe0n * A],
    [[MIN64, MAX64], MIN64],
    [[B, 0n], 0n],
  ],
  "rems.i64": [
    [[BigInt.asUintN(64, -7n), 2n], MAX64],
    [[B, A], MAX64],
    [[7n, BigInt.asUintN(64, -2n)], 1n],
    [[MIN64, MAX64], 0n],
    [[B, 0n], 0n],
  ],
  "divu128.fits": [
    [[0n, 7n, 2n], 1n],
    [[1n, 0n, 1n], 0n],
    [[0xffff_ffff_ffff_fffen, MAX64, MAX64], 1n],
    [[MAX64, 0n, MAX64], 0n],
    [[0n, 0n, 0n], 0n],
  ],
  "divs128.fits": [
    [[MAX64, BigInt.asUintN(64, -7n), 2n], 1n],
    [[MAX64, MIN64, 1n], 1n],
    [[MAX64, MIN64, MAX64], 0n],
    [[0n, MIN64, 1n], 0n],
    [[0n, MIN64, MAX64], 1n],
    [[0n, 0n, 0n], 0n],
  ],
  divu128: [
    [[0x1234n, 0x5678_9abc_def0_1234n, 0x0fed_cba9_8765_4321n], 0x1_2492n],
    [[0xffff_ffff_ffff_fffen, MAX64, MAX64], MAX64],
    [[1n, 5n, 1n], 5n],
    [[1n, 5n, 0n], 0n],
  ],
  remu128: [
    [[0x1234n, 0x5678_9abc_def0_1234n, 0x0fed_cba9_8765_4321n], 0x048d_159e_269e_2562n],
    [[0xffff_ffff_ffff_fffen, MAX64, MAX64], 0xffff_ffff_ffff_fffen],
    [[1n, 5n, 0x1_0000_0000n], 5n],
    [[1n, 5n, 0n], 0n],
  ],
  divs128: [
    [[0xffff_ffff_ffff_1234n, 0x5678_9abc_def0_1234n, 0x0fed_cba9_8765_4321n], 0xffff_ffff_fff1_124an],
    [[0x1234n, 0x5678_9abc_def0_1234n, 0xff01_2345_6789_abcen], 0xffff_ffff_ffed_b6dcn],
    [[MAX64, 0xffff_ffff_ffff_fff9n, 2n], 0xffff_ffff_ffff_fffdn],
    [[MAX64, MIN64, 1n], MIN64],
    [[1n, 5n, 1n], 5n],
    [[1n, 5n, 0n], 0n],
  ],
  rems128: [
    [[0xffff_ffff_ffff_1234n, 0x5678_9abc_def0_1234n, 0x0fed_cba9_8765_4321n], 0xf258_bf25_8be1_58aan],
    [[0x1234n, 0x5678_9abc_def0_1234n, 0xff01_2345_6789_abcen], 0x0091_a2b3_c4c5_f92cn],
    [[MAX64, 0xffff_ffff_ffff_fff9n, 2n], MAX64],
    [[1n, 5n, 0n], 0n],
  ],
  "clz.i64": [
    [[0n], 64n],
    [[1n], 63n],
    [[MIN32], 32n],
    [[0x1_0000_0000n], 31n],
    [[MIN64], 0n],
  ],
  "ctz.i64": [
    [[0n], 64n],
    [[1n], 0n],
    [[MIN32], 31n],
    [[0x1_0000_0000n], 32n],
    [[MIN64], 63n],
  ],
  "popcnt.i64": [
    [[0n], 0n],
    [[MAX64], 64n],
    [[A], 32n],
    [[0x8000_0001_8000_0001n], 4n],
  ],
  "bswap.i64": [
    [[A], 0xefcd_ab89_6745_2301n],
    [[0x80n], MIN64],
  ],
  pdep: [
    [[A, BYTES_ODD], 0x8900_ab00_cd00_ef00n],
    [[A, 0x8000_0000_0000_0001n], 0x8000_0000_0000_0001n],
    [[B, 0x5555_5555_5555_5555n], 0x1514_1110_0504_0100n],
    [[5n, BYTES_ODD], 0x500n],
    [[MAX64, 0n], 0n],
  ],
  pext: [
    [[A, BYTES_ODD], 0x0145_89cdn],
    [[B, 0x8000_0000_0000_0001n], 2n],
    [[B, 0x5555_5555_5555_5555n], 0xee44_ee44n],
    [[MAX64, BYTES_ODD], MAX32],
    [[MAX64, 0n], 0n],
  ],
  crc32: [
    [[MAX32, 0x31n], 0x6f0a_661cn, [CASTAGNOLI, 1]],
    [[0x1234_5678n, 0xabn], 0xc091_2609n, [CASTAGNOLI, 1]],
    [[0x1234_5678n, 0xabcdn], 0xaae3_2043n, [CASTAGNOLI, 2]],
    [[0n, MIN32], 0x82f6_3b78n, [CASTAGNOLI, 4]],
    [[0xdead_beefn, A], 0x3ab0_1437n, [CASTAGNOLI, 8]],
    [[0x1234_5678n, 0xffff_ffff_ffff_ffabn], 0xc091_2609n, [CASTAGNOLI, 1]],
  ],
  "sext.i64": [
    [[MIN32], 0xffff_ffff_8000_0000n],
    [[0x7fff_ffffn], 0x7fff_ffffn],
  ],
  "zext.i64": [[[MAX32], MAX32]],
  "wrap.i32": [[[A], 0x89ab_cdefn]],
  "select.i32": [
    [[1n, 5n, 6n], 5n],
    [[MIN32, 5n, 6n], 5n],
    [[0n, 5n, 6n], 6n],
  ],
  "select.i64": [
    [[2n, A, B], A],
    [[0n, A, B], B],
  ],
  addr: [
    [[A, 0x10n], A + 0x80n - 8n, [3, -8]],
    [[MAX64, 1n], 0n, [0, 0]],
    [[0n, B], BigInt.asUintN(64, B << 4n), [4, 0]],
    [[0n, 0x8000_0000n], 0x1_0000_0000n - 0x8000_0000n, [1, -0x8000_0000]],
    [[MAX32, 0n], 0x1_7fff_fffen, [2, 0x7fff_ffff]],
  ],
};

type Relation = "eq" | "ne" | "ltu" | "lts" | "leu" | "les";

/** Pairs of each width, with the relations that hold. */
const RELATIONS: readonly (readonly [width: 32 | 64, a: bigint, b: bigint, holds: readonly Relation[]])[] = [
  [32, 5n, 5n, ["eq", "leu", "les"]],
  [32, MIN32, MIN32, ["eq", "leu", "les"]],
  [32, 5n, 6n, ["ne", "ltu", "lts", "leu", "les"]],
  [32, 6n, 5n, ["ne"]],
  [32, MIN32, 0x7fff_ffffn, ["ne", "lts", "les"]],
  [32, 0x7fff_ffffn, MIN32, ["ne", "ltu", "leu"]],
  [32, MAX32, 0n, ["ne", "lts", "les"]],
  [64, B, B, ["eq", "leu", "les"]],
  [64, 0x1_0000_0000n, 0n, ["ne"]],
  [64, 0n, 0x1_0000_0000n, ["ne", "ltu", "lts", "leu", "les"]],
  [64, 0x1_8000_0000n, 0x1_7fff_ffffn, ["ne"]],
  [64, 0x1_7fff_ffffn, 0x1_8000_0000n, ["ne", "ltu", "lts", "leu", "les"]],
  [64, 0x1_0000_0000n, 0x2_0000_0000n, ["ne", "ltu", "lts", "leu", "les"]],
  [64, MIN64, 0x7fff_ffff_ffff_ffffn, ["ne", "lts", "les"]],
  [64, 0x7fff_ffff_ffff_ffffn, MIN64, ["ne", "ltu", "leu"]],
  [64, MAX64, 0n, ["ne", "lts", "les"]],
];

export const VALUE_CASES: readonly ValueCase[] = [
  ...Object.entries(ROWS).flatMap(([opcode, rows]) =>
    rows.map(([args, expected, immediates = []]) => ({
      opcode: opcode as Opcode,
      args,
      immediates,
      expected,
    })),
  ),
  ...RELATIONS.flatMap(([width, a, b, holds]) =>
    (["eq", "ne", "ltu", "lts", "leu", "les"] as const).map((relation) => ({
      opcode: `${relation}.i${width}` as Opcode,
      args: [a, b],
      immediates: [],
      expected: holds.includes(relation) ? 1n : 0n,
    })),
  ),
];
