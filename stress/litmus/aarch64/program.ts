/**
 * The code of one core: its thread column as A64 instructions at EL1.
 *
 * Each operation has a slot of 128 bytes and ends with a branch to the slot below it: a taken backward transfer is where
 * a slice may end, so a core can stop between any two operations.
 *
 *     … slots, downwards from 0xf80: thread, END (branches to itself)
 *
 * Registers: the test has X0 … X15. X20 address, X21 and X26 scratch, X22 fixup and X23 shift for the data abort handler,
 * X25 its scratch, X24 one byte per access that faulted: WnR, DFSC, and bit 7. An access that faults ends its thread, as
 * with herd's variant `fatal`.
 */
import { UserError } from "../../../emu/user-error.ts";
import type { Effect, LitmusTest, Operation, Place } from "../test.ts";
import { Assembler, ELR_EL1, ERET, ESR_EL1, ISB, TTBR0_EL1 } from "./encodings.ts";
import { codeAddress, type Layout, LINEAR_MAP, rootFrame } from "./layout.ts";

export const SLOT_BYTES = 128;
const PAGE_BYTES = 4096;
const SLOTS: number = PAGE_BYTES / SLOT_BYTES;
/** Accesses of one core that can fault: bytes of X24. */
const MAX_FAULTING = 8;
const TEST_REGISTERS = 16;

export const FAULT_LOG = 24;
const ADDRESS = 20;
const VALUE = 21;
const FIXUP = 22;
const SHIFT = 23;
const SYNDROME = 25;
const SCRATCH = 26;
const ZERO = 31;
/** ASID of TTBR0_EL1 and of TLBI operands. */
const ASID_SHIFT = 48n;

/**
 * visible: what it does matters to others, or when; local: it commutes with everything; barrier: visible, and waits for
 * the invalidations that the core has broadcast; end: the thread is done.
 */
export type SlotKind = "visible" | "local" | "barrier" | "end";

export interface Slot {
  readonly kind: SlotKind;
  readonly operation: Operation | null;
  readonly role: "thread";
  /** Offset in the slot of the instruction that others can see: at or before it, the operation is still to come. */
  readonly visibleAt: number;
  /** The location whose page the slot's access uses, if it is one that the test maps. */
  readonly uses: string | null;
}

export interface CoreProgram {
  /** The page's instructions. */
  readonly words: readonly number[];
  /** By number: offset / SLOT_BYTES within the page. */
  readonly slots: readonly (Slot | null)[];
  /** Low half of the address of the first slot. */
  readonly start: number;
  /** Byte of X24 of each labelled access. */
  readonly faultBytes: ReadonlyMap<string, number>;
}

/** Number of a register of the test. @throws UserError for one that the runner needs */
export function registerNumber(test: LitmusTest, name: string): number {
  const number = Number(name.slice(1));
  if (number < TEST_REGISTERS) return number;
  throw new UserError(`${name} is the runner's own`, test.file, `take X0 to X${TEST_REGISTERS - 1}`);
}

/** @throws UserError if the columns are too long, or what the machine has not */
export function assemble(test: LitmusTest, layout: Layout, core: number): CoreProgram {
  return new ProgramBuilder(test, layout, core).build();
}

/** The synchronous exceptions of the current EL with SP_ELx: notes the syndrome in X24 and returns to X22. */
export function abortHandler(): number[] {
  const asm = new Assembler(0n);
  asm.readSystem(SYNDROME, ESR_EL1);
  asm.raw(0x9240_1800 | (SYNDROME << 5) | SYNDROME); // AND X25, X25, #0x7f
  asm.raw(0xb279_0000 | (SYNDROME << 5) | SYNDROME); // ORR X25, X25, #0x80
  asm.raw(0x9ac0_2000 | (SHIFT << 16) | (SYNDROME << 5) | SYNDROME); // LSLV X25, X25, X23
  asm.raw(0xaa00_0000 | (SYNDROME << 16) | (FAULT_LOG << 5) | FAULT_LOG); // ORR X24, X24, X25
  asm.writeSystem(ELR_EL1, FIXUP);
  asm.raw(ERET);
  return asm.words;
}

