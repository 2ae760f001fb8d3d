/**
 * The Generic Timer of one core: the physical and the virtual counter, and the EL1 physical and virtual timers. Arm ARM DDI
 * 0487 D12 "The Generic Timer in AArch64 state". The system counter is the core's virtual clock over a constant; as nothing
 * above EL1 is modelled, the virtual offset is 0 and both counters are equal. A timer's output is a level: it stays while
 * the timer is enabled, its interrupt is not masked, and the counter has reached the compare value (unsigned).
 * CNTKCTL_EL1, which lets EL0 in, is the core's.
 */
export type TimerRegister =
  | "CNTFRQ_EL0"
  | "CNTPCT_EL0"
  | "CNTVCT_EL0"
  | "CNTP_TVAL_EL0"
  | "CNTP_CTL_EL0"
  | "CNTP_CVAL_EL0"
  | "CNTV_TVAL_EL0"
  | "CNTV_CTL_EL0"
  | "CNTV_CVAL_EL0";

/** PPIs, as the Base System Architecture assigns them. */
export const INTID_VIRTUAL_TIMER = 27;
export const INTID_PHYSICAL_TIMER = 30;

export const CNT_CTL_ENABLE = 1;
export const CNT_CTL_IMASK = 2;
export const CNT_CTL_ISTATUS = 4;

/** Words, relative to the base. Of each timer: control, a spare, compare value (low, high), when its output rises. */
const PHYSICAL = 0;
const VIRTUAL = 6;
const CONTROL = 0;
const COMPARE = 2;
const DUE = 4;
/** When the next output rises, a double. */
const FIRST_DUE = 12;
/** Outputs that are high, as bits by INTID. */
const LINES = 14;

export interface GenericTimerOptions {
  readonly words: Int32Array;
  /** An index that is 8-byte aligned in memory. */
  readonly base: number;
  readonly core: { readonly clock: number };
  /** Core cycles per tick of the system counter. */
  readonly cyclesPerTick: number;
  /** CNTFRQ_EL0: ticks per second. */
  readonly frequency: number;
  /** A register was written: outputs and due times may have changed. */
  readonly changed: () => void;
}

export class GenericTimer {
  static readonly words: number = 16;

  /** Halves of the register that read() found. */
  valueLo = 0;
  valueHi = 0;
  readonly #words: Int32Array;
  readonly #base: number;
  readonly #doubles: Float64Array;
  readonly #options: GenericTimerOptions;

  constructor(options: GenericTimerOptions) {
    const { words, base } = options;
    this.#options = options;
    this.#words = words;
    this.#base = base;
    this.#doubles = new Float64Array(words.buffer, words.byteOffset + base * 4, GenericTimer.words / 2);
    this.reset();
  }

  /** Warm reset: both timers are disabled. */
  reset(): void {
    this.#words.fill(0, this.#base, this.#base + GenericTimer.words);
    this.#update();
  }

  /** Core clock at which an output rises next; Infinity: none will. @hot */
  get due(): number {
    return this.#doubles[FIRST_DUE >> 1];
  }

  /** The same for the timers of a set of interrupts, as bits by INTID. */
  dueOf(interrupts: number): number {
    const virtual = (interrupts & (1 << INTID_VIRTUAL_TIMER)) !== 0;
    const physical = (interrupts & (1 << INTID_PHYSICAL_TIMER)) !== 0;
    return Math.min(
      virtual ? this.#doubles[(VIRTUAL + DUE) >> 1] : Number.POSITIVE_INFINITY,
      physical ? this.#doubles[(PHYSICAL + DUE) >> 1] : Number.POSITIVE_INFINITY,
    );
  }

  /** Outputs that are high, as bits by INTID. */
  get lines(): number {
    return this.#words[this.#base + LINES];
  }

  /** The clock has reached `due`: `lines` is as it is now. */
  expire(): void {
    this.#update();
  }

  /** MRS into valueLo, valueHi. */
  read(register: TimerRegister): void {
    this.valueHi = 0;
    switch (register) {
      case "CNTFRQ_EL0":
        this.valueLo = this.#options.frequency;
        return;
      case "CNTPCT_EL0":
      case "CNTVCT_EL0": {
        const count = this.#count();
        this.valueLo = count | 0;
        this.valueHi = Math.floor(count / 0x1_0000_0000);
        return;
      }
      default:
        this.#readTimer(timerOf(register), register);
    }
  }

