/**
 * Physical memory. One unshared WebAssembly.Memory holds the whole machine: the cores' state first, then guest
 * RAM, laid out once at creation. RAM views start at guest physical address 0, so an access is `i32[pa >> 2]`
 * with no base to add. This class and the code of the backends are all that touch RAM.
 *
 * A frame carries flags that make the first write to it slow: a dirty mark (restoring a start state copies back
 * only dirtied frames) and a mark on frames that hold decoded code. Simplification: physical addresses past RAM
 * read as all ones and ignore writes, as an unclaimed bus cycle does; no device of the machines so far is
 * memory-mapped.
 */
import type { PhysAddr } from "./address.ts";

/** The frame was written since the marks were last cleared. */
export const FRAME_DIRTY = 1;
/** A backend holds code decoded from this frame. */
export const FRAME_CODE = 2;
/** A watchpoint lies in this frame. */
export const FRAME_WATCHED = 4;
/** A core's exclusive monitor may hold an address in this frame. */
export const FRAME_MONITORED = 8;

const WASM_PAGE_BYTES = 65536;
const MAX_BYTES = 65536 * WASM_PAGE_BYTES;

export class PhysicalMemory {
  /** Guest RAM in bytes. */
  readonly sizeBytes: number;
  readonly frames: number;
  /** Views of guest RAM; index 0 is physical address 0. */
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  readonly i64: BigInt64Array;
  readonly view: DataView;
  /** The area before RAM, for core states; byte offsets. */
  readonly engine: ArrayBuffer;
  readonly engineBytes: number;
  /** FRAME_* bits per frame. FRAME_DIRTY is set by markDirty() alone. */
  readonly frameFlags: Uint8Array;
  /** The frames that carry the dirty mark, in the order in which they got it. */
  readonly dirtyFrames: Int32Array;
  dirtyCount = 0;
  /** High half of the addresses at which the kernel maps RAM linearly: what pointers stored in RAM carry. */
  directMapHi = 0;
  /** Called before a write to a frame marked FRAME_CODE, by whoever writes. */
  onCodeWrite: (frame: number) => void = () => {};
  /**
   * Called before a write of at most so many bytes from an address, some of which lie in frames marked FRAME_WATCHED,
   * by whoever writes.
   */
  onWatchedWrite: (pa: number, lengthBytes: number) => void = () => {};
  /** The same for frames marked FRAME_MONITORED. */
  onMonitoredWrite: (pa: number, lengthBytes: number) => void = () => {};
  readonly #memory: WebAssembly.Memory;

  /**
   * @param ramBytes guest RAM, a multiple of 64 KiB
   * @param engineBytes what core states need, rounded up to 64 KiB
   * @throws RangeError if both together pass 4 GiB
   */
  constructor(ramBytes: number, engineBytes: number) {
    this.sizeBytes = ramBytes;
    this.frames = ramBytes / 4096;
    this.engineBytes = Math.ceil(engineBytes / WASM_PAGE_BYTES) * WASM_PAGE_BYTES;
    const total = this.engineBytes + ramBytes;
    if (ramBytes % WASM_PAGE_BYTES !== 0 || total > MAX_BYTES) {
      throw new RangeError(`guest RAM of ${ramBytes} bytes does not fit a 32-bit memory`);
    }
    const pages = total / WASM_PAGE_BYTES;
    this.#memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const buffer = this.#memory.buffer;
    this.engine = buffer;
    this.u8 = new Uint8Array(buffer, this.engineBytes, ramBytes);
    this.u16 = new Uint16Array(buffer, this.engineBytes, ramBytes / 2);
    this.i32 = new Int32Array(buffer, this.engineBytes, ramBytes / 4);
    this.i64 = new BigInt64Array(buffer, this.engineBytes, ramBytes / 8);
    this.view = new DataView(buffer, this.engineBytes, ramBytes);
    this.frameFlags = new Uint8Array(this.frames);
    this.dirtyFrames = new Int32Array(this.frames);
  }

  /** Reads 8 bits; pa inside RAM. @hot */
  read8(pa: number): number {
    return this.u8[pa]!;
  }

  /** Reads 16 bits, aligned. @hot */
  read16(pa: number): number {
    return this.u16[pa >>> 1]!;
  }

  /** Reads 32 bits as int32, aligned. @hot */
  read32(pa: number): number {
    return this.i32[pa >>> 2]!;
  }

  /** Reads 64 bits, aligned, as a double; exact below 2^53. @hot */
  read64(pa: number): number {
    const index = pa >>> 2;
    return (this.i32[index]! >>> 0) + (this.i32[index + 1]! >>> 0) * 0x1_0000_0000;
  }

