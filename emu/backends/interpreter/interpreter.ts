/**
 * The interpreter: packed code (pack.ts) executed by one switch. It is the reference backend, and the only one that
 * can stop between any two memory accesses: a load or store whose translation is suspended leaves its packed
 * position behind and is executed again when the core runs on; temporaries are part of the core's state.
 *
 * `execute` is one large function on purpose: V8 keeps its locals in registers. Its switch labels are literals, since
 * V8 makes a jump table of those only. Its bytecode must stay below 60 KB, past which V8 stops optimising; a test
 * checks both.
 */
import {
  DONE,
  dropFastWrites,
  FAST_ADDEND,
  FAST_EXEC,
  FAST_REGIME_WORDS,
  FAULT,
  FETCH,
  FRAME_MONITORED,
  fastIndex,
  type PhysicalMemory,
  SUSPENDED,
  type TranslationStatus,
} from "../../../mmu/index.ts";
import type { Core, Engine, EngineExit } from "../../cores/index.ts";
import type { Frontend, LiftOptions } from "../../frontends/frontend.ts";
import {
  type Block,
  evaluateCondition,
  KIND_ADD,
  KIND_LOGIC,
  KIND_SUB,
  STATE_ACCESS_FIRST_PA,
  STATE_ACCESS_PHASE,
  STATE_FLAGS_A,
  STATE_FLAGS_B,
  STATE_FLAGS_KIND,
  STATE_MONITOR,
  STATE_PC,
  verify,
} from "../../ir/index.ts";
import { CodeCache, CodePage } from "./code-cache.ts";
import { Packer } from "./pack.ts";
import { PACKED } from "./packed.ts";
import { executeRare } from "./rare.ts";
import { GRANULE_BYTES, SlowAccess } from "./slow-access.ts";

const PC = STATE_PC >> 2;
const KIND = STATE_FLAGS_KIND >> 2;
const RECORD_A = STATE_FLAGS_A >> 2;
const RECORD_B = STATE_FLAGS_B >> 2;
const MONITOR = STATE_MONITOR >> 2;
const ACCESS_PHASE = STATE_ACCESS_PHASE >> 2;
const ACCESS_FIRST_PA = STATE_ACCESS_FIRST_PA >> 2;

/** Guest instructions of a block at most; bounds straight-line code between two looks at the budget. */
const MAX_BLOCK = 64;
/** Longest instruction of any guest in bytes: what a page-crossing instruction may take from the next page. */
const CROSS_BYTES = 16;
/** STATE_ACCESS_PHASE: the first page of an instruction was fetched, the walk to the second one was suspended. */
const FETCHING_REST = 2;
/** A budget that no slice reaches. */
const UNLIMITED = 0x3fff_ffff;

/** Kernel-text stubs lie inside a page, so no crossing instruction is one. */
const ONE_INSTRUCTION: LiftOptions = { kernelText: false, maxInstructions: 1 };

export interface InterpreterOptions {
  readonly frontend: Frontend;
  readonly ram: PhysicalMemory;
  readonly cores: readonly Core[];
  /** Runs the IR verifier on every block. */
  readonly verify?: boolean;
}

export class Interpreter implements Engine {
  readonly cache: CodeCache;
  readonly #frontend: Frontend;
  readonly #ram: PhysicalMemory;
  readonly #cores: readonly Core[];
  readonly #verify: boolean;
  readonly #packer: Packer = new Packer();
  readonly #slow: SlowAccess;
  readonly #crossBytes: Uint8Array = new Uint8Array(4096 + CROSS_BYTES);
  /** Where each core's suspended instruction goes on; null: at PC. */
  readonly #resumePage: (CodePage | null)[];
  readonly #resumeAt: Int32Array;
  /** Page that #find found, or the page being executed. */
  #page: CodePage | null = null;
  /** Packed position of the access in progress. */
  #at = -1;
  /** Why #find returned -1. */
  #exit: EngineExit = "phase";