  /** MSR. False: the register is read-only at EL1. */
  write(register: TimerRegister, lo: number, hi: number): boolean {
    const words = this.#words;
    switch (register) {
      case "CNTFRQ_EL0":
      case "CNTPCT_EL0":
      case "CNTVCT_EL0":
        return false;
      case "CNTP_CTL_EL0":
      case "CNTV_CTL_EL0":
        words[this.#base + timerOf(register) + CONTROL] = lo & (CNT_CTL_ENABLE | CNT_CTL_IMASK);
        break;
      case "CNTP_CVAL_EL0":
      case "CNTV_CVAL_EL0":
        this.#setCompare(timerOf(register), lo, hi);
        break;
      default: {
        // CVAL = counter + SignExtend(TVAL<31:0>), modulo 2^64.
        const count = this.#count();
        const low = (count % 0x1_0000_0000) + (lo >>> 0);
        const carry = low >= 0x1_0000_0000 ? 1 : 0;
        const high = Math.floor(count / 0x1_0000_0000) + (lo >> 31) + carry;
        this.#setCompare(timerOf(register), low | 0, high | 0);
      }
    }
    this.#update();
    this.#options.changed();
    return true;
  }

  #readTimer(timer: number, register: TimerRegister): void {
    const words = this.#words;
    const at = this.#base + timer;
    switch (register) {
      case "CNTP_CTL_EL0":
      case "CNTV_CTL_EL0":
        // ISTATUS is UNKNOWN while the timer is disabled: 0.
        this.valueLo = words[at + CONTROL];
        if ((this.valueLo & CNT_CTL_ENABLE) !== 0 && this.#isReached(timer)) this.valueLo |= CNT_CTL_ISTATUS;
        return;
      case "CNTP_CVAL_EL0":
      case "CNTV_CVAL_EL0":
        this.valueLo = words[at + COMPARE];
        this.valueHi = words[at + COMPARE + 1];
        return;
      default:
        // TimerValue is 32 bits, the upper half reads as 0.
        this.valueLo = (words[at + COMPARE] - (this.#count() | 0)) | 0;
    }
  }

  #setCompare(timer: number, lo: number, hi: number): void {
    this.#words[this.#base + timer + COMPARE] = lo;
    this.#words[this.#base + timer + COMPARE + 1] = hi;
  }

  /** Ticks since the machine started; below 2^53. */
  #count(): number {
    return Math.floor(this.#options.core.clock / this.#options.cyclesPerTick);
  }

  /** What lies past 2^53 is rounded, and is never reached. */
  #compareOf(timer: number): number {
    const at = this.#base + timer + COMPARE;
    return (this.#words[at + 1] >>> 0) * 0x1_0000_0000 + (this.#words[at] >>> 0);
  }

  #isReached(timer: number): boolean {
    return this.#count() >= this.#compareOf(timer);
  }

  /** Outputs and due times as they follow from the registers and the clock. */
  #update(): void {
    const virtual = this.#updateTimer(VIRTUAL) ? 1 << INTID_VIRTUAL_TIMER : 0;
    const physical = this.#updateTimer(PHYSICAL) ? 1 << INTID_PHYSICAL_TIMER : 0;
    const doubles = this.#doubles;
    this.#words[this.#base + LINES] = virtual | physical;
    doubles[FIRST_DUE >> 1] = Math.min(doubles[(VIRTUAL + DUE) >> 1], doubles[(PHYSICAL + DUE) >> 1]);
  }

  /** True: the output is high. */
  #updateTimer(timer: number): boolean {
    const isOn = this.#words[this.#base + timer + CONTROL] === CNT_CTL_ENABLE;
    const isHigh = isOn && this.#isReached(timer);
    const rises = isOn && !isHigh;
    this.#doubles[(timer + DUE) >> 1] = rises
      ? this.#compareOf(timer) * this.#options.cyclesPerTick
      : Number.POSITIVE_INFINITY;
    return isHigh;
  }
}

function timerOf(register: TimerRegister): number {
  return register.charCodeAt(3) === 0x50 ? PHYSICAL : VIRTUAL;
}