  /** @hot */
  write8(pa: number, value: number): void {
    if (this.frameFlags[pa >>> 12] !== FRAME_DIRTY) this.beforeWrite(pa, 1);
    this.u8[pa] = value;
  }

  /** @hot */
  write16(pa: number, value: number): void {
    if (this.frameFlags[pa >>> 12] !== FRAME_DIRTY) this.beforeWrite(pa, 2);
    this.u16[pa >>> 1] = value;
  }

  /** @hot */
  write32(pa: number, value: number): void {
    if (this.frameFlags[pa >>> 12] !== FRAME_DIRTY) this.beforeWrite(pa, 4);
    this.i32[pa >>> 2] = value;
  }

  /** write32() by a walker: whoever watches what kernel code accesses does not hear of it. @hot */
  updateEntry32(pa: number, value: number): void {
    if (this.frameFlags[pa >>> 12] !== FRAME_DIRTY) this.beforeWrite(pa);
    this.i32[pa >>> 2] = value;
  }

  /** Writes 64 bits from int32 halves, aligned. @hot */
  write64(pa: number, lo: number, hi: number): void {
    if (this.frameFlags[pa >>> 12] !== FRAME_DIRTY) this.beforeWrite(pa);
    const index = pa >>> 2;
    this.i32[index] = lo;
    this.i32[index + 1] = hi;
  }

  /** Writes an unsigned double below 2^53 as 64 bits, aligned. @hot */
  writeU64(pa: number, value: number): void {
    this.write64(pa, value | 0, Math.floor(value / 0x1_0000_0000) | 0);
  }

  /** Marks one frame before a write of at most eight bytes inside it. */
  beforeWrite(pa: number, lengthBytes = 8): void {
    const flags = this.#mark(pa >>> 12);
    if (flags & FRAME_WATCHED) this.onWatchedWrite(pa, lengthBytes);
    if (flags & FRAME_MONITORED) this.onMonitoredWrite(pa, lengthBytes);
  }

  /** @hot */
  markDirty(frame: number): void {
    const flags = this.frameFlags[frame]!;
    if ((flags & FRAME_DIRTY) !== 0) return;
    this.frameFlags[frame] = flags | FRAME_DIRTY;
    this.dirtyFrames[this.dirtyCount++] = frame;
  }

  /** Every frame counts as not written. Write tags of fast TLBs must go as well: they would hide a first write. */
  clearDirty(): void {
    for (let at = 0; at < this.dirtyCount; at++) {
      const frame = this.dirtyFrames[at]!;
      this.frameFlags[frame] = this.frameFlags[frame]! & ~FRAME_DIRTY;
    }
    this.dirtyCount = 0;
  }

  /** Fills bytes, at most to the end of RAM. */
  fill(pa: PhysAddr, lengthBytes: number, value: number): void {
    this.#markRange(pa, lengthBytes);
    this.u8.fill(value, pa, pa + lengthBytes);
  }

  /** Copies bytes inside RAM. */
  copy(target: PhysAddr, source: PhysAddr, lengthBytes: number): void {
    this.#markRange(target, lengthBytes);
    this.u8.copyWithin(target, source, source + lengthBytes);
  }

  /** Copies so many aligned words of 64 bits, the target inside one frame. @hot */
  copyWords(target: number, source: number, words: number): void {
    if (this.frameFlags[target >>> 12] !== FRAME_DIRTY) this.#markRange(target, words * 8);
    const from = source >>> 2;
    const to = target >>> 2;
    for (let i = 0; i < words * 2; i++) this.i32[to + i] = this.i32[from + i]!;
  }

  /** Copies host bytes into RAM. */
  store(pa: PhysAddr, bytes: Uint8Array): void {
    this.#markRange(pa, bytes.length);
    this.u8.set(bytes, pa);
  }

  #markRange(pa: number, lengthBytes: number): void {
    let flags = 0;
    for (let at = pa - (pa % 4096); at < pa + lengthBytes; at += 4096) flags |= this.#mark(at >>> 12);
    if (flags & FRAME_WATCHED) this.onWatchedWrite(pa, lengthBytes);
    if (flags & FRAME_MONITORED) this.onMonitoredWrite(pa, lengthBytes);
  }

  /** Returns the flags that the frame had. */
  #mark(frame: number): number {
    const flags = this.frameFlags[frame]!;
    if (flags & FRAME_CODE) this.onCodeWrite(frame);
    this.markDirty(frame);
    return flags;
  }
}
