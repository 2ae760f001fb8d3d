/**
 * Lifters of table/loads-stores.ts. DDI 0487, C6.2, the instruction of that name; B2.10 "Synchronization and semaphores".
 *
 * Access orders beyond program order are not modelled (data accesses are sequentially consistent), so acquire and release
 * are marks on the access. Atomic instructions write even if they change nothing (a CAS that fails, LDSET of 0), which
 * the manual permits.
 *
 * A store of the core itself leaves its monitor as it is (IMPLEMENTATION DEFINED).
 *
 * CONSTRAINED UNPREDICTABLE choices: a load that writes back to its own destination leaves the written-back address there
 * (LDP: likewise; two equal destinations hold the second element); a store of a register that it writes back stores the
 * old value; exclusive stores with overlapping registers use the values from before.
 */
import type { I32, I64, MemoryAccess, Value } from "../../../ir/index.ts";
import type { LOADS_STORES } from "../table/loads-stores.ts";
import { extendIndex } from "./data-processing-register.ts";
import { type Lifter, signExtend } from "./lifter.ts";
import type { Lifters } from "./typing.ts";

/** Where an access goes, and what its base register becomes. */
interface Place {
  readonly address: I64;
  readonly writeBack: (() => void) | null;
}

interface Transfer {
  readonly t: number;
  readonly n: number;
}
interface Pair extends Transfer {
  readonly u: number;
}
interface Status extends Transfer {
  readonly e: number;
}
interface Immediate {
  readonly n: number;
  readonly i: number;
}
interface Indexed {
  readonly n: number;
  readonly m: number;
  readonly o: number;
  readonly p: number;
  readonly k: number;
}
type PairMode = "offset" | "post" | "pre";
type AtomicName = "LDADD" | "LDCLR" | "LDEOR" | "LDSET" | "LDSMAX" | "LDSMIN" | "LDUMAX" | "LDUMIN" | "SWP";

/** Ordinary accesses are aligned only if SCTLR_ELx.A asks for it. */
const PLAIN: MemoryAccess = { alignment: "checked" };
const UNPRIVILEGED: MemoryAccess = { alignment: "checked", privilege: "user" };
/** Everything with ordering or exclusiveness is aligned (FEAT_LSE2 absent). */
const ACQUIRE: MemoryAccess = { alignment: "natural", order: "acquire" };
const RELEASE: MemoryAccess = { alignment: "natural", order: "release" };
const EXCLUSIVE: MemoryAccess = { alignment: "natural", order: "exclusive" };
const EXCLUSIVE_PAIR: MemoryAccess = { alignment: "pair", order: "exclusive" };
const LOCK: MemoryAccess = { alignment: "natural", order: "locked" };
const LOCK_PAIR: MemoryAccess = { alignment: "pair", order: "locked" };
const UNLOCK: MemoryAccess = { order: "unlock" };

