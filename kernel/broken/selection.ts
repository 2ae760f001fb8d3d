/** From what the command line names to a fault design and the classes that a variant replaces. */
import { nearMiss, UserError } from "../../emu/user-error.ts";
import { DESIGNS, type DesignEntry } from "../mm/designs/index.ts";
import { MUTATIONS } from "./mutations.ts";
import type { BrokenVariant } from "./variant.ts";
import { BROKEN } from "./variants/index.ts";
import { WAITING } from "./waiting.ts";

/** Between the design and the variant. */
const SEPARATOR = "+";

export interface DesignSelection {
  readonly design: DesignEntry;
  /** null: the whole kernel. */
  readonly variant: BrokenVariant | null;
}

/**
 * `DESIGN`, `DESIGN+VARIANT`, or `DESIGN+CLASS.METHOD` for a mutation.
 * @param option how the user gave it, as in "--mm"
 * @param arch name of the machine's architecture; absent: not known yet
 * @throws UserError
 */
export function selectDesign(name: string, option: string, arch?: string): DesignSelection {
  const cut = name.indexOf(SEPARATOR);
  const designName = cut < 0 ? name : name.slice(0, cut);
  const where = `${option} ${name}`;
  const design = DESIGNS.find((each) => each.name === designName);
  if (design === undefined) {
    const names = DESIGNS.map((each) => each.name);
    const hint = nearMiss(designName, names, `choose from ${names.join(", ")}`);
    throw new UserError("there is no such fault design", where, hint);
  }
  if (cut < 0) return { design, variant: null };
  return { design, variant: selectVariant(name.slice(cut + 1), designName, where, arch) };
}

function selectVariant(id: string, design: string, where: string, arch: string | undefined): BrokenVariant {
  const variant = BROKEN.find((each) => each.id === id) ?? MUTATIONS.find((each) => each.id === id)?.variant;
  if (variant !== undefined) {
    if (!variant.designs.includes(design)) {
      throw new UserError(`breaks nothing in ${design}`, where, `it is for ${variant.designs.join(", ")}`);
    }
    if (arch !== undefined && variant.architectures?.includes(arch) === false) {
      throw new UserError(
        `breaks nothing on ${arch}`,
        where,
        `it is for ${variant.architectures.join(", ")}`,
      );
    }
    return variant;
  }
  const waiting = WAITING.find((each) => each.id === id);
  if (waiting !== undefined) {
    throw new UserError(`${id} is not there yet`, where, `it waits for ${waiting.waitsFor}`);
  }
  const names = BROKEN.filter((each) => each.designs.includes(design)).map((each) => each.id);
  const hint = nearMiss(id, names, `choose from ${names.join(", ")}`);
  throw new UserError("there is no such broken variant", where, hint);
}

/** What `faultline list broken` shows. */
export interface BrokenListing {
  readonly id: string;
  readonly title: string;
  readonly catalogue: string | null;
  readonly designs: readonly string[];
  readonly architectures: readonly string[] | null;
  readonly invariants: readonly string[];
  readonly needs: readonly string[];
  /** null: it can be chosen. */
  readonly waitsFor: string | null;
}

export function listBroken(): readonly BrokenListing[] {
  return [
    ...BROKEN.map(({ id, title, catalogue, designs, architectures, invariants, needs }) => ({
      id,
      title,
      catalogue,
      designs,
      architectures: architectures ?? null,
      invariants,
      needs,
      waitsFor: null,
    })),
    ...WAITING.map(({ id, title, catalogue, invariants, waitsFor }) => ({
      id,
      title,
      catalogue,
      designs: [],
      architectures: null,
      invariants,
      needs: [],
      waitsFor,
    })),
  ];
}