class ProgramBuilder {
  readonly #test: LitmusTest;
  readonly #layout: Layout;
  readonly #core: number;
  readonly #base: bigint;
  readonly #operations: readonly Operation[];
  readonly #words: number[] = new Array<number>(PAGE_BYTES / 4).fill(0);
  readonly #slots: (Slot | null)[] = new Array<Slot | null>(SLOTS).fill(null);
  readonly #faultBytes: Map<string, number> = new Map();
  #next = SLOTS - 1;
  /** Of the slot that is being written. */
  #visibleAt = 0;
  #faulting = 0;

  constructor(test: LitmusTest, layout: Layout, core: number) {
    this.#test = test;
    this.#layout = layout;
    this.#core = core;
    this.#base = LINEAR_MAP + BigInt(codeAddress(core));
    const columns = test.columns.filter((each) => each.core === core);
    if (columns.some(({ role }) => role === "handler")) throw layout.unfit("interrupts");
    this.#operations = columns[0]?.operations ?? [];
    if (this.#operations.length >= SLOTS) {
      const what = `core ${core} has more than ${SLOTS - 1} operations`;
      throw new UserError(what, test.file, "make the columns shorter");
    }
  }

  build(): CoreProgram {
    for (const operation of this.#operations) this.#operation(operation);
    this.#slot({ kind: "end", operation: null, uses: null }, (asm) => asm.branch(asm.here));
    return {
      words: this.#words,
      slots: this.#slots,
      start: codeAddress(this.#core) + (SLOTS - 1) * SLOT_BYTES,
      faultBytes: this.#faultBytes,
    };
  }

  #operation(operation: Operation): void {
    const { effect } = operation;
    const uses = "place" in effect && effect.place.level === 0 ? effect.place.location : null;
    this.#slot({ kind: kindOf(operation), operation, uses }, (asm, below) => {
      if (operation.isUntaken) asm.branch(below);
      if (uses !== null) this.#prepareFault(asm, operation);
      this.#encode(asm, effect);
      asm.branch(below);
    });
  }

  #slot(
    slot: Pick<Slot, "kind" | "operation" | "uses">,
    write: (asm: Assembler, below: bigint) => void,
  ): void {
    const number = this.#next--;
    const asm = new Assembler(this.#address(number));
    this.#visibleAt = 0;
    write(asm, this.#address(number - 1));
    if (asm.length > SLOT_BYTES) throw new Error(`program: a slot of ${asm.length} bytes`);
    asm.words.forEach((word, at) => {
      this.#words[(number * SLOT_BYTES) / 4 + at] = word;
    });
    this.#slots[number] = { ...slot, role: "thread", visibleAt: this.#visibleAt };
  }

  /** X22 and X23 for the handler: where execution goes on, at the end, and which byte is this access's. */
  #prepareFault(asm: Assembler, operation: Operation): void {
    const byte = this.#faulting++;
    if (byte >= MAX_FAULTING) {
      const what = `core ${this.#core} has more than ${MAX_FAULTING} accesses that can fault`;
      throw new UserError(what, this.#test.file, "make the columns shorter");
    }
    if (operation.label !== null) this.#faultBytes.set(operation.label, byte);
    asm.moveImmediate(SHIFT, BigInt(byte * 8));
    asm.moveImmediate(FIXUP, this.#address(SLOTS - 1 - this.#operations.length));
  }

  #encode(asm: Assembler, effect: Effect): void {
    switch (effect.kind) {
      case "load":
        asm.moveImmediate(ADDRESS, this.#dataAddress(effect.place));
        return this.#seen(asm, () => asm.load(this.#register(effect.to), ADDRESS));
      case "store": {
        const from = this.#source(asm, effect.value, effect.place);
        asm.moveImmediate(ADDRESS, this.#dataAddress(effect.place));
        return this.#seen(asm, () => asm.store(from, ADDRESS));
      }
      case "exchange": {
        const from = this.#source(asm, effect.value, effect.place);
        asm.moveImmediate(ADDRESS, this.#dataAddress(effect.place));
        return this.#seen(asm, () => asm.atomic("SWP", from, this.#register(effect.to), ADDRESS));
      }
      case "add": {
        const register = this.#register(effect.to);
        asm.moveImmediate(ADDRESS, this.#dataAddress(effect.place));
        return this.#seen(asm, () => asm.atomic("LDADD", register, register, ADDRESS));
      }
      case "clear-bit":
        asm.moveImmediate(ADDRESS, this.#dataAddress(effect.place));
        asm.moveImmediate(VALUE, 1n << BigInt(effect.bit));
        return this.#seen(asm, () => asm.atomic("LDCLR", VALUE, ZERO, ADDRESS));
      case "assign":
        if (effect.value.kind === "register") {
          return asm.move(this.#register(effect.to), this.#register(effect.value.name));
        }
        return asm.moveImmediate(this.#register(effect.to), this.#constant(effect.value, NOWHERE));
      case "barrier":
        return asm.barrier(effect.mnemonic);
      case "serialise":
        return asm.raw(ISB);
      case "invalidate": {
        const page = effect.location === null ? 0 : this.#layout.address(effect.location) >>> 12;
        asm.moveImmediate(ADDRESS, (BigInt(effect.context ?? 0) << ASID_SHIFT) | BigInt(page));
        const name = effect.mnemonic.replace(/^TLBI /, "").replace(/IS$/, "");
        return this.#seen(asm, () => asm.invalidate(name, effect.reach, ADDRESS));
      }
      case "context":
        asm.moveImmediate(
          ADDRESS,
          (BigInt(effect.tag) << ASID_SHIFT) | BigInt(rootFrame(effect.root) * 4096),
        );
        return this.#seen(asm, () => asm.writeSystem(TTBR0_EL1, ADDRESS));
      case "await":
        asm.moveImmediate(ADDRESS, this.#dataAddress(effect.place));
        asm.moveImmediate(VALUE, BigInt(effect.value));
        this.#seen(asm, () => asm.load(SCRATCH, ADDRESS));
        asm.subtract(SCRATCH, SCRATCH, VALUE);
        asm.branchIfZero(SCRATCH, asm.here + 8n);
        return asm.branch(asm.origin);
      case "fetch":
      case "globals":
      case "interrupt-mask":
      case "ipi":
        throw this.#layout.unfit(`an operation ${effect.kind}`);
    }
  }

  /** The instruction that others can see. */
  #seen(asm: Assembler, write: () => void): void {
    this.#visibleAt = asm.length;
    write();
  }

  /** The register that holds a value to be stored. */
  #source(asm: Assembler, value: Parameters<Layout["words"]>[0], place: Place): number {
    if (value.kind === "register") return this.#register(value.name);
    asm.moveImmediate(VALUE, this.#constant(value, place));
    return VALUE;
  }

  #register(name: string): number {
    return registerNumber(this.#test, name);
  }

  /** Virtual address of a place: the location's own, or its table's in the linear map. */
  #dataAddress(place: Place): bigint {
    if (place.level === 0) return BigInt(this.#layout.address(place.location));
    return LINEAR_MAP + BigInt(this.#layout.slot(place) * 4);
  }

  #constant(value: Parameters<Layout["words"]>[0], place: Place): bigint {
    const { lo, hi } =
      value.kind === "entry" && place === NOWHERE
        ? this.#layout.entry(value.entry, 1)
        : this.#layout.words(value, place);
    return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
  }

  #address(slot: number): bigint {
    return this.#base + BigInt(slot * SLOT_BYTES);
  }
}

/** Of a value that is only kept in a register. */
const NOWHERE: Place = { location: "", level: 0, root: 0 };

function kindOf({ effect, isUntaken }: Operation): SlotKind {
  if (isUntaken || effect.kind === "assign") return "local";
  if (effect.kind !== "barrier") return "visible";
  // DMB orders accesses that are in order anyway; a DSB of loads or stores alone waits for no invalidation.
  const [name, option = "SY"] = effect.mnemonic.split(" ");
  if (name === "DMB") return "local";
  return /(LD|ST)$|^NSH/.test(option) ? "visible" : "barrier";
}
