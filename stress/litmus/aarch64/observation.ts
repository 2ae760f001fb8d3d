/** What a question sees of a final state of the AArch64 machine. */
import { type Atom, type LitmusTest, placeName } from "../test.ts";
import type { CoreDriver } from "./core-driver.ts";
import type { EntryWords, Layout } from "./layout.ts";
import { FAULT_LOG, registerNumber } from "./program.ts";

const FAULTED = 0x80;
/** ESR_ELx.WnR as the handler notes it. */
const WRITE = 0x40;
/** DFSC without its level: Arm ARM, ESR_ELx, ISS encoding of data aborts. */
const CAUSES: Readonly<Record<string, number>> = { Translation: 0x04, AccessFlag: 0x08, Permission: 0x0c };
const CAUSE_MASK = 0x3c;
const LEVEL_MASK = 3;

export class Observation {
  readonly #test: LitmusTest;
  readonly #layout: Layout;
  readonly #drivers: readonly CoreDriver[];
  readonly #i32: Int32Array;

  constructor(test: LitmusTest, layout: Layout, drivers: readonly CoreDriver[], i32: Int32Array) {
    this.#test = test;
    this.#layout = layout;
    this.#drivers = drivers;
    this.#i32 = i32;
  }

  truth(atom: Atom): boolean {
    if (atom.kind === "fault") {
      const code = this.#faultCode(atom.core, atom.label);
      return (code & FAULTED) !== 0 && atom.bits.every((bit) => hasBit(code, bit));
    }
    const words = this.#words(atom);
    if (atom.value.kind === "entry") return this.#layout.matches(words, atom.value.entry);
    if (atom.value.kind === "register") return false;
    return number(words) === atom.value.value;
  }

  /** `0:X1=7`, `[PTE(x)]=(PA(x) valid af db)`, `fault(P0:L0)=no`. */
  observe(atom: Atom): string {
    if (atom.kind === "fault") {
      const code = this.#faultCode(atom.core, atom.label);
      const names = ["W", ...Object.keys(CAUSES)].filter((name) => hasBit(code, name));
      const text = (code & FAULTED) === 0 ? "no" : ["yes", ...names].join(",");
      return `fault(P${atom.core}:${atom.label})=${text}`;
    }
    const words = this.#words(atom);
    const isEntry = atom.value.kind === "entry";
    const value = isEntry ? this.#layout.describe(words) : String(number(words));
    if (atom.kind === "register") return `${atom.core}:${atom.name}=${value}`;
    const name = placeName(atom.place);
    return atom.place.level === 0 ? `${name}=${value}` : `[${name}]=${value}`;
  }

  #words(atom: Exclude<Atom, { kind: "fault" }>): EntryWords {
    if (atom.kind === "register") {
      const { gpr } = this.#drivers[atom.core]!.core;
      const register = registerNumber(this.#test, atom.name);
      return { lo: gpr[register * 2]!, hi: gpr[register * 2 + 1]! };
    }
    const slot = this.#layout.slot(atom.place);
    return { lo: this.#i32[slot]!, hi: this.#i32[slot + 1]! };
  }

  /** The byte of X24 that belongs to a labelled access. */
  #faultCode(core: number, label: string): number {
    const { core: cpu, program } = this.#drivers[core]!;
    const byte = program.faultBytes.get(label);
    // The access is not there when a test is run without it.
    if (byte === undefined) return 0;
    return (cpu.gpr[FAULT_LOG * 2 + (byte >> 2)]! >>> ((byte & 3) * 8)) & 0xff;
  }
}

/** `W`, a cause, or the lookup level: `L3`. */
function hasBit(code: number, name: string): boolean {
  if (name === "W") return (code & WRITE) !== 0;
  return name in CAUSES ? (code & CAUSE_MASK) === CAUSES[name] : `L${code & LEVEL_MASK}` === name;
}

function number({ lo, hi }: EntryWords): number {
  return (lo >>> 0) + (hi >>> 0) * 2 ** 32;
}
