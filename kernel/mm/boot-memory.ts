/** Memory before the frame allocator runs: handed out upwards from an address, zeroed, never given back (memblock). */
import { type PhysicalMemory, physAddr } from "../../mmu/index.ts";
import type { StructLayout } from "../struct.ts";

/** A structure in boot memory. */
export interface PlacedStructure {
  readonly at: number;
  readonly layout: StructLayout;
}

export class BootMemory {
  /** What lies where, as far as it has a declaration. */
  readonly placed: PlacedStructure[] = [];
  readonly #ram: PhysicalMemory;
  #next: number;

  /** @param start first physical address that may be handed out */
  constructor(ram: PhysicalMemory, start: number) {
    this.#ram = ram;
    this.#next = start;
  }

  /** Room for a structure. */
  place(layout: StructLayout, alignBytes: number): number {
    const at = this.take(layout.sizeBytes, alignBytes);
    this.placed.push({ at, layout });
    return at;
  }

  /** Physical address of `lengthBytes` zero bytes. @param alignBytes a power of two */
  take(lengthBytes: number, alignBytes: number): number {
    const at = Math.ceil(this.#next / alignBytes) * alignBytes;
    if (at + lengthBytes > this.#ram.sizeBytes) {
      throw new RangeError(
        `guest RAM of ${this.#ram.sizeBytes} bytes is too small for the kernel's own structures`,
      );
    }
    this.#next = at + lengthBytes;
    this.#ram.fill(physAddr(at), lengthBytes, 0);
    return at;
  }

  /** First frame that is wholly free. */
  get firstFreeFrame(): number {
    return Math.ceil(this.#next / 4096);
  }
}