export const loadsStoresLifters: Lifters<typeof LOADS_STORES> = {
  CASP: (l, f) => compareAndSwapPair(l, f),
  STXRB: (l, f) => storeExclusive(l, f, 8),
  STLXRB: (l, f) => storeExclusive(l, f, 8),
  LDXRB: (l, f) => loadExclusive(l, f, 8),
  LDAXRB: (l, f) => loadExclusive(l, f, 8),
  STXRH: (l, f) => storeExclusive(l, f, 16),
  STLXRH: (l, f) => storeExclusive(l, f, 16),
  LDXRH: (l, f) => loadExclusive(l, f, 16),
  LDAXRH: (l, f) => loadExclusive(l, f, 16),
  STXR: (l, f) => storeExclusive(l, f, l.width),
  STLXR: (l, f) => storeExclusive(l, f, l.width),
  LDXR: (l, f) => loadExclusive(l, f, l.width),
  LDAXR: (l, f) => loadExclusive(l, f, l.width),
  STXP: storeExclusivePair,
  STLXP: storeExclusivePair,
  LDXP: loadExclusivePair,
  LDAXP: loadExclusivePair,
  STLLRB: (l, f) => storeOrdered(l, f, 8),
  STLRB: (l, f) => storeOrdered(l, f, 8),
  LDLARB: (l, f) => loadOrdered(l, f, 8),
  LDARB: (l, f) => loadOrdered(l, f, 8),
  STLLRH: (l, f) => storeOrdered(l, f, 16),
  STLRH: (l, f) => storeOrdered(l, f, 16),
  LDLARH: (l, f) => loadOrdered(l, f, 16),
  LDARH: (l, f) => loadOrdered(l, f, 16),
  STLLR: (l, f) => storeOrdered(l, f, l.width),
  STLR: (l, f) => storeOrdered(l, f, l.width),
  LDLAR: (l, f) => loadOrdered(l, f, l.width),
  LDAR: (l, f) => loadOrdered(l, f, l.width),
  CASB: (l, f) => compareAndSwap(l, f, 8),
  CASH: (l, f) => compareAndSwap(l, f, 16),
  CAS: (l, f) => compareAndSwap(l, f, l.width),
  STLURB: (l, f) => store(l, f, 8, unscaled(l, f), RELEASE),
  LDAPURB: (l, f) => load(l, f, 8, unscaled(l, f), ACQUIRE),
  STLURH: (l, f) => store(l, f, 16, unscaled(l, f), RELEASE),
  LDAPURH: (l, f) => load(l, f, 16, unscaled(l, f), ACQUIRE),
  STLUR: (l, f) => store(l, f, l.width, unscaled(l, f), RELEASE),
  LDAPUR: (l, f) => load(l, f, l.width, unscaled(l, f), ACQUIRE),
  LDAPURSB: (l, f) => loadSigned(l, f, 8, unscaled(l, f), ACQUIRE),
  LDAPURSH: (l, f) => loadSigned(l, f, 16, unscaled(l, f), ACQUIRE),
  LDAPURSW: (l, f) => loadSigned(l, f, 32, unscaled(l, f), ACQUIRE),
  "LDR (literal)": (l, f) => load(l, f, l.width, literal(l, f)),
  "LDRSW (literal)": (l, f) => loadSigned(l, f, 32, literal(l, f)),
  "PRFM (literal)": nothing,
  STNP: (l, f) => storePair(l, f, "offset"),
  LDNP: (l, f) => loadPair(l, f, "offset"),
  "STP (post)": (l, f) => storePair(l, f, "post"),
  "LDP (post)": (l, f) => loadPair(l, f, "post"),
  "LDPSW (post)": (l, f) => loadPairSigned(l, f, "post"),
  "STP (offset)": (l, f) => storePair(l, f, "offset"),
  "LDP (offset)": (l, f) => loadPair(l, f, "offset"),
  "LDPSW (offset)": (l, f) => loadPairSigned(l, f, "offset"),
  "STP (pre)": (l, f) => storePair(l, f, "pre"),
  "LDP (pre)": (l, f) => loadPair(l, f, "pre"),
  "LDPSW (pre)": (l, f) => loadPairSigned(l, f, "pre"),
  STURB: (l, f) => store(l, f, 8, unscaled(l, f)),
  LDURB: (l, f) => load(l, f, 8, unscaled(l, f)),
  LDURSB: (l, f) => loadSigned(l, f, 8, unscaled(l, f)),
  STURH: (l, f) => store(l, f, 16, unscaled(l, f)),
  LDURH: (l, f) => load(l, f, 16, unscaled(l, f)),
  LDURSH: (l, f) => loadSigned(l, f, 16, unscaled(l, f)),
  STUR: (l, f) => store(l, f, l.width, unscaled(l, f)),
  LDUR: (l, f) => load(l, f, l.width, unscaled(l, f)),
  LDURSW: (l, f) => loadSigned(l, f, 32, unscaled(l, f)),
  PRFUM: nothing,
  "STRB (post)": (l, f) => store(l, f, 8, postIndexed(l, f)),
  "LDRB (post)": (l, f) => load(l, f, 8, postIndexed(l, f)),
  "LDRSB (post)": (l, f) => loadSigned(l, f, 8, postIndexed(l, f)),
  "STRH (post)": (l, f) => store(l, f, 16, postIndexed(l, f)),
  "LDRH (post)": (l, f) => load(l, f, 16, postIndexed(l, f)),
  "LDRSH (post)": (l, f) => loadSigned(l, f, 16, postIndexed(l, f)),
  "STR (post)": (l, f) => store(l, f, l.width, postIndexed(l, f)),
  "LDR (post)": (l, f) => load(l, f, l.width, postIndexed(l, f)),
  "LDRSW (post)": (l, f) => loadSigned(l, f, 32, postIndexed(l, f)),
  STTRB: (l, f) => store(l, f, 8, unscaled(l, f), UNPRIVILEGED),
  LDTRB: (l, f) => load(l, f, 8, unscaled(l, f), UNPRIVILEGED),
  LDTRSB: (l, f) => loadSigned(l, f, 8, unscaled(l, f), UNPRIVILEGED),
  STTRH: (l, f) => store(l, f, 16, unscaled(l, f), UNPRIVILEGED),
  LDTRH: (l, f) => load(l, f, 16, unscaled(l, f), UNPRIVILEGED),
  LDTRSH: (l, f) => loadSigned(l, f, 16, unscaled(l, f), UNPRIVILEGED),
  STTR: (l, f) => store(l, f, l.width, unscaled(l, f), UNPRIVILEGED),
  LDTR: (l, f) => load(l, f, l.width, unscaled(l, f), UNPRIVILEGED),
  LDTRSW: (l, f) => loadSigned(l, f, 32, unscaled(l, f), UNPRIVILEGED),
  "STRB (pre)": (l, f) => store(l, f, 8, preIndexed(l, f)),
  "LDRB (pre)": (l, f) => load(l, f, 8, preIndexed(l, f)),
  "LDRSB (pre)": (l, f) => loadSigned(l, f, 8, preIndexed(l, f)),
  "STRH (pre)": (l, f) => store(l, f, 16, preIndexed(l, f)),
  "LDRH (pre)": (l, f) => load(l, f, 16, preIndexed(l, f)),
  "LDRSH (pre)": (l, f) => loadSigned(l, f, 16, preIndexed(l, f)),
  "STR (pre)": (l, f) => store(l, f, l.width, preIndexed(l, f)),
  "LDR (pre)": (l, f) => load(l, f, l.width, preIndexed(l, f)),
  "LDRSW (pre)": (l, f) => loadSigned(l, f, 32, preIndexed(l, f)),
  LDADDB: (l, f) => atomic(l, f, 8, "LDADD"),
  LDADDH: (l, f) => atomic(l, f, 16, "LDADD"),
  LDADD: (l, f) => atomic(l, f, l.width, "LDADD"),
  LDCLRB: (l, f) => atomic(l, f, 8, "LDCLR"),
  LDCLRH: (l, f) => atomic(l, f, 16, "LDCLR"),
  LDCLR: (l, f) => atomic(l, f, l.width, "LDCLR"),
  LDEORB: (l, f) => atomic(l, f, 8, "LDEOR"),
  LDEORH: (l, f) => atomic(l, f, 16, "LDEOR"),
  LDEOR: (l, f) => atomic(l, f, l.width, "LDEOR"),
  LDSETB: (l, f) => atomic(l, f, 8, "LDSET"),
  LDSETH: (l, f) => atomic(l, f, 16, "LDSET"),
  LDSET: (l, f) => atomic(l, f, l.width, "LDSET"),
  LDSMAXB: (l, f) => atomic(l, f, 8, "LDSMAX"),
  LDSMAXH: (l, f) => atomic(l, f, 16, "LDSMAX"),
  LDSMAX: (l, f) => atomic(l, f, l.width, "LDSMAX"),
  LDSMINB: (l, f) => atomic(l, f, 8, "LDSMIN"),
  LDSMINH: (l, f) => atomic(l, f, 16, "LDSMIN"),
  LDSMIN: (l, f) => atomic(l, f, l.width, "LDSMIN"),
  LDUMAXB: (l, f) => atomic(l, f, 8, "LDUMAX"),
  LDUMAXH: (l, f) => atomic(l, f, 16, "LDUMAX"),
  LDUMAX: (l, f) => atomic(l, f, l.width, "LDUMAX"),
  LDUMINB: (l, f) => atomic(l, f, 8, "LDUMIN"),
  LDUMINH: (l, f) => atomic(l, f, 16, "LDUMIN"),
  LDUMIN: (l, f) => atomic(l, f, l.width, "LDUMIN"),
  SWPB: (l, f) => atomic(l, f, 8, "SWP"),
  SWPH: (l, f) => atomic(l, f, 16, "SWP"),
  SWP: (l, f) => atomic(l, f, l.width, "SWP"),
  LDAPRB: (l, f) => loadOrdered(l, f, 8),
  LDAPRH: (l, f) => loadOrdered(l, f, 16),
  LDAPR: (l, f) => loadOrdered(l, f, l.width),
  "STRB (register)": (l, f) => store(l, f, 8, registerOffset(l, f, 8)),
  "LDRB (register)": (l, f) => load(l, f, 8, registerOffset(l, f, 8)),
  "LDRSB (register)": (l, f) => loadSigned(l, f, 8, registerOffset(l, f, 8)),
  "STRH (register)": (l, f) => store(l, f, 16, registerOffset(l, f, 16)),
  "LDRH (register)": (l, f) => load(l, f, 16, registerOffset(l, f, 16)),
  "LDRSH (register)": (l, f) => loadSigned(l, f, 16, registerOffset(l, f, 16)),
  "STR (register)": (l, f) => store(l, f, l.width, registerOffset(l, f, l.width)),
  "LDR (register)": (l, f) => load(l, f, l.width, registerOffset(l, f, l.width)),
  "LDRSW (register)": (l, f) => loadSigned(l, f, 32, registerOffset(l, f, 32)),
  "PRFM (register)": nothing,
  "STRB (unsigned)": (l, f) => store(l, f, 8, unsignedOffset(l, f, 8)),
  "LDRB (unsigned)": (l, f) => load(l, f, 8, unsignedOffset(l, f, 8)),
  "LDRSB (unsigned)": (l, f) => loadSigned(l, f, 8, unsignedOffset(l, f, 8)),
  "STRH (unsigned)": (l, f) => store(l, f, 16, unsignedOffset(l, f, 16)),
  "LDRH (unsigned)": (l, f) => load(l, f, 16, unsignedOffset(l, f, 16)),
  "LDRSH (unsigned)": (l, f) => loadSigned(l, f, 16, unsignedOffset(l, f, 16)),
  "STR (unsigned)": (l, f) => store(l, f, l.width, unsignedOffset(l, f, l.width)),
  "LDR (unsigned)": (l, f) => load(l, f, l.width, unsignedOffset(l, f, l.width)),
  "LDRSW (unsigned)": (l, f) => loadSigned(l, f, 32, unsignedOffset(l, f, 32)),
  "PRFM (unsigned)": nothing,
};

