/**
 * Vector clocks of the cores: what each core knows of each other's progress (C. Flanagan, S. N. Freund, "FastTrack:
 * Efficient and Precise Dynamic Race Detection", PLDI 2009, section 2). A core, not a task, has a clock: kernel code is
 * not preempted, so what one core executes is ordered by program order whichever tasks it belongs to.
 *
 * FastTrack's epochs save room where there are many threads. Cores are few here, so every word has a clock per core and
 * kind of access, as in the older detectors that the paper compares itself with; what is kept of it is the test that
 * ends most accesses at once (the same core, the same kind, the same epoch).
 */
export class Clocks {
  readonly cores: number;
  /** Row t: what core t knows of each core. */
  readonly now: Int32Array;

  constructor(cores: number) {
    this.cores = cores;
    this.now = new Int32Array(cores * cores);
    this.reset();
  }

  /** Nobody knows anything of the others. */
  reset(): void {
    this.now.fill(0);
    for (let core = 0; core < this.cores; core++) this.now[core * this.cores + core] = 1;
  }

  /** The core's own time. @hot */
  own(core: number): number {
    return this.now[core * this.cores + core]!;
  }

  /** A new epoch of the core begins: after what it released. @hot */
  tick(core: number): void {
    this.now[core * this.cores + core]!++;
  }

  /** The core learns what was released at `from[at …]`. @hot */
  acquire(core: number, from: Int32Array, at: number): void {
    const row = core * this.cores;
    for (let index = 0; index < this.cores; index++) {
      if (from[at + index]! > this.now[row + index]!) this.now[row + index] = from[at + index]!;
    }
  }

  /** What the core knows is added at `into[at …]`; the caller ticks. @hot */
  release(core: number, into: Int32Array, at: number): void {
    const row = core * this.cores;
    for (let index = 0; index < this.cores; index++) {
      if (this.now[row + index]! > into[at + index]!) into[at + index] = this.now[row + index]!;
    }
  }

  /** What the core knows takes the place of what was there; the caller ticks. @hot */
  replace(core: number, into: Int32Array, at: number): void {
    const row = core * this.cores;
    for (let index = 0; index < this.cores; index++) into[at + index] = this.now[row + index]!;
  }
}
