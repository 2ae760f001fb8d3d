/**
 * Structures in guest RAM. A structure is declared once: fields with name, width and guard (the lock or discipline
 * that protects them). A field object is a module constant that knows its offset; a kernel pointer is a KPtr, the
 * physical address behind the direct map, and a view of a structure holds no state of its own.
 *
 * In guest RAM a pointer field is the full 64-bit direct-map address (so that a debugger sees structures), or 0. The
 * direct map starts at an address whose low half is 0 and RAM is below 4 GiB, so the low word is the KPtr.
 * Accessors are plain loads and stores; a marked access (READ_ONCE and its kin) is written
 * `if (k.point(COST)) yield;` before the accessor.
 */
import type { PhysicalMemory } from "../mmu/index.ts";

declare const kptr: unique symbol;
/** Pointer to an object in the direct map; 0 is NULL. */
export type KPtr = number & { readonly [kptr]: true };
export const NULL: KPtr = 0 as KPtr;

export function kptrOf(pa: number): KPtr {
  return pa as KPtr;
}

/** Who may touch a field, for readers, lockdep and the race detector. */
export type Guard = string;

export abstract class Field {
  readonly offset: number;
  readonly name: string;
  readonly guard: Guard;
  constructor(name: string, offset: number, guard: Guard) {
    this.name = name;
    this.offset = offset;
    this.guard = guard;
  }
  /** Address of the field in an object. @hot */
  at(object: KPtr): number {
    return object + this.offset;
  }
}

/** 8 bits, unsigned. */
export class U8Field extends Field {
  /** @hot */
  get(ram: PhysicalMemory, object: KPtr): number {
    return ram.read8(object + this.offset);
  }
  /** @hot */
  set(ram: PhysicalMemory, object: KPtr, value: number): void {
    ram.write8(object + this.offset, value);
  }
}

/** 32 bits, read as a signed int32. */
export class I32Field extends Field {
  /** @hot */
  get(ram: PhysicalMemory, object: KPtr): number {
    return ram.read32(object + this.offset);
  }
  /** @hot */
  set(ram: PhysicalMemory, object: KPtr, value: number): void {
    ram.write32(object + this.offset, value);
  }
  /** Atomic add; the new value. @hot */
  add(ram: PhysicalMemory, object: KPtr, delta: number): number {
    const value = (ram.read32(object + this.offset) + delta) | 0;
    ram.write32(object + this.offset, value);
    return value;
  }
}

/** 64 bits, unsigned, exact below 2^53. */
export class U64Field extends Field {
  /** @hot */
  get(ram: PhysicalMemory, object: KPtr): number {
    return ram.read64(object + this.offset);
  }
  /** @hot */
  set(ram: PhysicalMemory, object: KPtr, value: number): void {
    ram.writeU64(object + this.offset, value);
  }
  /** Atomic add; the new value. @hot */
  add(ram: PhysicalMemory, object: KPtr, delta: number): number {
    const value = ram.read64(object + this.offset) + delta;
    ram.writeU64(object + this.offset, value);
    return value;
  }
  getLo(ram: PhysicalMemory, object: KPtr): number {
    return ram.read32(object + this.offset);
  }
  getHi(ram: PhysicalMemory, object: KPtr): number {
    return ram.read32(object + this.offset + 4);
  }
  setHalves(ram: PhysicalMemory, object: KPtr, lo: number, hi: number): void {
    ram.write64(object + this.offset, lo, hi);
  }
}

/** A pointer into the direct map. */
export class PtrField extends Field {
  /** @hot */
  get(ram: PhysicalMemory, object: KPtr): KPtr {
    return (ram.read32(object + this.offset) >>> 0) as KPtr;
  }
  /** @hot */
  set(ram: PhysicalMemory, object: KPtr, value: KPtr): void {
    ram.write64(object + this.offset, value | 0, value === 0 ? 0 : ram.directMapHi);
  }
}

/** A virtual address that is page aligned, read as a page number (64 bits in memory, exact as Vpn). */
export class VpnField extends Field {
  /** @hot */
  get(ram: PhysicalMemory, object: KPtr): number {
    const at = object + this.offset;
    return (ram.read32(at) >>> 12) + (ram.read32(at + 4) >>> 0) * 0x10_0000;
  }
  /** @hot */
  set(ram: PhysicalMemory, object: KPtr, page: number): void {
    ram.write64(object + this.offset, ((page % 0x10_0000) << 12) | 0, Math.floor(page / 0x10_0000) | 0);
  }
}

const layouts: Map<string, StructLayout> = new Map();

/** The declaration of a structure by its name, for who watches memory; null: there is none. */
export function layoutNamed(name: string): StructLayout | null {
  return layouts.get(name) ?? null;
}

/** A field of a structure inside another: for names and guards. Accesses go through the inner structure's own fields. */
class EmbeddedField extends Field {}

/** Lays fields out one after another with natural alignment. */
export class StructLayout {
  readonly name: string;
  #offset = 0;
  readonly fields: Field[] = [];

  constructor(name: string) {
    this.name = name;
    layouts.set(name, this);
  }

  /** Size so far, rounded up to 8 bytes. */
  get sizeBytes(): number {
    return (this.#offset + 7) & ~7;
  }

  u8(name: string, guard: Guard): U8Field {
    return this.#place(new U8Field(name, this.#take(1), guard));
  }
  i32(name: string, guard: Guard): I32Field {
    return this.#place(new I32Field(name, this.#take(4), guard));
  }
  u64(name: string, guard: Guard): U64Field {
    return this.#place(new U64Field(name, this.#take(8), guard));
  }
  ptr(name: string, guard: Guard): PtrField {
    return this.#place(new PtrField(name, this.#take(8), guard));
  }
  vpn(name: string, guard: Guard): VpnField {
    return this.#place(new VpnField(name, this.#take(8), guard));
  }
  /** Room for an embedded structure or array; its offset. @param alignBytes a power of two */
  bytes(lengthBytes: number, alignBytes = 8): number {
    this.#offset = (this.#offset + alignBytes - 1) & ~(alignBytes - 1);
    const offset = this.#offset;
    this.#offset += lengthBytes;
    return offset;
  }

  /** Room for an embedded structure whose fields are named; its offset. */
  embed(name: string, inner: StructLayout, lengthBytes: number = inner.sizeBytes): number {
    const offset = this.bytes(lengthBytes);
    for (const field of inner.fields) {
      this.fields.push(new EmbeddedField(`${name}.${field.name}`, offset + field.offset, field.guard));
    }
    return offset;
  }

  #take(widthBytes: number): number {
    return this.bytes(widthBytes, widthBytes);
  }

  #place<T extends Field>(field: T): T {
    this.fields.push(field);
    return field;
  }
}