function nothing(): void {}

// Places

/** A signed byte offset; LDAPUR, LDTR and LDUR alike. */
function unscaled(l: Lifter, f: Immediate): Place {
  return offsetPlace(l, f.n, signExtend(f.i, 9));
}

function unsignedOffset(l: Lifter, f: Immediate, width: number): Place {
  return offsetPlace(l, f.n, (f.i * width) / 8);
}

function offsetPlace(l: Lifter, n: number, offset: number): Place {
  const base = l.base(n);
  return { address: offset === 0 ? base : l.ir.add(base, l.ir.i64(offset)), writeBack: null };
}

function postIndexed(l: Lifter, f: Immediate): Place {
  const by = signExtend(f.i, 9);
  const base = l.base(f.n);
  return { address: base, writeBack: () => l.moveBase(f.n, l.ir.add(base, l.ir.i64(by)), by) };
}

function preIndexed(l: Lifter, f: Immediate): Place {
  const by = signExtend(f.i, 9);
  const address = l.ir.add(l.base(f.n), l.ir.i64(by));
  return { address, writeBack: () => l.moveBase(f.n, address, by) };
}

function pairPlace(l: Lifter, f: Immediate, mode: PairMode, elementBytes: number): Place {
  const by = signExtend(f.i, 7) * elementBytes;
  if (mode === "offset") return offsetPlace(l, f.n, by);
  const base = l.base(f.n);
  const moved = l.ir.add(base, l.ir.i64(by));
  return {
    address: mode === "post" ? base : moved,
    writeBack: () => l.moveBase(f.n, moved, by),
  };
}

