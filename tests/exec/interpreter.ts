/**
 * The interpreter as a backend of the case files: cores whose MMU maps the scene's pages, whose frontend lifts the given
 * block and nothing else, and which stop where the block leads.
 */
import { Interpreter } from "../../emu/backends/interpreter/index.ts";
import { recordBits, writeRecordBits } from "../../emu/backends/reference/index.ts";
import { Core, type InterruptSource } from "../../emu/cores/index.ts";
import type { Frontend } from "../../emu/frontends/frontend.ts";
import { type Block, STATE_ACCESS_PHASE, STATE_END, STATE_LOCKED, STATE_PC } from "../../emu/ir/index.ts";
import {
  type AccessKind,
  DONE,
  emptyFastTlb,
  FAST_ADDEND,
  FAST_READ,
  FAST_WORDS,
  FAST_WRITE,
  FAULT,
  FETCH,
  FRAME_MONITORED,
  fastIndex,
  PhysicalMemory,
  SUSPENDED,
  type TranslationFault,
  type TranslationStatus,
  type TranslationUnit,
  USER,
  WRITE,
} from "../../mmu/index.ts";
import type { Backend, Ending } from "./backend.ts";
import { copyScene, hex, type Page, type Scene, viewOf } from "./scene.ts";

const CORES = 2;
const FRAMES = 64;
const FRAMES_PER_CORE = FRAMES / CORES;
const FRAME_BYTES = 4096;
/** Table reads of a walk: what a miss costs in events before the access itself. */
const WALK_READS = 2;

/** How the fast TLB and the event budget are used. */
type Mode = "fast TLB filled" | "fast TLB empty" | "suspended at every event";

/** A scene's pages as a translation unit. Every first access to a page takes a walk of WALK_READS events. */
class SceneMmu implements TranslationUnit {
  readonly isWalking = false;
  readonly fast: Int32Array = new Int32Array(FAST_WORDS);
  readonly fault: TranslationFault = {
    cause: "none",
    lo: 0,
    hi: 0,
    kind: 0,
    privilege: USER,
    level: 1,
  };
  pa = 0;
  stallCycles = 0;
  /** The block was left: a second fetch was asked for. */
  left = false;
  readonly #core: SceneCore;
  #frames: Map<bigint, { readonly frame: number; readonly page: Page }> = new Map();
  #mode: Mode = "fast TLB empty";
  #fetched = false;
  #walked: Set<string> = new Set();
  #walkLeft = 0;

  constructor(core: SceneCore) {
    this.#core = core;
  }

  /** Maps the scene's pages to frames from `firstFrame` on; that one holds the code. */
  load(scene: Scene, firstFrame: number, mode: Mode): void {
    emptyFastTlb(this.fast);
    this.#mode = mode;
    this.#fetched = false;
    this.left = false;
    this.#walked = new Set();
    this.#walkLeft = 0;
    this.#frames = new Map();
    let frame = firstFrame;
    for (const [address, page] of scene.pages) {
      frame++;
      if (frame >= firstFrame + FRAMES_PER_CORE) throw new Error("SceneMmu: too many pages");
      this.#core.ram.u8.set(page.bytes, frame * FRAME_BYTES);
      this.#frames.set(address, { frame, page });
    }
  }

  /** Another block is fetched. */
  beginBlock(): void {
    this.#fetched = false;
    this.left = false;
  }

