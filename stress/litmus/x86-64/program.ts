/**
 * The code of one core: its thread column and its handler column as x86-64 instructions.
 *
 * Each operation has a slot of 128 bytes and ends with a jump to the slot below it: a taken backward transfer is where a
 * slice may end, so a core can stop between any two operations. An interrupt that arrives in the middle of a walk returns
 * to the instruction that made the access.
 *
 *     0x000  #PF handler          … slots, downwards:  thread, END (jumps to itself), handler, EOI and IRETQ … 0xf80
 *
 * Registers: R11 address, RAX RDX R12 scratch, RCX shift and R15 fixup for the #PF handler, R13 its scratch, R14 one byte
 * per access that faulted: its error code, and bit 7.
 */
import { UserError } from "../../../emu/user-error.ts";
import type { Effect, LitmusTest, Operation, Place } from "../test.ts";
import { Assembler, REGISTERS } from "./assembler.ts";
import { codeAddress, DIRECT_MAP, FETCH_OFFSET, type Layout, rootFrame, stackTop } from "./layout.ts";

export const SLOT_BYTES = 128;
const PAGE_BYTES = 4096;
const SLOTS: number = PAGE_BYTES / SLOT_BYTES;
/** Slots that the #PF handler takes. */
const RESERVED_SLOTS = 1;
/** Accesses of one core that can fault: bytes of R14. */
const MAX_FAULTING = 8;

export const IPI_VECTOR = 0x40;
const MSR_EOI = 0x80b;
const MSR_ICR = 0x830;
const FAULTED = 0x80;
const INVPCID_EVENTS = 2;
const CR4_PGE_BIT = 0x80;
const { RAX, RCX, RDX, RBX, R11, R12, R15 } = REGISTERS;

/** visible: what it does matters to others, or when; local: it commutes with everything; end: the thread is done. */
export type SlotKind = "visible" | "local" | "end";

export interface Slot {
  readonly kind: SlotKind;
  readonly operation: Operation | null;
  readonly role: "thread" | "handler";
  /** Offset in the slot of the instruction that others can see: at or before it, the operation is still to come. */
  readonly visibleAt: number;
  /** Events of that instruction: INVPCID reads its operand, which is the core's own, in two accesses. */
  readonly events: number;
  /** The location whose page the slot's access uses, if it is one that the test maps. */
  readonly uses: string | null;
  /** It drops global entries too. */
  readonly dropsGlobals: boolean;
}

export interface CoreProgram {
  /** The page's bytes, without what is behind the last slot. */
  readonly bytes: Uint8Array;
  /** By number: address / SLOT_BYTES within the page. */
  readonly slots: readonly (Slot | null)[];
  readonly start: bigint;
  readonly interruptEntry: bigint;
  readonly pageFaultEntry: bigint;
  /** Byte of R14 of each labelled access. */
  readonly faultBytes: ReadonlyMap<string, number>;
  /** Sixteen-byte operands of INVPCID, at the bottom of the core's stack page. */
  readonly descriptors: readonly { readonly pcid: number; readonly address: number }[];
}

/** @throws UserError if the columns are too long */
export function assemble(test: LitmusTest, layout: Layout, core: number): CoreProgram {
  return new ProgramBuilder(test, layout, core).build();
}

class ProgramBuilder {
  readonly #test: LitmusTest;
  readonly #layout: Layout;
  readonly #core: number;
  readonly #base: bigint;
  readonly #bytes: Uint8Array = new Uint8Array(PAGE_BYTES);
  readonly #slots: (Slot | null)[] = new Array<Slot | null>(SLOTS).fill(null);
  readonly #faultBytes: Map<string, number> = new Map();
  readonly #descriptors: { pcid: number; address: number }[] = [];
  #next = SLOTS - 1;
  /** Of the slot that is being written. */
  #visibleAt = 0;
  #faulting = 0;

  constructor(test: LitmusTest, layout: Layout, core: number) {
    this.#test = test;
    this.#layout = layout;
    this.#core = core;
    this.#base = codeAddress(core);
  }