function registerOffset(l: Lifter, f: Indexed, width: number): Place {
  const index = extendIndex(l, f.m, (f.o << 2) | 2 | f.p);
  const scale = f.k === 1 ? Math.log2(width / 8) : 0;
  return { address: l.ir.addr(l.base(f.n), index, scale, 0), writeBack: null };
}

function literal(l: Lifter, f: { readonly i: number }): Place {
  const { lo, hi } = l.target(signExtend(f.i, 19) * 4);
  return { address: l.ir.i64(lo, hi), writeBack: null };
}

/** [Xn|SP] */
function atBase(l: Lifter, f: Transfer): I64 {
  return l.base(f.n);
}

// Single registers

function store(l: Lifter, f: Transfer, width: number, place: Place, access: MemoryAccess = PLAIN): void {
  l.store(place.address, width, l.X(f.t, width === 64 ? 64 : 32), access);
  place.writeBack?.();
}

function load(
  l: Lifter,
  f: { readonly t: number },
  width: number,
  place: Place,
  access: MemoryAccess = PLAIN,
): void {
  const value = l.load(place.address, width, access);
  l.setX(f.t, value, width === 64 ? 64 : 32);
  place.writeBack?.();
}

/** Sign-extends to the operand size. */
function loadSigned(
  l: Lifter,
  f: { readonly t: number },
  width: 8 | 16 | 32,
  place: Place,
  access: MemoryAccess = PLAIN,
): void {
  const value = signExtended(l, l.load(place.address, width, access), width) as I32;
  l.setX(f.t, l.width === 64 ? l.ir.sext(value) : value);
  place.writeBack?.();
}