  /** Copies the frames back into the scene's pages. */
  unload(): void {
    for (const { frame, page } of this.#frames.values())
      page.bytes.set(this.#core.ram.u8.subarray(frame * FRAME_BYTES, (frame + 1) * FRAME_BYTES));
  }

  translate(lo: number, hi: number, kind: AccessKind): TranslationStatus {
    if (kind === FETCH) {
      this.left = this.#fetched;
      this.#fetched = true;
      this.pa = this.#core.id * FRAMES_PER_CORE * FRAME_BYTES + (lo & 0xfff);
      return this.left ? SUSPENDED : DONE;
    }
    const address = (BigInt(hi >>> 0) << 32n) | BigInt((lo & ~0xfff) >>> 0);
    const key = `${address}`;
    const { budget } = this.#core;
    if (!this.#walked.has(key)) {
      if (this.#walkLeft === 0) this.#walkLeft = WALK_READS;
      for (; this.#walkLeft > 0; this.#walkLeft--) if (!budget.take()) return SUSPENDED;
    }
    const mapped = this.#frames.get(address);
    if (mapped === undefined || (kind === WRITE && mapped.page.access === "read-only")) {
      Object.assign(this.fault, { cause: mapped ? "protection" : "not-present", lo, hi, kind });
      return FAULT;
    }
    this.#walked.add(key);
    if (!budget.take()) return SUSPENDED;
    this.pa = mapped.frame * FRAME_BYTES + (lo & 0xfff);
    if (this.#mode === "fast TLB filled")
      this.#fill(
        lo,
        hi,
        mapped.frame,
        mapped.page.access === "read-write" && !this.#isMonitored(mapped.frame),
      );
    return DONE;
  }

  /** As in the machines' translation units: what a core has reserved is written the slow way. */
  #isMonitored(frame: number): boolean {
    return (this.#core.ram.frameFlags[frame]! & FRAME_MONITORED) !== 0;
  }

  #fill(lo: number, hi: number, frame: number, writable: boolean): void {
    const entry = fastIndex(lo, USER);
    const page = lo & ~0xfff;
    this.fast.set([page, hi], entry + FAST_READ);
    this.fast.set(writable ? [page, hi] : [1, 0], entry + FAST_WRITE);
    this.fast[entry + FAST_ADDEND] = (frame * FRAME_BYTES - page) | 0;
  }

  isAddress(): boolean {
    return true;
  }
  probe(): number {
    return -1;
  }
  perturb(): void {}

  abandon(): void {
    this.#walkLeft = 0;
  }
  emptyFast(): void {
    emptyFastTlb(this.fast);
  }
  hash(): number {
    return 0;
  }
}

/** A core that notes how the block ended instead of delivering anything. */
class SceneCore extends Core {
  readonly mmu: SceneMmu;
  readonly interrupts: InterruptSource = {
    nextEventTime: Number.POSITIVE_INFINITY,
    nextUnmaskableTime: Number.POSITIVE_INFINITY,
    nextMessageTime: Number.POSITIVE_INFINITY,
    timerTime: Number.POSITIVE_INFINITY,
    advance: () => {},
  };
  readonly regime = USER;
  outcome: string | null = null;

  constructor(id: number, ram: PhysicalMemory) {
    super(id, ram, id * STATE_END, STATE_END / 4);
    this.mmu = new SceneMmu(this);
  }

  #end(kind: string, ...words: (number | string)[]): void {
    this.outcome = [kind, hex(this.pc), ...words].join(" ");
    this.phase = "microcode";
  }

  get pc(): bigint {
    return new DataView(this.stateBytes.buffer, this.stateBytes.byteOffset).getBigUint64(STATE_PC, true);
  }

  raiseTrap(trap: number): void {
    this.#end("trap", trap);
  }
  raiseTranslationFault(): void {
    this.#end("fault");
  }
  helper(helper: number, aLo: number, aHi: number, bLo: number, bHi: number): void {
    const wide = (lo: number, hi: number): string => hex((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0));
    this.#end("helper", helper, wide(aLo, aHi), wide(bLo, bHi));
  }
  entersAtOnce(): boolean {
    return false;
  }
  interruptDeliverable(): boolean {
    return false;
  }
  acceptInterrupt(): void {}
  microstep(): TranslationStatus {
    return DONE;
  }
  interruptsEnabled(): boolean {
    return false;
  }
  setInterruptsEnabled(): void {}
  returnFromTrap(): void {}
  architecturalHash(): number {
    return 0;
  }
  protected saveArchitecture(): unknown {
    return null;
  }
  protected restoreArchitecture(): void {}
}

export interface Turn {
  readonly core: number;
  readonly block: Block;
}

/** One machine for all runs; a run clears its code. */
class Bench {
  readonly #ram: PhysicalMemory = new PhysicalMemory(FRAMES * FRAME_BYTES, CORES * STATE_END);
  readonly #cores: readonly SceneCore[];
  readonly #interpreter: Interpreter;
  readonly #blocks: Block[] = [];
  /** Suspensions between a locked load and its unlocking store; another core could have come between. */
  suspendedInsideLock = 0;

  constructor() {
    this.#cores = Array.from({ length: CORES }, (_, id) => new SceneCore(id, this.#ram));
    const frontend: Frontend = {
      name: "given",
      lift: (_pc, _code, offset) => this.#blocks[Math.floor(offset / FRAME_BYTES / FRAMES_PER_CORE)]!,
      disassemble: () => ({ text: "", lengthBytes: 0 }),
      gaps: () => [],
      undefinedMnemonic: () => null,
    };
    this.#interpreter = new Interpreter({ frontend, ram: this.#ram, cores: this.#cores, verify: true });
  }

  /** Runs one block per core, core 0 first; suspended cores take turns, an event each. */
  run(runs: readonly { readonly block: Block; readonly start: Scene }[], mode: Mode): Ending[] {
    this.#interpreter.cache.clear();
    const scenes = runs.map(({ start }) => copyScene(start));
    scenes.forEach((scene, id) => {
      this.#blocks[id] = runs[id]!.block;
      this.#begin(this.#cores[id]!, scene, mode);
    });
    const running = new Set(this.#cores.slice(0, runs.length));
    while (running.size > 0) for (const core of running) if (this.#step(core, mode)) running.delete(core);
    return scenes.map((scene, id) => this.#ending(this.#cores[id]!, scene));
  }

  /** Runs blocks one after the other, each on the core it names, over one copy of the pages; the cores' states. */
  runInTurn(turns: readonly Turn[], start: Scene, mode: Mode): Uint8Array[] {
    for (const core of this.#cores) this.#begin(core, copyScene(start), mode, 0);
    for (const { core: id, block } of turns) {
      const core = this.#cores[id]!;
      this.#interpreter.cache.clear();
      this.#blocks[id] = block;
      core.outcome = null;
      core.phase = "execute";
      core.state[STATE_PC >> 2] = block.pcLo;
      core.userLimit = core.clock + 1;
      core.mmu.beginBlock();
      while (!this.#step(core, mode));
    }
    return this.#cores.map((core) => core.stateBytes.slice());
  }

  #begin(core: SceneCore, scene: Scene, mode: Mode, firstFrame: number = core.id * FRAMES_PER_CORE): void {
    this.#interpreter.abandon(core);
    core.stateBytes.set(scene.state);
    core.mmu.load(scene, firstFrame, mode);
    core.outcome = null;
    core.phase = "execute";
    core.retired = 0;
    core.clock = 0;
    // one cycle: the slice may end at the block's exit
    core.userLimit = 1;
    core.budget.exploring = mode === "suspended at every event";
    core.budget.left = 0;
  }

  /** Runs a core until it ends or is suspended; true: it has ended. */
  #step(core: SceneCore, mode: Mode): boolean {
    const exit = this.#interpreter.execute(core);
    if (exit === "suspended" && !core.mmu.left) {
      if (mode !== "suspended at every event") throw new Error("Bench: suspended with events left");
      if (core.state[STATE_LOCKED >> 2] !== 0) this.suspendedInsideLock++;
      core.budget.left = 1;
      return false;
    }
    core.outcome ??= `goes-on ${hex(core.pc)}`;
    return true;
  }

  #ending(core: SceneCore, scene: Scene): Ending {
    if (core.state[STATE_ACCESS_PHASE >> 2] !== 0) throw new Error("Bench: an access is left half done");
    if (core.state[STATE_LOCKED >> 2] !== 0) throw new Error("Bench: a locked sequence is left open");
    if (core.clock !== core.retired) throw new Error("Bench: clock and retired instructions differ");
    core.mmu.unload();
    scene.state.set(core.stateBytes);
    const view = viewOf(scene);
    writeRecordBits(view, recordBits(view));
    return { outcome: `${core.outcome}, ${core.retired} retired`, scene };
  }
}

const bench = new Bench();

function interpreter(mode: Mode): Backend {
  return {
    name: `interpreter, ${mode}`,
    run: (block, start) => bench.run([{ block, start }], mode)[0]!,
    sees: whereItGoesOn,
  };
}

/** An outcome as the interpreter's: it goes on after a transfer, whatever its kind. */
export function whereItGoesOn(outcome: string): string {
  return outcome.replace(/^(?:jump|indirect|branch|exit-if) (\S+?)(?: [\w-]+)?,/, "goes-on $1,");
}

export const INTERPRETERS: readonly Backend[] = [
  interpreter("fast TLB filled"),
  interpreter("fast TLB empty"),
  interpreter("suspended at every event"),
];

/** Two cores that take turns, an event each. */
export function runInterleaved(
  first: { readonly block: Block; readonly start: Scene },
  second: { readonly block: Block; readonly start: Scene },
): Ending[] {
  return bench.run([first, second], "suspended at every event");
}

/** Two cores over the same pages, a block at a time; their states at the end. */
export function runInTurn(turns: readonly Turn[], start: Scene, fastTlb: "filled" | "empty"): Uint8Array[] {
  return bench.runInTurn(turns, start, `fast TLB ${fastTlb}`);
}

/** Runs a block with a suspension at every event, and counts those inside a locked sequence. */
export function suspensionsInsideLock(block: Block, start: Scene): number {
  bench.suspendedInsideLock = 0;
  bench.run([{ block, start }], "suspended at every event");
  return bench.suspendedInsideLock;
}
