/**
 * Random valid blocks and scenes for them. A seed decides everything. The blocks look somewhat like a frontend's: a few
 * slots that are read, changed and written in parts, addresses that mostly lie in mapped pages, records followed by
 * conditions, locked sequences, early exits that are rarely taken.
 */
import {
  type Block,
  CONDITIONS,
  FLAGS_ALL,
  type Instruction,
  type IrType,
  type MemoryAccess,
  memAttr,
  OPERATIONS,
  type Opcode,
  type Order,
  STATE_FLAGS_A,
  STATE_FLAGS_B,
  STATE_FLAGS_CARRY,
  STATE_FLAGS_KIND,
  TRANSFERS,
} from "../../emu/ir/index.ts";
import { Random } from "./random.ts";
import { emptyScene, mapPage, PAGE_BYTES, type Scene, viewOf } from "./scene.ts";

/** Slots that blocks use: doublewords, read and written in parts too. The last two hold addresses at the start. */
const SLOTS = [64, 72, 80, 88, 96, 104, 112, 120];
const POINTER_SLOTS = [112, 120];

/** Pages that exist. Some share a fast-TLB entry, some have neighbours, one is the last of the address space. */
const PAGES: readonly (readonly [address: bigint, access: "read-write" | "read-only"])[] = [
  [0x8000n, "read-write"],
  [0x9000n, "read-write"],
  [0xa000n, "read-only"],
  [0x20_8000n, "read-write"],
  [0x1_0000_8000n, "read-write"],
  [0x1_0000_9000n, "read-only"],
  [0x7fff_ffff_f000n, "read-write"],
  [0x8000_0000_0000n, "read-write"],
  [0xffff_ffff_ffff_f000n, "read-write"],
  [0n, "read-write"],
];
const PATTERN: Uint8Array = Uint8Array.from(
  { length: Number(PAGE_BYTES) },
  (_, index) => index * 167 + (index >> 8),
);
const WRITABLE = PAGES.filter(([, access]) => access === "read-write");
/**
 * Where blocks start; from some the last instruction may reach the next page, also past 2^32 and 2^64. None is a value
 * that blocks compute easily: a core that jumps to its own block goes on without a fetch, and the run does not end.
 */
const STARTS = [0x1235n, 0x7fff_ffd3n, 0xffff_ffdbn, 0xffff_ffff_8000_0125n, 0xffff_ffff_ffff_ffd5n];
const MISSING_PAGE = 0xb000n;

const PURE: readonly Opcode[] = (Object.keys(OPERATIONS) as Opcode[]).filter((opcode) => {
  const { result, memory, readsFlags, immediates } = OPERATIONS[opcode];
  return result !== null && memory === null && !readsFlags && immediates.length === 0;
});
/** What most guest code consists of. */
const FREQUENT: readonly Opcode[] = PURE.filter((opcode) =>
  /^(add|sub|and|or|xor|zext|sext|wrap|sh[lr]|sar)/.test(opcode),
);

/** Names of flags operations, the frequent ones twice. */
const RECORDS = [
  "add",
  "add",
  "sub",
  "sub",
  "adc",
  "sbb",
  "logic",
  "logicc",
  "inc",
  "dec",
  "shl",
  "shr",
  "sar",
  "write",
  "patch",
] as const;

export interface RandomCase {
  readonly block: Block;
  readonly start: Scene;
}

export function randomCase(seed: number): RandomCase {
  const random = new Random(seed);
  const block = new Generator(random).block();
  return { block, start: randomScene(random, block) };
}

function randomScene(random: Random, block: Block): Scene {
  const scene = emptyScene(unsigned(block.pcLo, block.pcHi));
  const view = viewOf(scene);
  for (const slot of SLOTS) view.setBigUint64(slot, random.value(64), true);
  for (const slot of POINTER_SLOTS) view.setBigUint64(slot, randomAddress(random), true);
  const operation = random.below(11);
  view.setInt32(STATE_FLAGS_KIND, operation === 0 ? 0 : (operation << 2) | random.below(4), true);
  // kinds 6 and 7 take a carry, 4 and 5 keep one, 8 to 10 have a count
  view.setInt32(STATE_FLAGS_CARRY, operation >= 8 ? 1 + random.below(31) : random.below(2), true);
  const first = random.value(64);
  view.setBigUint64(STATE_FLAGS_A, operation === 0 ? first & BigInt(FLAGS_ALL) : first, true);
  view.setBigUint64(STATE_FLAGS_B, random.value(64), true);
  for (const [address, access] of PAGES) {
    mapPage(scene, address, access).bytes.set(PATTERN);
    mapPage(scene, address).bytes[0] = Number((address >> 12n) & 0xffn);
  }
  return scene;
}