function signExtended(l: Lifter, value: Value, width: number): Value {
  if (width === 8) return l.ir.sext8(value as I32);
  if (width === 16) return l.ir.sext16(value as I32);
  return value;
}

function loadOrdered(l: Lifter, f: Transfer, width: number): void {
  load(l, f, width, { address: atBase(l, f), writeBack: null }, ACQUIRE);
}

function storeOrdered(l: Lifter, f: Transfer, width: number): void {
  store(l, f, width, { address: atBase(l, f), writeBack: null }, RELEASE);
}

// Pairs: two accesses of one element each

function storePair(l: Lifter, f: Pair & Immediate, mode: PairMode): void {
  const bytes = l.width / 8;
  const { address, writeBack } = pairPlace(l, f, mode, bytes);
  const [first, second] = [l.X(f.t), l.X(f.u)];
  l.store(address, l.width, first, PLAIN);
  l.store(l.ir.add(address, l.ir.i64(bytes)), l.width, second, PLAIN);
  writeBack?.();
}

function loadPair(l: Lifter, f: Pair & Immediate, mode: PairMode): void {
  const bytes = l.width / 8;
  const { address, writeBack } = pairPlace(l, f, mode, bytes);
  const first = l.load(address, l.width, PLAIN);
  const second = l.load(l.ir.add(address, l.ir.i64(bytes)), l.width, PLAIN);
  l.setX(f.t, first);
  l.setX(f.u, second);
  writeBack?.();
}

/** LDPSW */
function loadPairSigned(l: Lifter, f: Pair & Immediate, mode: PairMode): void {
  const { address, writeBack } = pairPlace(l, f, mode, 4);
  const first = l.load(address, 32, PLAIN) as I32;
  const second = l.load(l.ir.add(address, l.ir.i64(4)), 32, PLAIN) as I32;
  l.setX(f.t, l.ir.sext(first), 64);
  l.setX(f.u, l.ir.sext(second), 64);
  writeBack?.();
}

// Exclusives

function loadExclusive(l: Lifter, f: Transfer, width: number): void {
  load(l, f, width, { address: atBase(l, f), writeBack: null }, EXCLUSIVE);
}

function storeExclusive(l: Lifter, f: Status, width: number): void {
  const value = l.X(f.t, width === 64 ? 64 : 32);
  l.setX(f.e, l.ir.storeExclusive(atBase(l, f), width, value, EXCLUSIVE), 32);
}

/** LDXP of words is one access; of doublewords two, the first of which marks the granule. */
function loadExclusivePair(l: Lifter, f: Pair): void {
  const { ir } = l;
  const address = atBase(l, f);
  if (l.width === 32) {
    const both = ir.load64(address, EXCLUSIVE);
    l.setX(f.t, ir.wrap(both), 32);
    l.setX(f.u, ir.wrap(ir.shr(both, ir.i32(32))), 32);
    return;
  }
  const first = ir.load64(address, EXCLUSIVE_PAIR);
  const second = ir.load64(ir.add(address, ir.i64(8)), PLAIN);
  l.setX(f.t, first, 64);
  l.setX(f.u, second, 64);
}

