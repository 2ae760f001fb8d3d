/**
 * Physical memory whose accessors tell a sink of each access first. Kernel code reaches its structures and page tables
 * through the accessors alone; what the cores do (walks, trap frames, user code) goes past them, through the views. So
 * with this memory in a machine a sink sees what the kernel touches, and nothing else.
 *
 * A sink changes nothing and is called before the access. It is null until somebody watches; a machine that nobody
 * watches has a plain PhysicalMemory, whose accessors cost nothing more.
 */
import type { PhysAddr } from "./address.ts";
import { PhysicalMemory } from "./memory.ts";

export const SINK_READ = 0;
export const SINK_WRITE = 1;
export type SinkKind = typeof SINK_READ | typeof SINK_WRITE;

export interface AccessSink {
  /** One access of 1 … 8 bytes, aligned to its size. @hot */
  access(pa: number, bytes: number, kind: SinkKind): void;
  /** A fill or one side of a copy: any length. */
  range(pa: number, bytes: number, kind: SinkKind): void;
}

export class ObservedMemory extends PhysicalMemory {
  sink: AccessSink | null = null;

  /** @hot */
  override read8(pa: number): number {
    if (this.sink !== null) this.sink.access(pa, 1, SINK_READ);
    return this.u8[pa]!;
  }

  /** @hot */
  override read16(pa: number): number {
    if (this.sink !== null) this.sink.access(pa, 2, SINK_READ);
    return this.u16[pa >>> 1]!;
  }

  /** @hot */
  override read32(pa: number): number {
    if (this.sink !== null) this.sink.access(pa, 4, SINK_READ);
    return this.i32[pa >>> 2]!;
  }

  /** @hot */
  override read64(pa: number): number {
    if (this.sink !== null) this.sink.access(pa, 8, SINK_READ);
    const index = pa >>> 2;
    return (this.i32[index]! >>> 0) + (this.i32[index + 1]! >>> 0) * 0x1_0000_0000;
  }

  /** @hot */
  override write8(pa: number, value: number): void {
    if (this.sink !== null) this.sink.access(pa, 1, SINK_WRITE);
    super.write8(pa, value);
  }

  /** @hot */
  override write16(pa: number, value: number): void {
    if (this.sink !== null) this.sink.access(pa, 2, SINK_WRITE);
    super.write16(pa, value);
  }

  /** @hot */
  override write32(pa: number, value: number): void {
    if (this.sink !== null) this.sink.access(pa, 4, SINK_WRITE);
    super.write32(pa, value);
  }

  /** @hot */
  override write64(pa: number, lo: number, hi: number): void {
    if (this.sink !== null) this.sink.access(pa, 8, SINK_WRITE);
    super.write64(pa, lo, hi);
  }

  override fill(pa: PhysAddr, lengthBytes: number, value: number): void {
    if (this.sink !== null) this.sink.range(pa, lengthBytes, SINK_WRITE);
    super.fill(pa, lengthBytes, value);
  }

  override copy(target: PhysAddr, source: PhysAddr, lengthBytes: number): void {
    if (this.sink !== null) {
      this.sink.range(source, lengthBytes, SINK_READ);
      this.sink.range(target, lengthBytes, SINK_WRITE);
    }
    super.copy(target, source, lengthBytes);
  }

  override copyWords(target: number, source: number, words: number): void {
    if (this.sink !== null) {
      this.sink.range(source, words * 8, SINK_READ);
      this.sink.range(target, words * 8, SINK_WRITE);
    }
    super.copyWords(target, source, words);
  }
}