/** Mostly inside an existing page, often near its end; sometimes in none. */
function randomAddress(random: Random): bigint {
  const page = random.oneIn(32) ? MISSING_PAGE : random.pick(random.oneIn(3) ? PAGES : WRITABLE)[0];
  const offset = random.oneIn(6)
    ? Number(PAGE_BYTES) - 1 - random.below(10)
    : random.below(Number(PAGE_BYTES));
  return page + BigInt(random.oneIn(2) ? offset & ~7 : offset);
}

function unsigned(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

class Generator {
  readonly #random: Random;
  readonly #instructions: Instruction[] = [];
  readonly #types: IrType[] = [];
  #pc = 0n;
  #nextPc = 0n;
  #stored = false;

  constructor(random: Random) {
    this.#random = random;
  }

  block(): Block {
    const random = this.#random;
    const start = random.pick(STARTS);
    const [pcLo, pcHi] = halves(start);
    this.#nextPc = start;
    const most = 1 + random.below(6);
    let length = 0;
    do {
      this.#guestInstruction();
      length++;
    } while (length < most && this.#nextPc / PAGE_BYTES === start / PAGE_BYTES);
    this.#exit();
    return { pcLo, pcHi, instructions: this.#instructions, types: this.#types, length };
  }

  #guestInstruction(): void {
    const random = this.#random;
    const lengthBytes = 1 + random.below(15);
    this.#pc = this.#nextPc;
    this.#nextPc = BigInt.asUintN(64, this.#pc + BigInt(lengthBytes));
    this.#stored = false;
    this.#emit("mark", [], [...halves(this.#pc), lengthBytes]);
    const faulting = random.below(5);
    for (let index = 0; index < faulting; index++) this.#mayFault();
    const writing = random.below(7);
    for (let index = 0; index < writing; index++) this.#write();
  }

  /** Before the writes of a guest instruction. */
  #mayFault(): void {
    switch (this.#random.below(10)) {
      case 0:
      case 1:
        this.#load(this.#random.oneIn(4) ? "modify" : "plain");
        break;
      case 2:
      case 3:
        this.#store();
        break;
      case 4:
        this.#lockedSequence();
        break;
      case 5:
        if (!this.#stored) this.#leaveRarely();
        break;
      case 6:
        this.#emit("fence", [], [this.#random.below(16)]);
        break;
      default:
        this.#compute();
    }
  }

  #write(): void {
    switch (this.#random.below(8)) {
      case 0:
      case 1:
      case 2:
        this.#put();
        break;
      case 3:
      case 4:
        this.#record();
        break;
      case 5:
        this.#arithmeticWithRecord();
        break;
      default:
        this.#compute();
    }
  }

  #compute(): number {
    const random = this.#random;
    switch (random.below(8)) {
      case 0:
        return this.#emit("condition", [], [random.below(CONDITIONS.length)]);
      case 1:
        return this.#get();
      case 2:
        return this.#emit("addr", [this.#i64(), this.#i64()], [random.below(5), this.#immediate()]);
      case 3:
        return random.oneIn(4)
          ? this.#emit("flags.read", [], [])
          : this.#constant(random.oneIn(2) ? "i32" : "i64");
      case 4:
        if (random.oneIn(6)) {
          const immediates = [0x82f6_3b78 | 0, random.pick([1, 2, 4, 8])];
          return this.#emit("crc32", [this.#i32(), this.#i64()], immediates);
        }
        return this.#pure(random.pick(PURE));
      default:
        return this.#pure(random.pick(FREQUENT));
    }
  }

  #pure(opcode: Opcode): number {
    return this.#emit(
      opcode,
      OPERATIONS[opcode].args.map((type) => this.#value(type)),
      [],
    );
  }

  #get(): number {
    const slot = this.#random.pick(SLOTS);
    switch (this.#random.below(6)) {
      case 0:
        return this.#emit("get8", [], [slot + this.#random.below(8)]);
      case 1:
        return this.#emit("get16", [], [slot + 2 * this.#random.below(4)]);
      case 2:
        return this.#emit("get32", [], [slot + 4 * this.#random.below(2)]);
      default:
        return this.#emit("get64", [], [slot]);
    }
  }

  #put(): void {
    const slot = this.#random.pick(SLOTS);
    switch (this.#random.below(7)) {
      case 0:
        this.#emit("put8", [this.#i32()], [slot + this.#random.below(8)]);
        break;
      case 1:
        this.#emit("put16", [this.#i32()], [slot + 2 * this.#random.below(4)]);
        break;
      case 2:
        this.#emit("put32", [this.#i32()], [slot + 4 * this.#random.below(2)]);
        break;
      case 3:
        this.#emit("put64", [this.#emit("zext.i64", [this.#i32()], [])], [slot]);
        break;
      default:
        this.#emit("put64", [this.#i64()], [slot]);
    }
  }

  #record(): void {
    const random = this.#random;
    const type = random.oneIn(2) ? "i32" : "i64";
    const width = type === "i64" ? 64 : random.pick([8, 16, 32]);
    const operation = random.pick(RECORDS);
    const a = this.#value(type);
    const opcode = `flags.${operation}.${type}` as Opcode;
    switch (operation) {
      case "write":
        this.#emit("flags.write", [this.#i32()], []);
        break;
      case "patch":
        this.#emit("flags.patch", [this.#i32(), this.#i32()], []);
        break;
      case "logic":
      case "logicc":
      case "inc":
      case "dec":
        this.#emit(opcode, [a], [width]);
        break;
      case "shl":
      case "shr":
      case "sar":
        this.#emit(opcode, [a, this.#masked(type === "i64" ? 63 : 31)], [width]);
        break;
      case "adc":
      case "sbb":
        this.#emit(opcode, [a, this.#value(type), this.#masked(1)], [width]);
        break;
      case "add":
      case "sub":
        this.#emit(opcode, [a, this.#value(type)], [width]);
    }
  }

  /** The commonest shape: operate, write the result, record the operands, and perhaps ask at once. */
  #arithmeticWithRecord(): void {
    const random = this.#random;
    const type = random.oneIn(2) ? "i32" : "i64";
    const name = random.pick(["add", "sub", "and", "or", "xor"]);
    const slot = random.pick(SLOTS);
    const a = this.#emit(type === "i32" ? "get32" : "get64", [], [slot]);
    const b = random.oneIn(2) ? this.#constant(type) : this.#value(type);
    const result = this.#emit(`${name}.${type}` as Opcode, [a, b], []);
    const width = type === "i32" ? 32 : 64;
    const records = name === "add" || name === "sub" ? [a, b] : [result];
    const flags = name === "add" || name === "sub" ? name : "logic";
    const put = (): void => {
      const wide = type === "i32" ? this.#emit("zext.i64", [result], []) : result;
      this.#emit("put64", [wide], [slot]);
    };
    const putFirst = random.oneIn(2);
    if (putFirst) put();
    this.#emit(`flags.${flags}.${type}` as Opcode, records, [width]);
    if (!putFirst && !random.oneIn(4)) put();
    if (random.oneIn(3)) this.#emit("condition", [], [random.below(CONDITIONS.length)]);
  }

  #load(order: "plain" | "locked" | "modify", width?: number, address = this.#address()): number {
    const size = width ?? this.#random.pick([8, 16, 32, 64]);
    return this.#emit(`load${size}` as Opcode, [address], [memAttr(this.#access(order))]);
  }

  #store(order: "plain" | "unlock" = "plain", width?: number, address = this.#address()): void {
    const size = width ?? this.#random.pick([8, 16, 32, 64]);
    const value = this.#value(size === 64 ? "i64" : "i32");
    this.#emit(`store${size}` as Opcode, [address, value], [memAttr(this.#access(order))]);
    this.#stored = true;
  }

  #lockedSequence(): void {
    const width = this.#random.pick([8, 16, 32, 64]);
    const address = this.#address();
    this.#load("locked", width, address);
    const second = this.#random.oneIn(4) ? this.#address() : null;
    if (second !== null) this.#load("plain", width, second);
    for (let index = this.#random.below(3); index > 0; index--) this.#compute();
    if (second !== null) this.#store("plain", width, second);
    this.#store("unlock", width, address);
  }

  #access(order: Order): MemoryAccess {
    return {
      order,
      endian: this.#random.oneIn(8) ? "big" : "little",
      segment: this.#random.oneIn(4) ? "stack" : "data",
    };
  }

  #leaveRarely(): void {
    const likely = this.#random.oneIn(3) ? this.#i32() : this.#masked(1);
    const value = this.#emit("eq.i32", [likely, this.#constant("i32")], []);
    if (this.#random.oneIn(2)) this.#emit("trap.if", [value], [this.#random.below(300)]);
    else this.#emit("exit.if", [value], halves(this.#target()));
  }

  #exit(): void {
    const random = this.#random;
    switch (random.below(10)) {
      case 0:
        this.#emit("exit.indirect", [this.#i64()], [1 + random.below(TRANSFERS.length - 1)]);
        break;
      case 1:
        this.#emit(
          "exit.trap",
          [],
          [random.below(300), ...halves(random.oneIn(2) ? this.#pc : this.#nextPc)],
        );
        break;
      case 2:
        this.#emit("exit.helper", [this.#i64(), this.#i64()], [random.below(40), ...halves(this.#nextPc)]);
        break;
      case 3:
        this.#emit("exit.jump", [], [...halves(this.#nextPc), TRANSFERS.indexOf("next")]);
        break;
      case 4:
        this.#emit("exit.jump", [], [...halves(this.#target()), 1 + random.below(TRANSFERS.length - 1)]);
        break;
      default: {
        if (random.oneIn(2)) this.#record();
        const value = random.oneIn(3)
          ? this.#i32()
          : random.oneIn(2)
            ? this.#emit("condition", [], [random.below(CONDITIONS.length)])
            : this.#pure(random.pick(["eq.i64", "ne.i64", "eq.i32", "ne.i32", "lts.i64", "ltu.i32"]));
        this.#emit("exit.branch", [value], [...halves(this.#target()), ...halves(this.#nextPc)]);
      }
    }
  }

  #target(): bigint {
    return this.#random.pick([this.#pc, 0x1000n, 0x4_0000n, 0xffff_ffff_8000_0100n, 0x7fff_ffff_0000n]);
  }

  #address(): number {
    const random = this.#random;
    if (random.oneIn(3)) return this.#emit("get64", [], [random.pick(POINTER_SLOTS)]);
    const address = randomAddress(random);
    if (random.oneIn(2)) return this.#emit("const.i64", [], halves(address));
    // a base, a small index and a displacement that meet at the address
    const displacement = random.oneIn(2) ? this.#immediate() : 0;
    const index = this.#emit("and.i64", [this.#i64(), this.#emit("const.i64", [], [7, 0])], []);
    const base = this.#emit("const.i64", [], halves(address - BigInt(displacement)));
    return this.#emit("addr", [base, index], [random.below(5), displacement]);
  }

  #masked(mask: number): number {
    return this.#emit("and.i32", [this.#i32(), this.#emit("const.i32", [], [mask])], []);
  }

  #value(type: IrType): number {
    return type === "i32" ? this.#i32() : this.#i64();
  }

  #i32(): number {
    return (
      this.#existing("i32") ??
      (this.#random.oneIn(2) ? this.#constant("i32") : this.#emit("get32", [], [this.#random.pick(SLOTS)]))
    );
  }

  #i64(): number {
    return (
      this.#existing("i64") ??
      (this.#random.oneIn(2) ? this.#constant("i64") : this.#emit("get64", [], [this.#random.pick(SLOTS)]))
    );
  }

  /** A temporary of the type, the latest ones preferred; null one time in four, or if there is none. */
  #existing(type: IrType): number | null {
    const random = this.#random;
    const known = this.#types.flatMap((known, index) => (known === type ? [index] : []));
    if (known.length === 0 || random.oneIn(4)) return null;
    return random.pick(random.oneIn(3) ? known : known.slice(-3));
  }

  #constant(type: IrType): number {
    if (type === "i32") return this.#emit("const.i32", [], [this.#immediate()]);
    const value = this.#random.value(64);
    return this.#emit("const.i64", [], halves(this.#random.oneIn(2) ? BigInt(this.#immediate()) : value));
  }

  #immediate(): number {
    return Number(BigInt.asIntN(32, this.#random.value(32)));
  }

  #emit(opcode: Opcode, args: readonly number[], immediates: readonly number[]): number {
    const type = OPERATIONS[opcode].result;
    const result = type === null ? -1 : this.#types.push(type) - 1;
    this.#instructions.push({ opcode, result, args, immediates });
    return result;
  }
}

function halves(value: bigint): [lo: number, hi: number] {
  return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
}