function storeExclusivePair(l: Lifter, f: Pair & Status): void {
  const { ir } = l;
  const address = atBase(l, f);
  const status =
    l.width === 32
      ? ir.storeExclusive(address, 64, joined(l, f.t, f.u), EXCLUSIVE)
      : ir.storeExclusivePair(address, l.X64(f.t), l.X64(f.u), EXCLUSIVE_PAIR);
  l.setX(f.e, status, 32);
}

/** W[high]:W[low] */
function joined(l: Lifter, low: number, high: number): I64 {
  const { ir } = l;
  return ir.or(ir.zext(l.W(low)), ir.shl(l.X64(high), ir.i32(32)));
}

// Atomics

function compareAndSwap(l: Lifter, f: Status, width: number): void {
  const { ir } = l;
  const size = width === 64 ? 64 : 32;
  const expected = truncated(l, l.X(f.e, size), width);
  const replacement = l.X(f.t, size);
  const address = atBase(l, f);
  const old = l.load(address, width, LOCK);
  l.store(address, width, ir.select(ir.eq(old, expected), replacement, old), UNLOCK);
  l.setX(f.e, old, size);
}

function truncated(l: Lifter, value: Value, width: number): Value {
  if (width === 8) return l.ir.zext8(value as I32);
  if (width === 16) return l.ir.zext16(value as I32);
  return value;
}

function compareAndSwapPair(l: Lifter, f: Status): void {
  const { ir } = l;
  const address = atBase(l, f);
  if (l.width === 32) {
    const expected = joined(l, f.e, f.e + 1);
    const replacement = joined(l, f.t, f.t + 1);
    const old = ir.load64(address, LOCK);
    ir.store64(address, ir.select(ir.eq(old, expected), replacement, old), UNLOCK);
    l.setX(f.e, ir.wrap(old), 32);
    l.setX(f.e + 1, ir.wrap(ir.shr(old, ir.i32(32))), 32);
    return;
  }
  const second = ir.add(address, ir.i64(8));
  const oldLow = ir.load64(address, LOCK_PAIR);
  const oldHigh = ir.load64(second);
  const equal = ir.and(ir.eq(oldLow, l.X64(f.e)), ir.eq(oldHigh, l.X64(f.e + 1)));
  ir.store64(second, ir.select(equal, l.X64(f.t + 1), oldHigh));
  ir.store64(address, ir.select(equal, l.X64(f.t), oldLow), UNLOCK);
  l.setX(f.e, oldLow, 64);
  l.setX(f.e + 1, oldHigh, 64);
}

function atomic(l: Lifter, f: Status, width: number, name: AtomicName): void {
  const size = width === 64 ? 64 : 32;
  const operand = l.X(f.e, size);
  const address = atBase(l, f);
  const old = l.load(address, width, LOCK);
  l.store(address, width, MemAtomic(l, name, old, operand, width), UNLOCK);
  l.setX(f.t, old, size);
}

/** What is written. @param width of the access; the operand may have more bits */
function MemAtomic(l: Lifter, name: AtomicName, old: Value, operand: Value, width: number): Value {
  const { ir } = l;
  const signed = (value: Value): Value => signExtended(l, value, width);
  const unsigned = (value: Value): Value => truncated(l, value, width);
  switch (name) {
    case "LDADD":
      return ir.add(old, operand);
    case "LDCLR":
      return ir.and(old, l.not(operand, width === 64 ? 64 : 32));
    case "LDEOR":
      return ir.xor(old, operand);
    case "LDSET":
      return ir.or(old, operand);
    case "LDSMAX":
      return ir.select(ir.lts(signed(old), signed(operand)), operand, old);
    case "LDSMIN":
      return ir.select(ir.lts(signed(operand), signed(old)), operand, old);
    case "LDUMAX":
      return ir.select(ir.ltu(old, unsigned(operand)), operand, old);
    case "LDUMIN":
      return ir.select(ir.ltu(unsigned(operand), old), operand, old);
    case "SWP":
      return operand;
  }
}
