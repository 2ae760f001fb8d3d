/** What the runner knows of a scenario's ELF file: the places that userland/lib/scenario.c names. */
import { type ElfImage, readSymbols, type SymbolTable } from "../../emu/loader/index.ts";
import { UserError } from "../../emu/user-error.ts";

/** Addresses as halves; the end is exclusive. */
export interface CodeRange {
  readonly hi: number;
  readonly lo: number;
  readonly endLo: number;
}

export class ScenarioProgram {
  readonly name: string;
  readonly symbols: SymbolTable;
  readonly begin: CodeRange;
  /** Where threads wait for the end: spinning, and asleep. */
  readonly park: CodeRange;
  readonly parkAsleep: CodeRange;
  /** The word that ends the wait, and the one that seeded scenarios derive their operations from. */
  readonly phase: CodeRange;
  readonly seed: CodeRange;

  /** @throws UserError if it is no scenario */
  constructor(image: ElfImage) {
    this.name = image.name;
    const symbols = readSymbols(image);
    if (symbols instanceof UserError) throw symbols;
    this.symbols = symbols;
    this.begin = this.#range("scenario_begin");
    this.park = this.#range("scenario_park");
    this.parkAsleep = this.#range("scenario_park_asleep");
    this.phase = this.#range("scenario_phase");
    this.seed = this.#range("scenario_seed");
  }

  #range(name: string): CodeRange {
    const symbol = this.symbols.find(name);
    if (symbol === null) {
      throw new UserError(`it has no symbol ${name}`, this.name, "build it with userland/lib/scenario.h");
    }
    const lo = Number(symbol.va & 0xffff_ffffn);
    return { lo, hi: Number(symbol.va >> 32n), endLo: lo + symbol.sizeBytes };
  }
}

/** @param lo, hi halves of an address, signed or not */
export function isInside(range: CodeRange, lo: number, hi: number): boolean {
  return hi >>> 0 === range.hi && lo >>> 0 >= range.lo && lo >>> 0 < range.endLo;
}