  build(): CoreProgram {
    const column = (role: "thread" | "handler"): readonly Operation[] =>
      this.#test.columns.find((each) => each.core === this.#core && each.role === role)?.operations ?? [];
    this.#bytes.set(pageFaultHandler(this.#base));
    const start = this.#address(this.#next);
    for (const operation of column("thread")) this.#operation(operation, "thread");
    this.#slot({ kind: "end", operation: null, role: "thread" }, (asm) => asm.jump(asm.here));
    const interruptEntry = this.#address(this.#next);
    this.#slot({ kind: "local", operation: null, role: "handler" }, (asm, below) => {
      asm.raw(0x50, 0x51, 0x52, 0x41, 0x53, 0x41, 0x54, 0x41, 0x57); // PUSH RAX, RCX, RDX, R11, R12, R15
      asm.jump(below);
    });
    for (const operation of column("handler")) this.#operation(operation, "handler");
    this.#slot({ kind: "local", operation: null, role: "handler" }, (asm) => {
      writeMsr(asm, MSR_EOI, 0n, 0n);
      asm.raw(0x41, 0x5f, 0x41, 0x5c, 0x41, 0x5b, 0x5a, 0x59, 0x58); // POP R15, R12, R11, RDX, RCX, RAX
      asm.raw(0x48, 0xcf); // IRETQ
    });
    return {
      bytes: this.#bytes,
      slots: this.#slots,
      start,
      interruptEntry,
      pageFaultEntry: this.#base,
      faultBytes: this.#faultBytes,
      descriptors: this.#descriptors,
    };
  }

  #operation(operation: Operation, role: "thread" | "handler"): void {
    const { effect } = operation;
    const uses = "place" in effect && effect.place.level === 0 ? effect.place.location : null;
    const quiet = operation.isUntaken || ["assign", "barrier", "serialise"].includes(effect.kind);
    const flush = effect.kind === "globals" || (effect.kind === "invalidate" && effect.scope === "all");
    const events = effect.kind === "invalidate" && effect.mnemonic !== "INVLPG" ? INVPCID_EVENTS : 1;
    this.#slot(
      { kind: quiet ? "local" : "visible", operation, role, uses, dropsGlobals: flush, events },
      (asm, below) => {
        if (operation.isUntaken) asm.jump(below);
        if (uses !== null) this.#prepareFault(asm, operation, below);
        this.#encode(asm, effect);
        asm.jump(below);
      },
    );
  }

  #slot(
    slot: Pick<Slot, "kind" | "operation" | "role"> & Partial<Slot>,
    write: (asm: Assembler, below: bigint) => void,
  ): void {
    const number = this.#next--;
    if (number < RESERVED_SLOTS) {
      const what = `core ${this.#core} has more than ${SLOTS - RESERVED_SLOTS - 2} operations`;
      throw new UserError(what, this.#test.file, "make the columns shorter");
    }
    const asm = new Assembler(this.#address(number));
    this.#visibleAt = 0;
    write(asm, this.#address(number - 1));
    if (asm.bytes.length > SLOT_BYTES) throw new Error(`program: a slot of ${asm.bytes.length} bytes`);
    this.#bytes.set(asm.bytes, number * SLOT_BYTES);
    this.#slots[number] = {
      uses: null,
      dropsGlobals: false,
      events: 1,
      visibleAt: this.#visibleAt,
      ...slot,
    };
  }

  /** RCX and R15 for the #PF handler: where the error code goes, and where execution goes on. */
  #prepareFault(asm: Assembler, operation: Operation, fixup: bigint): void {
    const byte = this.#faulting++;
    if (byte >= MAX_FAULTING) {
      const what = `core ${this.#core} has more than ${MAX_FAULTING} accesses that can fault`;
      throw new UserError(what, this.#test.file, "make the columns shorter");
    }
    if (operation.label !== null) this.#faultBytes.set(operation.label, byte);
    asm.moveImmediate(RCX, BigInt(byte * 8));
    asm.moveImmediate(R15, fixup);
  }

  #encode(asm: Assembler, effect: Effect): void {
    switch (effect.kind) {
      case "load":
        asm.moveImmediate(R11, this.#dataAddress(effect.place));
        return this.#access(asm, [0x8b], REGISTERS[effect.to]!);
      case "store": {
        const { value, place } = effect;
        asm.moveImmediate(R11, this.#dataAddress(place));
        if (value.kind === "register") return this.#access(asm, [0x89], REGISTERS[value.name]!);
        asm.moveImmediate(RAX, this.#constant(value, place.level));
        return this.#access(asm, [0x89], RAX);
      }
      case "exchange":
        asm.moveImmediate(R11, this.#dataAddress(effect.place));
        return this.#access(asm, [0x87], REGISTERS[effect.to]!);
      case "add":
        asm.moveImmediate(R11, this.#dataAddress(effect.place));
        return this.#access(asm, [0x0f, 0xc1], REGISTERS[effect.to]!, [0xf0]);
      case "clear-bit":
        asm.moveImmediate(R11, this.#dataAddress(effect.place));
        this.#access(asm, [0x0f, 0xba], 6, [0xf0]);
        return asm.raw(effect.bit);
      case "fetch": {
        // MOV R11, after; MOV R12, page; JMP R12; after: MOV reg, RAX. Both MOVs take ten bytes, JMP three.
        const after = asm.here + 23n;
        asm.moveImmediate(R11, after);
        asm.moveImmediate(R12, BigInt(this.#layout.address(effect.place.location) + FETCH_OFFSET));
        this.#visibleAt = asm.bytes.length;
        asm.jumpTo(R12);
        return asm.move(REGISTERS[effect.to]!, RAX);
      }
      case "assign":
        return asm.moveImmediate(REGISTERS[effect.to]!, this.#constant(effect.value, 1));
      case "barrier":
        return asm.raw(0x0f, 0xae, { LFENCE: 0xe8, MFENCE: 0xf0, SFENCE: 0xf8 }[effect.mnemonic]!);
      case "serialise":
        asm.move(R12, RBX);
        asm.moveImmediate(RAX, 0n);
        asm.raw(0x0f, 0xa2); // CPUID
        return asm.move(RBX, R12);
      case "invalidate":
        return this.#invalidation(asm, effect);
      case "context": {
        const keep = effect.keeps === 1 ? 1n << 63n : 0n;
        asm.moveImmediate(RAX, BigInt(rootFrame(effect.root) * 4096 + effect.tag) | keep);
        return asm.raw(0x0f, 0x22, 0xd8); // MOV CR3, RAX
      }
      case "globals":
        asm.raw(0x0f, 0x20, 0xe0); // MOV RAX, CR4
        if (effect.on === 1)
          asm.raw(0x48, 0x0d, CR4_PGE_BIT, 0, 0, 0); // OR RAX, imm32
        else asm.raw(0x48, 0x25, 0x7f, 0xff, 0xff, 0xff); // AND RAX, ~0x80
        this.#visibleAt = asm.bytes.length;
        return asm.raw(0x0f, 0x22, 0xe0); // MOV CR4, RAX
      case "interrupt-mask":
        // NOP: the shadow of STI ends with the next instruction.
        return asm.raw(effect.masked === 1 ? 0xfa : 0xfb, 0x90);
      case "ipi":
        return writeMsr(asm, MSR_ICR, BigInt(IPI_VECTOR), BigInt(effect.core));
      case "await": {
        asm.moveImmediate(R11, this.#dataAddress(effect.place));
        this.#access(asm, [0x8b], RAX);
        asm.compare(RAX, effect.value);
        asm.raw(0x74, 5); // JE past the jump
        return asm.jump(asm.origin);
      }
    }
  }

  #invalidation(asm: Assembler, effect: Extract<Effect, { kind: "invalidate" }>): void {
    const address = effect.location === null ? 0 : this.#layout.address(effect.location);
    if (effect.mnemonic === "INVLPG") {
      asm.moveImmediate(R11, BigInt(address));
      return asm.raw(0x41, 0x0f, 0x01, 0x3b); // INVLPG [R11]
    }
    const number = this.#descriptors.push({ pcid: effect.context ?? 0, address }) - 1;
    asm.moveImmediate(R11, stackTop(this.#core) - BigInt(PAGE_BYTES) + BigInt(number * 16));
    asm.moveImmediate(RAX, BigInt(["page", "context", "all", "all-but-global"].indexOf(effect.scope)));
    this.#visibleAt = asm.bytes.length;
    asm.raw(0x66, 0x41, 0x0f, 0x38, 0x82, 0x03); // INVPCID RAX, [R11]
  }

  /** An access to [R11], which others can see. */
  #access(
    asm: Assembler,
    opcode: readonly number[],
    register: number,
    prefixes: readonly number[] = [],
  ): void {
    this.#visibleAt = asm.bytes.length;
    asm.memory(opcode, register, R11, prefixes);
  }

  /** Virtual address of a place: the location's own, or its table's in the direct map. */
  #dataAddress(place: Place): bigint {
    if (place.level === 0) return BigInt(this.#layout.address(place.location));
    return DIRECT_MAP + BigInt(this.#layout.slot(place) * 4);
  }

  #constant(value: Parameters<Layout["words"]>[0], level: number): bigint {
    const { lo, hi } = this.#layout.words(value, level);
    return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
  }

  #address(slot: number): bigint {
    return this.#base + BigInt(slot * SLOT_BYTES);
  }
}

function writeMsr(asm: Assembler, msr: number, low: bigint, high: bigint): void {
  asm.moveImmediate(RCX, BigInt(msr));
  asm.moveImmediate(RAX, low);
  asm.moveImmediate(RDX, high);
  asm.raw(0x0f, 0x30); // WRMSR
}

/** Notes the error code in R14 and returns to R15. */
function pageFaultHandler(base: bigint): number[] {
  const asm = new Assembler(base);
  asm.raw(0x41, 0x5d); // POP R13: the error code
  asm.raw(0x49, 0x81, 0xcd, FAULTED, 0, 0, 0); // OR R13, 0x80
  asm.raw(0x49, 0xd3, 0xe5); // SHL R13, CL
  asm.raw(0x4d, 0x09, 0xee); // OR R14, R13
  asm.raw(0x4c, 0x89, 0x3c, 0x24); // MOV [RSP], R15
  asm.raw(0x48, 0xcf); // IRETQ
  return asm.bytes;
}