  constructor(options: InterpreterOptions) {
    this.#frontend = options.frontend;
    this.#ram = options.ram;
    this.#cores = options.cores;
    this.#verify = options.verify ?? false;
    this.#slow = new SlowAccess(options.ram);
    this.#resumePage = options.cores.map(() => null);
    this.#resumeAt = new Int32Array(options.cores.length);
    this.cache = new CodeCache(options.ram);
    this.cache.onCodeFrame = (frame) => {
      for (const core of this.#cores) dropFastWrites(core.mmu.fast, frame);
    };
    this.cache.onStale = (page) => this.#markStale(page);
    this.#slow.onReservation = (core, frame) => this.#watchMonitor(core, frame);
    options.ram.onMonitoredWrite = (pa, lengthBytes) => this.#openMonitors(pa, lengthBytes);
    options.ram.onCodeWrite = (frame) => this.cache.invalidateFrame(frame);
  }

  abandon(core: Core): void {
    const page = this.#resumePage[core.id]!;
    // What the block had executed before the instruction that is given up stays executed.
    if (page !== null) retire(core, page.markRetired[page.markIndex(this.#resumeAt[core.id]!)]!);
    this.#resumePage[core.id] = null;
    core.state[ACCESS_PHASE] = 0;
    this.#slow.setLocked(core, 0);
    core.mmu.abandon();
  }

  /** An exclusive load set a core's monitor: stores of the others to its frame are to be heard of. */
  #watchMonitor(core: Core, frame: number): void {
    this.#ram.frameFlags[frame]! |= FRAME_MONITORED;
    for (const other of this.#cores) if (other !== core) dropFastWrites(other.mmu.fast, frame);
  }

  /**
   * A write opens the monitors that hold a granule it touches, but for that of the core whose instruction it is: its fast TLB
   * lets such stores through, so none may make a difference.
   */
  #openMonitors(pa: number, lengthBytes: number): void {
    let held = 0;
    for (const core of this.#cores) {
      const monitor = core.state[MONITOR]!;
      if (monitor === 0) continue;
      const granule = (monitor & -GRANULE_BYTES) >>> 0;
      const isTouched = granule < pa + lengthBytes && pa < granule + GRANULE_BYTES;
      if (isTouched && core !== this.#slow.writer) {
        core.state[MONITOR] = 0;
        core.monitorOpened();
      } else if (granule >>> 12 === pa >>> 12) held++;
    }
    if (held === 0) this.#ram.frameFlags[pa >>> 12]! &= ~FRAME_MONITORED;
  }

  /** @hot */
  execute(core: Core): EngineExit {
    const S = core.state;
    const F = core.mmu.fast;
    const u8 = this.#ram.u8;
    const view = this.#ram.view;
    const slow = this.#slow;
    let fastBase = core.regime * FAST_REGIME_WORDS;
    let budget = sliceBudget(core.userSliceEnd() - core.clock);
    let left = budget;
    let page = this.#resumePage[core.id]!;
    let pc = 0;
    if (page !== null) {
      pc = this.#resumeAt[core.id]!;
      this.#resumePage[core.id] = null;
      this.#page = page;
    } else {
      pc = this.#find(core);
      if (pc < 0) return this.#exit;
      page = this.#page!;
    }
    let code = page.words;
    let taken = false;
    let tail = 0;
    let lo = 0;
    let hi = 0;
    for (;;) {
      switch (code[pc]) {
        case 0: {
          // JUMP: retired lo hi link ends
          left -= code[pc + 1]!;
          const link = code[pc + 4]!;
          if (link >= 0 && left > 0) {
            pc = link;
            continue;
          }
          lo = code[pc + 2]!;
          hi = code[pc + 3]!;
          S[PC] = lo;
          S[PC + 1] = hi;
          retire(core, budget - left);
          budget = left;
          if (left <= 0 && code[pc + 5] !== 0) return "slice";
          const from = page;
          const linkAt = pc + 4;
          pc = this.#find(core);
          if (pc < 0) return this.#exit;
          page = this.#page!;
          if (page === from && page.mayLink && !from.stale && !page.crossing.has(lo & 0xfff))
            page.words[linkAt] = pc;
          code = page.words;
          continue;
        }
        case 1: {
          // BRANCH_VALUE
          taken = S[code[pc + 1]!] !== 0;
          tail = pc + 2;
          break;
        }
        case 2: {
          // BRANCH_CONDITION
          taken = evaluateCondition(S, code[pc + 1]!) !== 0;
          tail = pc + 2;
          break;
        }
        case 3: {
          // INDIRECT
          const a = code[pc + 1]!;
          lo = S[a]!;
          hi = S[a + 1]!;
          left -= code[pc + 2]!;
          if (
            left > 0 &&
            hi === page.pageHi &&
            (lo & -4096) === page.pageLo &&
            !page.stale &&
            page.linkable
          ) {
            const at = page.entries[lo & 0xfff]!;
            if (at >= 0) {
              pc = at;
              continue;
            }
          }
          S[PC] = lo;
          S[PC + 1] = hi;
          retire(core, budget - left);
          budget = left;
          if (left <= 0) return "slice";
          pc = this.#find(core);
          if (pc < 0) return this.#exit;
          page = this.#page!;
          code = page.words;
          continue;
        }
        case 4: {
          // TRAP
          S[PC] = code[pc + 2]!;
          S[PC + 1] = code[pc + 3]!;
          retire(core, budget - left + code[pc + 4]!);
          core.raiseTrap(code[pc + 1]!);
          return "phase";
        }
        case 5: {
          // HELPER: the operands are read before PC changes.
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          retire(core, budget - left + code[pc + 6]!);
          S[PC] = code[pc + 4]!;
          S[PC + 1] = code[pc + 5]!;
          core.helper(code[pc + 1]!, S[a]!, S[a + 1]!, S[b]!, S[b + 1]!, code[pc + 7]!, page.pageHi);
          if (!core.goesOn()) return "phase";
          fastBase = core.regime * FAST_REGIME_WORDS;
          budget = sliceBudget(core.userSliceEnd() - core.clock);
          left = budget;
          pc = this.#find(core);
          if (pc < 0) return this.#exit;
          page = this.#page!;
          code = page.words;
          continue;
        }
        case 6: {
          // TRAP_IF
          if (S[code[pc + 1]!] !== 0) {
            const mark = page.markIndex(pc);
            S[PC] = page.markLo[mark]!;
            S[PC + 1] = page.pageHi;
            retire(core, budget - left + page.markRetired[mark]!);
            core.raiseTrap(code[pc + 2]!);
            return "phase";
          }
          pc += 3;
          continue;
        }
        case 7: {
          // EXIT_IF
          if (S[code[pc + 1]!] !== 0) {
            S[PC] = code[pc + 2]!;
            S[PC + 1] = code[pc + 3]!;
            left -= code[pc + 4]!;
            retire(core, budget - left);
            budget = left;
            pc = this.#find(core);
            if (pc < 0) return this.#exit;
            page = this.#page!;
            code = page.words;
            continue;
          }
          pc += 5;
          continue;
        }
        case 8: {
          // STALE: the code was written; the instruction here is decoded again.
          const mark = page.markIndex(pc);
          S[PC] = page.markLo[mark]!;
          S[PC + 1] = page.pageHi;
          left -= page.markRetired[mark]!;
          retire(core, budget - left);
          budget = left;
          pc = this.#find(core);
          if (pc < 0) return this.#exit;
          page = this.#page!;
          code = page.words;
          continue;
        }
        case 9: {
          // BRANCH_ZERO64
          const a = code[pc + 1]!;
          taken = (S[a]! | S[a + 1]!) === 0;
          tail = pc + 2;
          break;
        }
        case 10: {
          // BRANCH_ZERO32
          taken = S[code[pc + 1]!] === 0;
          tail = pc + 2;
          break;
        }
        case 11: {
          // BRANCH_SIGN64
          taken = S[code[pc + 1]! + 1]! < 0;
          tail = pc + 2;
          break;
        }
        case 12: {
          // BRANCH_SIGN32
          taken = S[code[pc + 1]!]! < 0;
          tail = pc + 2;
          break;
        }
        case 13: {
          // CMP64_Z
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const aHi = S[a + 1]!;
          const b = code[pc + 2]!;
          const bLo = S[b]!;
          const bHi = S[b + 1]!;
          S[KIND] = KIND_SUB | 3;
          S[RECORD_A] = aLo;
          S[RECORD_A + 1] = aHi;
          S[RECORD_B] = bLo;
          S[RECORD_B + 1] = bHi;
          taken = aLo === bLo && aHi === bHi;
          tail = pc + 3;
          break;
        }
        case 14: {
          // CMP64_C
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const aHi = S[a + 1]!;
          const b = code[pc + 2]!;
          const bLo = S[b]!;
          const bHi = S[b + 1]!;
          S[KIND] = KIND_SUB | 3;
          S[RECORD_A] = aLo;
          S[RECORD_A + 1] = aHi;
          S[RECORD_B] = bLo;
          S[RECORD_B + 1] = bHi;
          taken = aHi >>> 0 < bHi >>> 0 || (aHi === bHi && aLo >>> 0 < bLo >>> 0);
          tail = pc + 3;
          break;
        }
        case 15: {
          // CMP64_BE
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const aHi = S[a + 1]!;
          const b = code[pc + 2]!;
          const bLo = S[b]!;
          const bHi = S[b + 1]!;
          S[KIND] = KIND_SUB | 3;
          S[RECORD_A] = aLo;
          S[RECORD_A + 1] = aHi;
          S[RECORD_B] = bLo;
          S[RECORD_B + 1] = bHi;
          taken = aHi >>> 0 < bHi >>> 0 || (aHi === bHi && aLo >>> 0 <= bLo >>> 0);
          tail = pc + 3;
          break;
        }
        case 16: {
          // CMP64_L
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const aHi = S[a + 1]!;
          const b = code[pc + 2]!;
          const bLo = S[b]!;
          const bHi = S[b + 1]!;
          S[KIND] = KIND_SUB | 3;
          S[RECORD_A] = aLo;
          S[RECORD_A + 1] = aHi;
          S[RECORD_B] = bLo;
          S[RECORD_B + 1] = bHi;
          taken = aHi < bHi || (aHi === bHi && aLo >>> 0 < bLo >>> 0);
          tail = pc + 3;
          break;
        }
        case 17: {
          // CMP64_LE
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const aHi = S[a + 1]!;
          const b = code[pc + 2]!;
          const bLo = S[b]!;
          const bHi = S[b + 1]!;
          S[KIND] = KIND_SUB | 3;
          S[RECORD_A] = aLo;
          S[RECORD_A + 1] = aHi;
          S[RECORD_B] = bLo;
          S[RECORD_B + 1] = bHi;
          taken = aHi < bHi || (aHi === bHi && aLo >>> 0 <= bLo >>> 0);
          tail = pc + 3;
          break;
        }
        case 18: {
          // CMP32_Z
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const b = code[pc + 2]!;
          const bLo = S[b]!;
          S[KIND] = KIND_SUB | 2;
          S[RECORD_A] = aLo;
          S[RECORD_B] = bLo;
          taken = aLo === bLo;
          tail = pc + 3;
          break;
        }
        case 19: {
          // CMP32_C
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const b = code[pc + 2]!;
          const bLo = S[b]!;
          S[KIND] = KIND_SUB | 2;
          S[RECORD_A] = aLo;
          S[RECORD_B] = bLo;
          taken = aLo >>> 0 < bLo >>> 0;
          tail = pc + 3;
          break;
        }
        case 20: {
          // CMP32_BE
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const b = code[pc + 2]!;
          const bLo = S[b]!;
          S[KIND] = KIND_SUB | 2;
          S[RECORD_A] = aLo;
          S[RECORD_B] = bLo;
          taken = aLo >>> 0 <= bLo >>> 0;
          tail = pc + 3;
          break;
        }
        case 21: {
          // CMP32_L
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const b = code[pc + 2]!;
          const bLo = S[b]!;
          S[KIND] = KIND_SUB | 2;
          S[RECORD_A] = aLo;
          S[RECORD_B] = bLo;
          taken = aLo < bLo;
          tail = pc + 3;
          break;
        }
        case 22: {
          // CMP32_LE
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const b = code[pc + 2]!;
          const bLo = S[b]!;
          S[KIND] = KIND_SUB | 2;
          S[RECORD_A] = aLo;
          S[RECORD_B] = bLo;
          taken = aLo <= bLo;
          tail = pc + 3;
          break;
        }
        case 23: {
          // CMP64I_Z
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const aHi = S[a + 1]!;
          const bLo = code[pc + 2]!;
          const bHi = bLo >> 31;
          S[KIND] = KIND_SUB | 3;
          S[RECORD_A] = aLo;
          S[RECORD_A + 1] = aHi;
          S[RECORD_B] = bLo;
          S[RECORD_B + 1] = bHi;
          taken = aLo === bLo && aHi === bHi;
          tail = pc + 3;
          break;
        }
        case 24: {
          // CMP64I_C
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const aHi = S[a + 1]!;
          const bLo = code[pc + 2]!;
          const bHi = bLo >> 31;
          S[KIND] = KIND_SUB | 3;
          S[RECORD_A] = aLo;
          S[RECORD_A + 1] = aHi;
          S[RECORD_B] = bLo;
          S[RECORD_B + 1] = bHi;
          taken = aHi >>> 0 < bHi >>> 0 || (aHi === bHi && aLo >>> 0 < bLo >>> 0);
          tail = pc + 3;
          break;
        }
        case 25: {
          // CMP64I_BE
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const aHi = S[a + 1]!;
          const bLo = code[pc + 2]!;
          const bHi = bLo >> 31;
          S[KIND] = KIND_SUB | 3;
          S[RECORD_A] = aLo;
          S[RECORD_A + 1] = aHi;
          S[RECORD_B] = bLo;
          S[RECORD_B + 1] = bHi;
          taken = aHi >>> 0 < bHi >>> 0 || (aHi === bHi && aLo >>> 0 <= bLo >>> 0);
          tail = pc + 3;
          break;
        }
        case 26: {
          // CMP64I_L
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const aHi = S[a + 1]!;
          const bLo = code[pc + 2]!;
          const bHi = bLo >> 31;
          S[KIND] = KIND_SUB | 3;
          S[RECORD_A] = aLo;
          S[RECORD_A + 1] = aHi;
          S[RECORD_B] = bLo;
          S[RECORD_B + 1] = bHi;
          taken = aHi < bHi || (aHi === bHi && aLo >>> 0 < bLo >>> 0);
          tail = pc + 3;
          break;
        }
        case 27: {
          // CMP64I_LE
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const aHi = S[a + 1]!;
          const bLo = code[pc + 2]!;
          const bHi = bLo >> 31;
          S[KIND] = KIND_SUB | 3;
          S[RECORD_A] = aLo;
          S[RECORD_A + 1] = aHi;
          S[RECORD_B] = bLo;
          S[RECORD_B + 1] = bHi;
          taken = aHi < bHi || (aHi === bHi && aLo >>> 0 <= bLo >>> 0);
          tail = pc + 3;
          break;
        }
        case 28: {
          // CMP32I_Z
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const bLo = code[pc + 2]!;
          S[KIND] = KIND_SUB | 2;
          S[RECORD_A] = aLo;
          S[RECORD_B] = bLo;
          taken = aLo === bLo;
          tail = pc + 3;
          break;
        }
        case 29: {
          // CMP32I_C
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const bLo = code[pc + 2]!;
          S[KIND] = KIND_SUB | 2;
          S[RECORD_A] = aLo;
          S[RECORD_B] = bLo;
          taken = aLo >>> 0 < bLo >>> 0;
          tail = pc + 3;
          break;
        }
        case 30: {
          // CMP32I_BE
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const bLo = code[pc + 2]!;
          S[KIND] = KIND_SUB | 2;
          S[RECORD_A] = aLo;
          S[RECORD_B] = bLo;
          taken = aLo >>> 0 <= bLo >>> 0;
          tail = pc + 3;
          break;
        }
        case 31: {
          // CMP32I_L
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const bLo = code[pc + 2]!;
          S[KIND] = KIND_SUB | 2;
          S[RECORD_A] = aLo;
          S[RECORD_B] = bLo;
          taken = aLo < bLo;
          tail = pc + 3;
          break;
        }
        case 32: {
          // CMP32I_LE
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const bLo = code[pc + 2]!;
          S[KIND] = KIND_SUB | 2;
          S[RECORD_A] = aLo;
          S[RECORD_B] = bLo;
          taken = aLo <= bLo;
          tail = pc + 3;
          break;
        }
        case 33: {
          // TEST64_Z
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const aHi = S[a + 1]!;
          S[KIND] = KIND_LOGIC | 3;
          S[RECORD_A] = aLo;
          S[RECORD_A + 1] = aHi;
          taken = (aLo | aHi) === 0;
          tail = pc + 2;
          break;
        }
        case 34: {
          // TEST64_S
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const aHi = S[a + 1]!;
          S[KIND] = KIND_LOGIC | 3;
          S[RECORD_A] = aLo;
          S[RECORD_A + 1] = aHi;
          taken = aHi < 0;
          tail = pc + 2;
          break;
        }
        case 35: {
          // TEST64_LE
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          const aHi = S[a + 1]!;
          S[KIND] = KIND_LOGIC | 3;
          S[RECORD_A] = aLo;
          S[RECORD_A + 1] = aHi;
          taken = aHi < 0 || (aLo | aHi) === 0;
          tail = pc + 2;
          break;
        }
        case 36: {
          // TEST32_Z
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          S[KIND] = KIND_LOGIC | 2;
          S[RECORD_A] = aLo;
          taken = aLo === 0;
          tail = pc + 2;
          break;
        }
        case 37: {
          // TEST32_S
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          S[KIND] = KIND_LOGIC | 2;
          S[RECORD_A] = aLo;
          taken = aLo < 0;
          tail = pc + 2;
          break;
        }
        case 38: {
          // TEST32_LE
          const a = code[pc + 1]!;
          const aLo = S[a]!;
          S[KIND] = KIND_LOGIC | 2;
          S[RECORD_A] = aLo;
          taken = aLo <= 0;
          tail = pc + 2;
          break;
        }
        case 40: {
          // MOV64
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          S[d] = S[a]!;
          S[d + 1] = S[a + 1]!;
          pc += 3;
          continue;
        }
        case 41: {
          // MOV32
          const d = code[pc + 1]!;
          S[d] = S[code[pc + 2]!]!;
          S[d + 1] = 0;
          pc += 3;
          continue;
        }
        case 42: {
          // MOVI
          const d = code[pc + 1]!;
          S[d] = code[pc + 2]!;
          S[d + 1] = code[pc + 3]!;
          pc += 4;
          continue;
        }
        case 43: {
          // SEXT32
          const d = code[pc + 1]!;
          const value = S[code[pc + 2]!]!;
          S[d] = value;
          S[d + 1] = value >> 31;
          pc += 3;
          continue;
        }
        case 44: {
          // ADDR
          const d = code[pc + 1]!;
          const base = code[pc + 2]!;
          const index = code[pc + 3]!;
          const scale = code[pc + 4]!;
          const displacement = code[pc + 5]!;
          const i = S[index]!;
          const partial = (S[base]! + displacement) | 0;
          const high = (S[base + 1]! + (displacement >> 31) + (partial >>> 0 < S[base]! >>> 0 ? 1 : 0)) | 0;
          lo = (partial + (i << scale)) | 0;
          S[d + 1] =
            (high +
              ((S[index + 1]! << scale) | ((i >>> 1) >>> (31 - scale))) +
              (lo >>> 0 < partial >>> 0 ? 1 : 0)) |
            0;
          S[d] = lo;
          pc += 6;
          continue;
        }
        case 45: {
          // ADDI64
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const immediate = code[pc + 3]!;
          const aLo = S[a]!;
          lo = (aLo + immediate) | 0;
          S[d + 1] = (S[a + 1]! + (immediate >> 31) + (lo >>> 0 < aLo >>> 0 ? 1 : 0)) | 0;
          S[d] = lo;
          pc += 4;
          continue;
        }
        case 46: {
          // ZEXT8
          const d = code[pc + 1]!;
          S[d] = S[code[pc + 2]!]! & 0xff;
          S[d + 1] = 0;
          pc += 3;
          continue;
        }
        case 47: {
          // ZEXT16
          const d = code[pc + 1]!;
          S[d] = S[code[pc + 2]!]! & 0xffff;
          S[d + 1] = 0;
          pc += 3;
          continue;
        }
        case 48: {
          // SEXT8
          const d = code[pc + 1]!;
          S[d] = (S[code[pc + 2]!]! << 24) >> 24;
          S[d + 1] = 0;
          pc += 3;
          continue;
        }
        case 49: {
          // SEXT16
          const d = code[pc + 1]!;
          S[d] = (S[code[pc + 2]!]! << 16) >> 16;
          S[d + 1] = 0;
          pc += 3;
          continue;
        }
        case 50: {
          // GET8
          const d = code[pc + 1]!;
          S[d] = core.stateBytes[code[pc + 2]!]!;
          S[d + 1] = 0;
          pc += 3;
          continue;
        }
        case 51: {
          // GET16
          const d = code[pc + 1]!;
          S[d] = core.stateHalves[code[pc + 2]! >> 1]!;
          S[d + 1] = 0;
          pc += 3;
          continue;
        }
        case 52: {
          // PUT8
          core.stateBytes[code[pc + 1]!] = S[code[pc + 2]!]!;
          pc += 3;
          continue;
        }
        case 53: {
          // PUT16
          core.stateHalves[code[pc + 1]! >> 1] = S[code[pc + 2]!]!;
          pc += 3;
          continue;
        }
        case 54: {
          // PUT32
          S[code[pc + 1]!] = S[code[pc + 2]!]!;
          pc += 3;
          continue;
        }
        case 60: {
          // ADD64
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const bLo = S[b]!;
          const bHi = S[b + 1]!;
          const aLo = S[a]!;
          const sum = (aLo + bLo) | 0;
          const high = (S[a + 1]! + bHi + (sum >>> 0 < aLo >>> 0 ? 1 : 0)) | 0;
          S[d] = sum;
          S[d + 1] = high;
          pc += 4;
          continue;
        }
        case 61: {
          // SUB64
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const bLo = S[b]!;
          const bHi = S[b + 1]!;
          const aLo = S[a]!;
          const high = (S[a + 1]! - bHi - (aLo >>> 0 < bLo >>> 0 ? 1 : 0)) | 0;
          S[d] = (aLo - bLo) | 0;
          S[d + 1] = high;
          pc += 4;
          continue;
        }
        case 62: {
          // AND64
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const bLo = S[b]!;
          const bHi = S[b + 1]!;
          const low = S[a]! & bLo;
          const high = S[a + 1]! & bHi;
          S[d] = low;
          S[d + 1] = high;
          pc += 4;
          continue;
        }
        case 63: {
          // OR64
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const bLo = S[b]!;
          const bHi = S[b + 1]!;
          const low = S[a]! | bLo;
          const high = S[a + 1]! | bHi;
          S[d] = low;
          S[d + 1] = high;
          pc += 4;
          continue;
        }
        case 64: {
          // XOR64
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const bLo = S[b]!;
          const bHi = S[b + 1]!;
          const low = S[a]! ^ bLo;
          const high = S[a + 1]! ^ bHi;
          S[d] = low;
          S[d + 1] = high;
          pc += 4;
          continue;
        }
        case 65: {
          // ADD32
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const bLo = S[b]!;
          const low = (S[a]! + bLo) | 0;
          S[d] = low;
          S[d + 1] = 0;
          pc += 4;
          continue;
        }
        case 66: {
          // SUB32
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const bLo = S[b]!;
          const low = (S[a]! - bLo) | 0;
          S[d] = low;
          S[d + 1] = 0;
          pc += 4;
          continue;
        }
        case 67: {
          // AND32
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const bLo = S[b]!;
          const low = S[a]! & bLo;
          S[d] = low;
          S[d + 1] = 0;
          pc += 4;
          continue;
        }
        case 68: {
          // OR32
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const bLo = S[b]!;
          const low = S[a]! | bLo;
          S[d] = low;
          S[d + 1] = 0;
          pc += 4;
          continue;
        }
        case 69: {
          // XOR32
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const bLo = S[b]!;
          const low = S[a]! ^ bLo;
          S[d] = low;
          S[d + 1] = 0;
          pc += 4;
          continue;
        }
        case 70: {
          // ADD64F
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const bLo = S[b]!;
          const bHi = S[b + 1]!;
          S[KIND] = KIND_ADD | 3;
          S[RECORD_A] = S[a]!;
          S[RECORD_A + 1] = S[a + 1]!;
          S[RECORD_B] = bLo;
          S[RECORD_B + 1] = bHi;
          const aLo = S[a]!;
          const sum = (aLo + bLo) | 0;
          const high = (S[a + 1]! + bHi + (sum >>> 0 < aLo >>> 0 ? 1 : 0)) | 0;
          S[d] = sum;
          S[d + 1] = high;
          pc += 4;
          continue;
        }
        case 71: {
          // SUB64F
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const bLo = S[b]!;
          const bHi = S[b + 1]!;
          S[KIND] = KIND_SUB | 3;
          S[RECORD_A] = S[a]!;
          S[RECORD_A + 1] = S[a + 1]!;
          S[RECORD_B] = bLo;
          S[RECORD_B + 1] = bHi;
          const aLo = S[a]!;
          const high = (S[a + 1]! - bHi - (aLo >>> 0 < bLo >>> 0 ? 1 : 0)) | 0;
          S[d] = (aLo - bLo) | 0;
          S[d + 1] = high;
          pc += 4;
          continue;
        }
        case 72: {
          // AND64F
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const bLo = S[b]!;
          const bHi = S[b + 1]!;
          const low = S[a]! & bLo;
          const high = S[a + 1]! & bHi;
          S[d] = low;
          S[d + 1] = high;
          S[KIND] = KIND_LOGIC | 3;
          S[RECORD_A] = low;
          S[RECORD_A + 1] = high;
          pc += 4;
          continue;
        }
        case 73: {
          // OR64F
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const bLo = S[b]!;
          const bHi = S[b + 1]!;
          const low = S[a]! | bLo;
          const high = S[a + 1]! | bHi;
          S[d] = low;
          S[d + 1] = high;
          S[KIND] = KIND_LOGIC | 3;
          S[RECORD_A] = low;
          S[RECORD_A + 1] = high;
          pc += 4;
          continue;
        }
        case 74: {
          // XOR64F
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const bLo = S[b]!;
          const bHi = S[b + 1]!;
          const low = S[a]! ^ bLo;
          const high = S[a + 1]! ^ bHi;
          S[d] = low;
          S[d + 1] = high;
          S[KIND] = KIND_LOGIC | 3;
          S[RECORD_A] = low;
          S[RECORD_A + 1] = high;
          pc += 4;
          continue;
        }
        case 75: {
          // ADD32F
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const bLo = S[b]!;
          S[KIND] = KIND_ADD | 2;
          S[RECORD_A] = S[a]!;
          S[RECORD_B] = bLo;
          const low = (S[a]! + bLo) | 0;
          S[d] = low;
          S[d + 1] = 0;
          pc += 4;
          continue;
        }
        case 76: {
          // SUB32F
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const bLo = S[b]!;
          S[KIND] = KIND_SUB | 2;
          S[RECORD_A] = S[a]!;
          S[RECORD_B] = bLo;
          const low = (S[a]! - bLo) | 0;
          S[d] = low;
          S[d + 1] = 0;
          pc += 4;
          continue;
        }
        case 77: {
          // AND32F
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const bLo = S[b]!;
          const low = S[a]! & bLo;
          S[d] = low;
          S[d + 1] = 0;
          S[KIND] = KIND_LOGIC | 2;
          S[RECORD_A] = low;
          pc += 4;
          continue;
        }
        case 78: {
          // OR32F
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const bLo = S[b]!;
          const low = S[a]! | bLo;
          S[d] = low;
          S[d + 1] = 0;
          S[KIND] = KIND_LOGIC | 2;
          S[RECORD_A] = low;
          pc += 4;
          continue;
        }
        case 79: {
          // XOR32F
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const bLo = S[b]!;
          const low = S[a]! ^ bLo;
          S[d] = low;
          S[d + 1] = 0;
          S[KIND] = KIND_LOGIC | 2;
          S[RECORD_A] = low;
          pc += 4;
          continue;
        }
        case 80: {
          // SUB64I
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const bLo = code[pc + 3]!;
          const bHi = bLo >> 31;
          const aLo = S[a]!;
          const high = (S[a + 1]! - bHi - (aLo >>> 0 < bLo >>> 0 ? 1 : 0)) | 0;
          S[d] = (aLo - bLo) | 0;
          S[d + 1] = high;
          pc += 4;
          continue;
        }
        case 81: {
          // AND64I
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const bLo = code[pc + 3]!;
          const bHi = bLo >> 31;
          const low = S[a]! & bLo;
          const high = S[a + 1]! & bHi;
          S[d] = low;
          S[d + 1] = high;
          pc += 4;
          continue;
        }
        case 82: {
          // OR64I
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const bLo = code[pc + 3]!;
          const bHi = bLo >> 31;
          const low = S[a]! | bLo;
          const high = S[a + 1]! | bHi;
          S[d] = low;
          S[d + 1] = high;
          pc += 4;
          continue;
        }
        case 83: {
          // XOR64I
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const bLo = code[pc + 3]!;
          const bHi = bLo >> 31;
          const low = S[a]! ^ bLo;
          const high = S[a + 1]! ^ bHi;
          S[d] = low;
          S[d + 1] = high;
          pc += 4;
          continue;
        }
        case 84: {
          // ADD32I
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const bLo = code[pc + 3]!;
          const low = (S[a]! + bLo) | 0;
          S[d] = low;
          S[d + 1] = 0;
          pc += 4;
          continue;
        }
        case 85: {
          // SUB32I
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const bLo = code[pc + 3]!;
          const low = (S[a]! - bLo) | 0;
          S[d] = low;
          S[d + 1] = 0;
          pc += 4;
          continue;
        }
        case 86: {
          // AND32I
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const bLo = code[pc + 3]!;
          const low = S[a]! & bLo;
          S[d] = low;
          S[d + 1] = 0;
          pc += 4;
          continue;
        }
        case 87: {
          // OR32I
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const bLo = code[pc + 3]!;
          const low = S[a]! | bLo;
          S[d] = low;
          S[d + 1] = 0;
          pc += 4;
          continue;
        }
        case 88: {
          // XOR32I
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const bLo = code[pc + 3]!;
          const low = S[a]! ^ bLo;
          S[d] = low;
          S[d + 1] = 0;
          pc += 4;
          continue;
        }
        case 89: {
          // ADD64FI
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const bLo = code[pc + 3]!;
          const bHi = bLo >> 31;
          S[KIND] = KIND_ADD | 3;
          S[RECORD_A] = S[a]!;
          S[RECORD_A + 1] = S[a + 1]!;
          S[RECORD_B] = bLo;
          S[RECORD_B + 1] = bHi;
          const aLo = S[a]!;
          const sum = (aLo + bLo) | 0;
          const high = (S[a + 1]! + bHi + (sum >>> 0 < aLo >>> 0 ? 1 : 0)) | 0;
          S[d] = sum;
          S[d + 1] = high;
          pc += 4;
          continue;
        }
        case 90: {
          // SUB64FI
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const bLo = code[pc + 3]!;
          const bHi = bLo >> 31;
          S[KIND] = KIND_SUB | 3;
          S[RECORD_A] = S[a]!;
          S[RECORD_A + 1] = S[a + 1]!;
          S[RECORD_B] = bLo;
          S[RECORD_B + 1] = bHi;
          const aLo = S[a]!;
          const high = (S[a + 1]! - bHi - (aLo >>> 0 < bLo >>> 0 ? 1 : 0)) | 0;
          S[d] = (aLo - bLo) | 0;
          S[d + 1] = high;
          pc += 4;
          continue;
        }
        case 91: {
          // AND64FI
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const bLo = code[pc + 3]!;
          const bHi = bLo >> 31;
          const low = S[a]! & bLo;
          const high = S[a + 1]! & bHi;
          S[d] = low;
          S[d + 1] = high;
          S[KIND] = KIND_LOGIC | 3;
          S[RECORD_A] = low;
          S[RECORD_A + 1] = high;
          pc += 4;
          continue;
        }
        case 92: {
          // ADD32FI
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const bLo = code[pc + 3]!;
          S[KIND] = KIND_ADD | 2;
          S[RECORD_A] = S[a]!;
          S[RECORD_B] = bLo;
          const low = (S[a]! + bLo) | 0;
          S[d] = low;
          S[d + 1] = 0;
          pc += 4;
          continue;
        }
        case 93: {
          // SUB32FI
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const bLo = code[pc + 3]!;
          S[KIND] = KIND_SUB | 2;
          S[RECORD_A] = S[a]!;
          S[RECORD_B] = bLo;
          const low = (S[a]! - bLo) | 0;
          S[d] = low;
          S[d + 1] = 0;
          pc += 4;
          continue;
        }
        case 94: {
          // AND32FI
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const bLo = code[pc + 3]!;
          const low = S[a]! & bLo;
          S[d] = low;
          S[d + 1] = 0;
          S[KIND] = KIND_LOGIC | 2;
          S[RECORD_A] = low;
          pc += 4;
          continue;
        }
        case 95: {
          // SHL32I
          const d = code[pc + 1]!;
          S[d] = S[code[pc + 2]!]! << code[pc + 3]!;
          S[d + 1] = 0;
          pc += 4;
          continue;
        }
        case 96: {
          // SHR32I
          const d = code[pc + 1]!;
          S[d] = S[code[pc + 2]!]! >>> code[pc + 3]!;
          S[d + 1] = 0;
          pc += 4;
          continue;
        }
        case 97: {
          // SAR32I
          const d = code[pc + 1]!;
          S[d] = S[code[pc + 2]!]! >> code[pc + 3]!;
          S[d + 1] = 0;
          pc += 4;
          continue;
        }
        case 98: {
          // SHL64I
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const count = code[pc + 3]!;
          lo = S[a]!;
          hi = S[a + 1]!;
          S[d] = count >= 32 ? 0 : lo << count;
          S[d + 1] = count >= 32 ? lo << (count - 32) : (hi << count) | ((lo >>> 1) >>> (31 - count));
          pc += 4;
          continue;
        }
        case 99: {
          // SHR64I
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const count = code[pc + 3]!;
          lo = S[a]!;
          hi = S[a + 1]!;
          S[d] = count >= 32 ? hi >>> (count - 32) : (lo >>> count) | ((hi << 1) << (31 - count));
          S[d + 1] = count >= 32 ? 0 : hi >>> count;
          pc += 4;
          continue;
        }
        case 100: {
          // SAR64I
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const count = code[pc + 3]!;
          lo = S[a]!;
          hi = S[a + 1]!;
          S[d] = count >= 32 ? hi >> (count - 32) : (lo >>> count) | ((hi << 1) << (31 - count));
          S[d + 1] = count >= 32 ? hi >> 31 : hi >> count;
          pc += 4;
          continue;
        }
        case 101: {
          // MUL32
          const d = code[pc + 1]!;
          S[d] = Math.imul(S[code[pc + 2]!]!, S[code[pc + 3]!]!);
          S[d + 1] = 0;
          pc += 4;
          continue;
        }
        case 102: {
          // MUL64: 16-bit limbs of the low words for their 64-bit product, cross products for the high word
          const d = code[pc + 1]!;
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          const aLo = S[a]!;
          const bLo = S[b]!;
          const a0 = aLo & 0xffff;
          const a1 = aLo >>> 16;
          const b0 = bLo & 0xffff;
          const b1 = bLo >>> 16;
          const low = Math.imul(a0, b0) >>> 0;
          const middle = (Math.imul(a1, b0) >>> 0) + (low >>> 16);
          const middle2 = (Math.imul(a0, b1) >>> 0) + (middle & 0xffff);
          const high = (Math.imul(a1, b1) >>> 0) + Math.floor(middle / 65536) + Math.floor(middle2 / 65536);
          S[d + 1] = (high + Math.imul(aLo, S[b + 1]!) + Math.imul(S[a + 1]!, bLo)) | 0;
          S[d] = (low & 0xffff) | (middle2 << 16);
          pc += 4;
          continue;
        }
        case 105: {
          // FLAGS2
          const a = code[pc + 2]!;
          const b = code[pc + 3]!;
          S[KIND] = code[pc + 1]!;
          S[RECORD_A] = S[a]!;
          S[RECORD_A + 1] = S[a + 1]!;
          S[RECORD_B] = S[b]!;
          S[RECORD_B + 1] = S[b + 1]!;
          pc += 4;
          continue;
        }
        case 106: {
          // FLAGS2I
          const a = code[pc + 2]!;
          const immediate = code[pc + 3]!;
          S[KIND] = code[pc + 1]!;
          S[RECORD_A] = S[a]!;
          S[RECORD_A + 1] = S[a + 1]!;
          S[RECORD_B] = immediate;
          S[RECORD_B + 1] = immediate >> 31;
          pc += 4;
          continue;
        }
        case 107: {
          // FLAGS1
          const a = code[pc + 2]!;
          S[KIND] = code[pc + 1]!;
          S[RECORD_A] = S[a]!;
          S[RECORD_A + 1] = S[a + 1]!;
          pc += 3;
          continue;
        }
        case 108: {
          // CONDITION
          const d = code[pc + 1]!;
          S[d] = evaluateCondition(S, code[pc + 2]!);
          S[d + 1] = 0;
          pc += 3;
          continue;
        }
        case 109: {
          // SELECT64
          const d = code[pc + 1]!;
          const chosen = S[code[pc + 2]!] !== 0 ? code[pc + 3]! : code[pc + 4]!;
          S[d] = S[chosen]!;
          S[d + 1] = S[chosen + 1]!;
          pc += 5;
          continue;
        }
        case 110: {
          // SELECT32
          const d = code[pc + 1]!;
          S[d] = S[S[code[pc + 2]!] !== 0 ? code[pc + 3]! : code[pc + 4]!]!;
          S[d + 1] = 0;
          pc += 5;
          continue;
        }
        case 115: {
          // LOAD8
          const b = S[code[pc + 2]!]!;
          const displacement = code[pc + 3]!;
          lo = (b + displacement) | 0;
          hi = (S[code[pc + 2]! + 1]! + (displacement >> 31) + (lo >>> 0 < b >>> 0 ? 1 : 0)) | 0;
          const d = code[pc + 1]!;
          const entry = fastBase + ((lo >>> 9) & 0xff8);
          if (F[entry] === (lo & -4096) && F[entry + 1] === hi) {
            const at = (lo + F[entry + 6]!) >>> 0;
            S[d] = u8[at]!;
            S[d + 1] = 0;
          } else {
            this.#at = pc;
            const status = slow.load(core, lo, hi, 1, code[pc + 4]!);
            if (status !== DONE) return this.#stop(core, page, pc, status, code[pc + 4]!, budget - left);
            S[d] = slow.lo;
            S[d + 1] = slow.hi;
          }
          pc += 5;
          continue;
        }
        case 116: {
          // LOAD16
          const b = S[code[pc + 2]!]!;
          const displacement = code[pc + 3]!;
          lo = (b + displacement) | 0;
          hi = (S[code[pc + 2]! + 1]! + (displacement >> 31) + (lo >>> 0 < b >>> 0 ? 1 : 0)) | 0;
          const d = code[pc + 1]!;
          const entry = fastBase + ((lo >>> 9) & 0xff8);
          if (F[entry] === ((lo + 1) & -4096) && F[entry + 1] === hi) {
            const at = (lo + F[entry + 6]!) >>> 0;
            S[d] = view.getUint16(at, true);
            S[d + 1] = 0;
          } else {
            this.#at = pc;
            const status = slow.load(core, lo, hi, 2, code[pc + 4]!);
            if (status !== DONE) return this.#stop(core, page, pc, status, code[pc + 4]!, budget - left);
            S[d] = slow.lo;
            S[d + 1] = slow.hi;
          }
          pc += 5;
          continue;
        }
        case 117: {
          // LOAD32
          const b = S[code[pc + 2]!]!;
          const displacement = code[pc + 3]!;
          lo = (b + displacement) | 0;
          hi = (S[code[pc + 2]! + 1]! + (displacement >> 31) + (lo >>> 0 < b >>> 0 ? 1 : 0)) | 0;
          const d = code[pc + 1]!;
          const entry = fastBase + ((lo >>> 9) & 0xff8);
          if (F[entry] === ((lo + 3) & -4096) && F[entry + 1] === hi) {
            const at = (lo + F[entry + 6]!) >>> 0;
            S[d] = view.getInt32(at, true);
            S[d + 1] = 0;
          } else {
            this.#at = pc;
            const status = slow.load(core, lo, hi, 4, code[pc + 4]!);
            if (status !== DONE) return this.#stop(core, page, pc, status, code[pc + 4]!, budget - left);
            S[d] = slow.lo;
            S[d + 1] = slow.hi;
          }
          pc += 5;
          continue;
        }
        case 118: {
          // LOAD64
          const b = S[code[pc + 2]!]!;
          const displacement = code[pc + 3]!;
          lo = (b + displacement) | 0;
          hi = (S[code[pc + 2]! + 1]! + (displacement >> 31) + (lo >>> 0 < b >>> 0 ? 1 : 0)) | 0;
          const d = code[pc + 1]!;
          const entry = fastBase + ((lo >>> 9) & 0xff8);
          if (F[entry] === ((lo + 7) & -4096) && F[entry + 1] === hi) {
            const at = (lo + F[entry + 6]!) >>> 0;
            S[d] = view.getInt32(at, true);
            S[d + 1] = view.getInt32(at + 4, true);
          } else {
            this.#at = pc;
            const status = slow.load(core, lo, hi, 8, code[pc + 4]!);
            if (status !== DONE) return this.#stop(core, page, pc, status, code[pc + 4]!, budget - left);
            S[d] = slow.lo;
            S[d + 1] = slow.hi;
          }
          pc += 5;
          continue;
        }
        case 119: {
          // LOAD8X
          const scale = code[pc + 4]!;
          const index = code[pc + 3]!;
          const base = code[pc + 2]!;
          const displacement = code[pc + 5]!;
          const i = S[index]!;
          const partial = (S[base]! + displacement) | 0;
          const high = (S[base + 1]! + (displacement >> 31) + (partial >>> 0 < S[base]! >>> 0 ? 1 : 0)) | 0;
          const scaled = i << scale;
          lo = (partial + scaled) | 0;
          hi =
            (high +
              ((S[index + 1]! << scale) | ((i >>> 1) >>> (31 - scale))) +
              (lo >>> 0 < partial >>> 0 ? 1 : 0)) |
            0;
          const d = code[pc + 1]!;
          const entry = fastBase + ((lo >>> 9) & 0xff8);
          if (F[entry] === (lo & -4096) && F[entry + 1] === hi) {
            const at = (lo + F[entry + 6]!) >>> 0;
            S[d] = u8[at]!;
            S[d + 1] = 0;
          } else {
            this.#at = pc;
            const status = slow.load(core, lo, hi, 1, code[pc + 6]!);
            if (status !== DONE) return this.#stop(core, page, pc, status, code[pc + 6]!, budget - left);
            S[d] = slow.lo;
            S[d + 1] = slow.hi;
          }
          pc += 7;
          continue;
        }
        case 120: {
          // LOAD16X
          const scale = code[pc + 4]!;
          const index = code[pc + 3]!;
          const base = code[pc + 2]!;
          const displacement = code[pc + 5]!;
          const i = S[index]!;
          const partial = (S[base]! + displacement) | 0;
          const high = (S[base + 1]! + (displacement >> 31) + (partial >>> 0 < S[base]! >>> 0 ? 1 : 0)) | 0;
          const scaled = i << scale;
          lo = (partial + scaled) | 0;
          hi =
            (high +
              ((S[index + 1]! << scale) | ((i >>> 1) >>> (31 - scale))) +
              (lo >>> 0 < partial >>> 0 ? 1 : 0)) |
            0;
          const d = code[pc + 1]!;
          const entry = fastBase + ((lo >>> 9) & 0xff8);
          if (F[entry] === ((lo + 1) & -4096) && F[entry + 1] === hi) {
            const at = (lo + F[entry + 6]!) >>> 0;
            S[d] = view.getUint16(at, true);
            S[d + 1] = 0;
          } else {
            this.#at = pc;
            const status = slow.load(core, lo, hi, 2, code[pc + 6]!);
            if (status !== DONE) return this.#stop(core, page, pc, status, code[pc + 6]!, budget - left);
            S[d] = slow.lo;
            S[d + 1] = slow.hi;
          }
          pc += 7;
          continue;
        }
        case 121: {
          // LOAD32X
          const scale = code[pc + 4]!;
          const index = code[pc + 3]!;
          const base = code[pc + 2]!;
          const displacement = code[pc + 5]!;
          const i = S[index]!;
          const partial = (S[base]! + displacement) | 0;
          const high = (S[base + 1]! + (displacement >> 31) + (partial >>> 0 < S[base]! >>> 0 ? 1 : 0)) | 0;
          const scaled = i << scale;
          lo = (partial + scaled) | 0;
          hi =
            (high +
              ((S[index + 1]! << scale) | ((i >>> 1) >>> (31 - scale))) +
              (lo >>> 0 < partial >>> 0 ? 1 : 0)) |
            0;
          const d = code[pc + 1]!;
          const entry = fastBase + ((lo >>> 9) & 0xff8);
          if (F[entry] === ((lo + 3) & -4096) && F[entry + 1] === hi) {
            const at = (lo + F[entry + 6]!) >>> 0;
            S[d] = view.getInt32(at, true);
            S[d + 1] = 0;
          } else {
            this.#at = pc;
            const status = slow.load(core, lo, hi, 4, code[pc + 6]!);
            if (status !== DONE) return this.#stop(core, page, pc, status, code[pc + 6]!, budget - left);
            S[d] = slow.lo;
            S[d + 1] = slow.hi;
          }
          pc += 7;
          continue;
        }
        case 122: {
          // LOAD64X
          const scale = code[pc + 4]!;
          const index = code[pc + 3]!;
          const base = code[pc + 2]!;
          const displacement = code[pc + 5]!;
          const i = S[index]!;
          const partial = (S[base]! + displacement) | 0;
          const high = (S[base + 1]! + (displacement >> 31) + (partial >>> 0 < S[base]! >>> 0 ? 1 : 0)) | 0;
          const scaled = i << scale;
          lo = (partial + scaled) | 0;
          hi =
            (high +
              ((S[index + 1]! << scale) | ((i >>> 1) >>> (31 - scale))) +
              (lo >>> 0 < partial >>> 0 ? 1 : 0)) |
            0;
          const d = code[pc + 1]!;
          const entry = fastBase + ((lo >>> 9) & 0xff8);
          if (F[entry] === ((lo + 7) & -4096) && F[entry + 1] === hi) {
            const at = (lo + F[entry + 6]!) >>> 0;
            S[d] = view.getInt32(at, true);
            S[d + 1] = view.getInt32(at + 4, true);
          } else {
            this.#at = pc;
            const status = slow.load(core, lo, hi, 8, code[pc + 6]!);
            if (status !== DONE) return this.#stop(core, page, pc, status, code[pc + 6]!, budget - left);
            S[d] = slow.lo;
            S[d + 1] = slow.hi;
          }
          pc += 7;
          continue;
        }
        case 123: {
          // STORE8
          const b = S[code[pc + 2]!]!;
          const displacement = code[pc + 3]!;
          lo = (b + displacement) | 0;
          hi = (S[code[pc + 2]! + 1]! + (displacement >> 31) + (lo >>> 0 < b >>> 0 ? 1 : 0)) | 0;
          const v = code[pc + 1]!;
          const entry = fastBase + ((lo >>> 9) & 0xff8);
          if (F[entry + 2] === (lo & -4096) && F[entry + 3] === hi) {
            const at = (lo + F[entry + 6]!) >>> 0;
            u8[at] = S[v]!;
          } else {
            this.#at = pc;
            const status = slow.store(core, lo, hi, 1, code[pc + 4]!, S[v]!, S[v + 1]!);
            if (status !== DONE) return this.#stop(core, page, pc, status, code[pc + 4]!, budget - left);
          }
          pc += 5;
          continue;
        }
        case 124: {
          // STORE16
          const b = S[code[pc + 2]!]!;
          const displacement = code[pc + 3]!;
          lo = (b + displacement) | 0;
          hi = (S[code[pc + 2]! + 1]! + (displacement >> 31) + (lo >>> 0 < b >>> 0 ? 1 : 0)) | 0;
          const v = code[pc + 1]!;
          const entry = fastBase + ((lo >>> 9) & 0xff8);
          if (F[entry + 2] === ((lo + 1) & -4096) && F[entry + 3] === hi) {
            const at = (lo + F[entry + 6]!) >>> 0;
            view.setInt16(at, S[v]!, true);
          } else {
            this.#at = pc;
            const status = slow.store(core, lo, hi, 2, code[pc + 4]!, S[v]!, S[v + 1]!);
            if (status !== DONE) return this.#stop(core, page, pc, status, code[pc + 4]!, budget - left);
          }
          pc += 5;
          continue;
        }
        case 125: {
          // STORE32
          const b = S[code[pc + 2]!]!;
          const displacement = code[pc + 3]!;
          lo = (b + displacement) | 0;
          hi = (S[code[pc + 2]! + 1]! + (displacement >> 31) + (lo >>> 0 < b >>> 0 ? 1 : 0)) | 0;
          const v = code[pc + 1]!;
          const entry = fastBase + ((lo >>> 9) & 0xff8);
          if (F[entry + 2] === ((lo + 3) & -4096) && F[entry + 3] === hi) {
            const at = (lo + F[entry + 6]!) >>> 0;
            view.setInt32(at, S[v]!, true);
          } else {
            this.#at = pc;
            const status = slow.store(core, lo, hi, 4, code[pc + 4]!, S[v]!, S[v + 1]!);
            if (status !== DONE) return this.#stop(core, page, pc, status, code[pc + 4]!, budget - left);
          }
          pc += 5;
          continue;
        }
        case 126: {
          // STORE64
          const b = S[code[pc + 2]!]!;
          const displacement = code[pc + 3]!;
          lo = (b + displacement) | 0;
          hi = (S[code[pc + 2]! + 1]! + (displacement >> 31) + (lo >>> 0 < b >>> 0 ? 1 : 0)) | 0;
          const v = code[pc + 1]!;
          const entry = fastBase + ((lo >>> 9) & 0xff8);
          if (F[entry + 2] === ((lo + 7) & -4096) && F[entry + 3] === hi) {
            const at = (lo + F[entry + 6]!) >>> 0;
            view.setInt32(at, S[v]!, true);
            view.setInt32(at + 4, S[v + 1]!, true);
          } else {
            this.#at = pc;
            const status = slow.store(core, lo, hi, 8, code[pc + 4]!, S[v]!, S[v + 1]!);
            if (status !== DONE) return this.#stop(core, page, pc, status, code[pc + 4]!, budget - left);
          }
          pc += 5;
          continue;
        }
        case 127: {
          // STORE8X
          const scale = code[pc + 4]!;
          const index = code[pc + 3]!;
          const base = code[pc + 2]!;
          const displacement = code[pc + 5]!;
          const i = S[index]!;
          const partial = (S[base]! + displacement) | 0;
          const high = (S[base + 1]! + (displacement >> 31) + (partial >>> 0 < S[base]! >>> 0 ? 1 : 0)) | 0;
          const scaled = i << scale;
          lo = (partial + scaled) | 0;
          hi =
            (high +
              ((S[index + 1]! << scale) | ((i >>> 1) >>> (31 - scale))) +
              (lo >>> 0 < partial >>> 0 ? 1 : 0)) |
            0;
          const v = code[pc + 1]!;
          const entry = fastBase + ((lo >>> 9) & 0xff8);
          if (F[entry + 2] === (lo & -4096) && F[entry + 3] === hi) {
            const at = (lo + F[entry + 6]!) >>> 0;
            u8[at] = S[v]!;
          } else {
            this.#at = pc;
            const status = slow.store(core, lo, hi, 1, code[pc + 6]!, S[v]!, S[v + 1]!);
            if (status !== DONE) return this.#stop(core, page, pc, status, code[pc + 6]!, budget - left);
          }
          pc += 7;
          continue;
        }
        case 128: {
          // STORE16X
          const scale = code[pc + 4]!;
          const index = code[pc + 3]!;
          const base = code[pc + 2]!;
          const displacement = code[pc + 5]!;
          const i = S[index]!;
          const partial = (S[base]! + displacement) | 0;
          const high = (S[base + 1]! + (displacement >> 31) + (partial >>> 0 < S[base]! >>> 0 ? 1 : 0)) | 0;
          const scaled = i << scale;
          lo = (partial + scaled) | 0;
          hi =
            (high +
              ((S[index + 1]! << scale) | ((i >>> 1) >>> (31 - scale))) +
              (lo >>> 0 < partial >>> 0 ? 1 : 0)) |
            0;
          const v = code[pc + 1]!;
          const entry = fastBase + ((lo >>> 9) & 0xff8);
          if (F[entry + 2] === ((lo + 1) & -4096) && F[entry + 3] === hi) {
            const at = (lo + F[entry + 6]!) >>> 0;
            view.setInt16(at, S[v]!, true);
          } else {
            this.#at = pc;
            const status = slow.store(core, lo, hi, 2, code[pc + 6]!, S[v]!, S[v + 1]!);
            if (status !== DONE) return this.#stop(core, page, pc, status, code[pc + 6]!, budget - left);
          }
          pc += 7;
          continue;
        }
        case 129: {
          // STORE32X
          const scale = code[pc + 4]!;
          const index = code[pc + 3]!;
          const base = code[pc + 2]!;
          const displacement = code[pc + 5]!;
          const i = S[index]!;
          const partial = (S[base]! + displacement) | 0;
          const high = (S[base + 1]! + (displacement >> 31) + (partial >>> 0 < S[base]! >>> 0 ? 1 : 0)) | 0;
          const scaled = i << scale;
          lo = (partial + scaled) | 0;
          hi =
            (high +
              ((S[index + 1]! << scale) | ((i >>> 1) >>> (31 - scale))) +
              (lo >>> 0 < partial >>> 0 ? 1 : 0)) |
            0;
          const v = code[pc + 1]!;
          const entry = fastBase + ((lo >>> 9) & 0xff8);
          if (F[entry + 2] === ((lo + 3) & -4096) && F[entry + 3] === hi) {
            const at = (lo + F[entry + 6]!) >>> 0;
            view.setInt32(at, S[v]!, true);
          } else {
            this.#at = pc;
            const status = slow.store(core, lo, hi, 4, code[pc + 6]!, S[v]!, S[v + 1]!);
            if (status !== DONE) return this.#stop(core, page, pc, status, code[pc + 6]!, budget - left);
          }
          pc += 7;
          continue;
        }
        case 130: {
          // STORE64X
          const scale = code[pc + 4]!;
          const index = code[pc + 3]!;
          const base = code[pc + 2]!;
          const displacement = code[pc + 5]!;
          const i = S[index]!;
          const partial = (S[base]! + displacement) | 0;
          const high = (S[base + 1]! + (displacement >> 31) + (partial >>> 0 < S[base]! >>> 0 ? 1 : 0)) | 0;
          const scaled = i << scale;
          lo = (partial + scaled) | 0;
          hi =
            (high +
              ((S[index + 1]! << scale) | ((i >>> 1) >>> (31 - scale))) +
              (lo >>> 0 < partial >>> 0 ? 1 : 0)) |
            0;
          const v = code[pc + 1]!;
          const entry = fastBase + ((lo >>> 9) & 0xff8);
          if (F[entry + 2] === ((lo + 7) & -4096) && F[entry + 3] === hi) {
            const at = (lo + F[entry + 6]!) >>> 0;
            view.setInt32(at, S[v]!, true);
            view.setInt32(at + 4, S[v + 1]!, true);
          } else {
            this.#at = pc;
            const status = slow.store(core, lo, hi, 8, code[pc + 6]!, S[v]!, S[v + 1]!);
            if (status !== DONE) return this.#stop(core, page, pc, status, code[pc + 6]!, budget - left);
          }
          pc += 7;
          continue;
        }
        case 131: {
          // ACCESS: size-log2 and direction, cell, base, displacement, attr
          this.#at = pc;
          const status = slow.access(core, code, pc);
          if (status !== DONE) return this.#stop(core, page, pc, status, code[pc + 5]!, budget - left);
          pc += 6;
          continue;
        }
        case 140: {
          // RARE
          executeRare(S, code, pc);
          pc += 8;
          continue;
        }
        default:
          throw new Error(`Interpreter: ${code[pc]} at ${pc} is no packed operation`);
      }
      // Branch tail: retired, taken lo, hi, link, next lo, hi, link, ends.
      left -= code[tail]!;
      if (!taken) tail += 3;
      const link = code[tail + 3]!;
      if (link >= 0 && left > 0) {
        pc = link;
        continue;
      }
      lo = code[tail + 1]!;
      S[PC] = lo;
      S[PC + 1] = code[tail + 2]!;
      retire(core, budget - left);
      budget = left;
      if (left <= 0 && (taken ? code[tail + 7]! & 1 : code[tail + 4]! & 2) !== 0) return "slice";
      const from = page;
      pc = this.#find(core);
      if (pc < 0) return this.#exit;
      page = this.#page!;
      if (page === from && page.mayLink && !from.stale && !page.crossing.has(lo & 0xfff))
        page.words[tail + 3] = pc;
      code = page.words;
    }
  }

  /** Packed position of the block at PC, made if need be; -1: #exit says why not. */
  #find(core: Core): number {
    const S = core.state;
    const lo = S[PC]!;
    let hi = S[PC + 1]!;
    const F = core.mmu.fast;
    const entry = fastIndex(lo, core.regime);
    let pa: number;
    if (F[entry + FAST_EXEC] === (lo & -4096) && F[entry + FAST_EXEC + 1] === hi) {
      pa = (lo + F[entry + FAST_ADDEND]!) >>> 0;
    } else if (S[ACCESS_PHASE] === FETCHING_REST) {
      pa = S[ACCESS_FIRST_PA]! >>> 0;
    } else {
      core.normalisePc();
      hi = S[PC + 1]!;
      const status = core.mmu.translate(lo, hi, FETCH, core.regime);
      core.takeStalls();
      if (status !== DONE) return this.#fetchFailed(core, status);
      pa = core.mmu.pa;
    }
    const frame = Math.floor(pa / 4096);
    if (frame >= this.#ram.frames) return this.#findNothing(core);
    let page = this.#page;
    if (
      page === null ||
      page.frame !== frame ||
      page.pageLo !== (lo & -4096) ||
      page.pageHi !== hi ||
      page.stale
    ) {
      page = this.cache.page(frame, lo & -4096, hi);
      this.#page = page;
    }
    const offset = lo & 0xfff;
    if (page.crossing.size !== 0 && page.crossing.has(offset)) return this.#findCrossing(core, page, offset);
    const at = page.entries[offset]!;
    return at >= 0 ? at : this.#translate(core, page, offset, pa);
  }

  #fetchFailed(core: Core, status: TranslationStatus): number {
    if (status === FAULT) {
      core.raiseTranslationFault(0);
      this.#exit = "phase";
    } else {
      this.#exit = "suspended";
    }
    return -1;
  }

  /** Code outside RAM reads as all ones. */
  #findNothing(core: Core): number {
    const pc = pcOf(core);
    const page = new CodePage(0, pc.lo & -4096, pc.hi, false, false);
    this.#crossBytes.fill(0xff, 0, CROSS_BYTES);
    const block = this.#frontend.lift(pc, this.#crossBytes, 0, CROSS_BYTES, ONE_INSTRUCTION);
    if (block === null) throw new Error("Interpreter: an instruction longer than the longest");
    this.#page = page;
    return this.#packer.pack(block, page);
  }

  /** Lifts and packs the block at a page offset. */
  #translate(core: Core, page: CodePage, offset: number, pa: number): number {
    const block = this.#frontend.lift(pcOf(core), this.#ram.u8, pa, pa - offset + 4096, {
      kernelText: page.kernelText,
      maxInstructions: MAX_BLOCK,
    });
    if (block === null) return this.#findCrossing(core, page, offset);
    return this.#enter(page, offset, block);
  }

  #enter(page: CodePage, offset: number, block: Block): number {
    if (this.#verify) {
      const errors = verify(block);
      if (errors.length > 0) throw new Error(`Interpreter: invalid block: ${errors.join("; ")}`);
    }
    const at = this.#packer.pack(block, page);
    page.entries[offset] = at;
    return at;
  }

  /** A block of one instruction that crosses into the following page, whose frame may have changed. */
  #findCrossing(core: Core, page: CodePage, offset: number): number {
    const nextLo = (page.pageLo + 4096) | 0;
    const nextHi = (page.pageHi + (nextLo === 0 ? 1 : 0)) | 0;
    const status = core.mmu.translate(nextLo, nextHi, FETCH, core.regime);
    core.takeStalls();
    core.state[ACCESS_PHASE] = status === SUSPENDED ? FETCHING_REST : 0;
    core.state[ACCESS_FIRST_PA] = page.frame * 4096 + offset;
    if (status !== DONE) return this.#fetchFailed(core, status);
    const frame = core.mmu.pa >>> 12;
    if (frame !== page.crossFrame) page.setCrossFrame(frame);
    const known = page.entries[offset]!;
    if (known >= 0) return known;
    const rest = 4096 - offset;
    const bytes = this.#crossBytes;
    const start = page.frame * 4096 + offset;
    bytes.set(this.#ram.u8.subarray(start, start + rest));
    bytes.set(this.#ram.u8.subarray(frame * 4096, frame * 4096 + CROSS_BYTES), rest);
    const block = this.#frontend.lift(pcOf(core), bytes, 0, rest + CROSS_BYTES, ONE_INSTRUCTION);
    if (block === null) throw new Error("Interpreter: an instruction longer than the longest");
    page.crossing.add(offset);
    this.cache.addCrosser(page, frame);
    return this.#enter(page, offset, block);
  }

  /** The page's code was overwritten: no link may be followed and the next instruction is decoded afresh. */
  #markStale(page: CodePage): void {
    for (const at of page.links) page.words[at] = -1;
    if (page !== this.#page || this.#at < 0) return;
    const next = page.markIndex(this.#at) + 1;
    if (next >= page.marks || page.markRetired[next] === 0) return;
    page.words[page.markAt[next]!] = PACKED.STALE;
    page.isPatched = true;
  }

  /** An access stopped: suspended, or faulted at its instruction. */
  #stop(
    core: Core,
    page: CodePage,
    at: number,
    status: TranslationStatus,
    attr: number,
    retiredSoFar: number,
  ): EngineExit {
    this.#at = -1;
    core.takeStalls();
    const mark = page.markIndex(at);
    core.state[PC] = page.markLo[mark]!;
    core.state[PC + 1] = page.pageHi;
    if (status === SUSPENDED) {
      retire(core, retiredSoFar);
      this.#resumePage[core.id] = page;
      this.#resumeAt[core.id] = at;
      return "suspended";
    }
    core.state[ACCESS_PHASE] = 0;
    this.#slow.setLocked(core, 0);
    retire(core, retiredSoFar + page.markRetired[mark]!);
    core.raiseTranslationFault(attr);
    return "phase";
  }
}

function pcOf(core: Core): { lo: number; hi: number } {
  return { lo: core.state[PC]!, hi: core.state[PC + 1]! };
}

function sliceBudget(cycles: number): number {
  if (cycles >= UNLIMITED) return UNLIMITED;
  return cycles < 1 ? 1 : Math.ceil(cycles);
}

/** Brings the core's counts up to date, so that whoever looks next sees the same clock however blocks are linked. @hot */
function retire(core: Core, count: number): void {
  core.retired += count;
  core.clock += count;
  core.takeStalls();
}
