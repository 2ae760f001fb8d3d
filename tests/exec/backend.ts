/** What runs a block: every backend that the case files and the random blocks go through. */
import {
  evaluate,
  type Machine,
  type Outcome,
  recordBits,
  writeRecordBits,
} from "../../emu/backends/reference/index.ts";
import { type Block, memAccess } from "../../emu/ir/index.ts";
import { copyScene, hex, PAGE_BYTES, type Page, type Scene, viewOf } from "./scene.ts";

/** Exclusives reservation granule. */
const GRANULE_BYTES = 64n;

export interface Ending {
  /** describe() of the outcome. */
  readonly outcome: string;
  /** After the run, condition bits materialised. */
  readonly scene: Scene;
}

export interface Backend {
  readonly name: string;
  run(block: Block, start: Scene): Ending;
  /** The part of describe()'s text that the backend's own outcome has. */
  sees(outcome: string): string;
}

/** An outcome as the case files write it. */
export function describe(outcome: Outcome): string {
  const { pc, retired } = outcome;
  const words = (): string => {
    switch (outcome.kind) {
      case "jump":
      case "indirect":
        return `${outcome.kind} ${hex(pc)} ${outcome.transfer}`;
      case "branch":
        return `branch ${hex(pc)} ${outcome.taken ? "taken" : "not-taken"}`;
      case "exit-if":
      case "fault":
        return `${outcome.kind} ${hex(pc)}`;
      case "trap":
        return `trap ${hex(pc)} ${outcome.trap}`;
      case "helper":
        return `helper ${hex(pc)} ${outcome.helper} ${hex(outcome.a)} ${hex(outcome.b)}`;
    }
  };
  return `${words()}, ${retired} retired`;
}

export const REFERENCE: Backend = {
  name: "reference",
  run(block, start) {
    const scene = copyScene(start);
    const machine = new SceneMachine(scene);
    const outcome = evaluate(block, machine);
    writeRecordBits(machine.state, recordBits(machine.state));
    return { outcome: describe(outcome), scene };
  },
  sees: (outcome) => outcome,
};

/** The reference's machine on a scene: an access needs every page it touches, and the permission, before it moves a byte. */
class SceneMachine implements Machine {
  readonly state: DataView;
  readonly #scene: Scene;
  /** Granule that the last exclusive load marked. */
  #monitor: bigint | null = null;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.state = viewOf(scene);
  }

  load(address: bigint, sizeBytes: number, attr: number): bigint | null {
    const bytes = this.#bytes(address, sizeBytes, attr, ["locked", "modify"].includes(memAccess(attr).order));
    if (bytes === null) return null;
    if (memAccess(attr).order === "exclusive") this.#monitor = address & -GRANULE_BYTES;
    return bytes.reduceRight((value, [page, offset]) => (value << 8n) | BigInt(page.bytes[offset]!), 0n);
  }

  store(address: bigint, sizeBytes: number, value: bigint, attr: number): "done" | "fault" | "refused" {
    const bytes = this.#bytes(address, sizeBytes, attr, true);
    if (bytes === null) return "fault";
    const held = this.#monitor === (address & -GRANULE_BYTES);
    if (memAccess(attr).order === "exclusive") {
      this.#monitor = null;
      if (!held) return "refused";
    }
    bytes.forEach(([page, offset], index) => {
      page.bytes[offset] = Number((value >> BigInt(8 * index)) & 0xffn);
    });
    return "done";
  }

  /** Where each byte of an access lies, or null if it faults. */
  #bytes(address: bigint, sizeBytes: number, attr: number, writes: boolean): [Page, number][] | null {
    const { alignment } = memAccess(attr);
    const unit = alignment === "pair" && sizeBytes < 16 ? 2 * sizeBytes : sizeBytes;
    if ((alignment === "natural" || alignment === "pair") && address % BigInt(unit) !== 0n) return null;
    const places: [Page, number][] = [];
    for (let index = 0n; index < sizeBytes; index++) {
      const at = BigInt.asUintN(64, address + index);
      const page = this.#scene.pages.get(at & ~(PAGE_BYTES - 1n));
      if (page === undefined || (writes && page.access === "read-only")) return null;
      places.push([page, Number(at % PAGE_BYTES)]);
    }
    return places;
  }
}
