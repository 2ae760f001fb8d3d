/** What a broken variant is: the whole kernel but for one method of one class. */
import { describe, expect, test } from "vitest";
import { Asids } from "../../../kernel/arch/arm64/asid.ts";
import { Arm64Tlb } from "../../../kernel/arch/arm64/tlb.ts";
import { X86Tlb } from "../../../kernel/arch/x86/tlb.ts";
import { BROKEN, MUTATIONS, type Overrides, selectDesign, WAITING } from "../../../kernel/broken/index.ts";
import { Classic, DESIGNS, SpfMm } from "../../../kernel/mm/designs/index.ts";
import { Gather } from "../../../kernel/mm/gather.ts";
import { MmSteps } from "../../../kernel/mm/mm-steps.ts";
import { TableBatches } from "../../../kernel/mm/table-batch.ts";

interface Replaced {
  readonly broken: { readonly prototype: object };
  readonly whole: { readonly prototype: object };
}

function replacedClasses(overrides: Overrides): Replaced[] {
  const { spfMm, design, gather, steps, tableBatches, x86Tlb, arm64Tlb, arm64Asids } = overrides;
  const found: Replaced[] = [];
  if (spfMm !== undefined) found.push({ broken: spfMm, whole: SpfMm });
  if (design !== undefined) found.push({ broken: design(Classic), whole: Classic });
  if (gather !== undefined) found.push({ broken: gather, whole: Gather });
  if (steps !== undefined) found.push({ broken: steps, whole: MmSteps });
  if (tableBatches !== undefined) found.push({ broken: tableBatches, whole: TableBatches });
  if (x86Tlb !== undefined) found.push({ broken: x86Tlb, whole: X86Tlb });
  if (arm64Tlb !== undefined) found.push({ broken: arm64Tlb, whole: Arm64Tlb });
  if (arm64Asids !== undefined) found.push({ broken: arm64Asids, whole: Asids });
  return found;
}

/** Methods that a variant has of its own: those that override one, and new ones that they call. */
function ownMethods(overrides: Overrides): { overridden: string[]; added: string[] } {
  const overridden: string[] = [];
  const added: string[] = [];
  for (const { broken, whole } of replacedClasses(overrides)) {
    expect(Object.getPrototypeOf(broken.prototype)).toBe(whole.prototype);
    for (const name of Object.getOwnPropertyNames(broken.prototype)) {
      if (name === "constructor") continue;
      (name in whole.prototype ? overridden : added).push(name);
    }
  }
  return { overridden, added };
}

/**
 * A step that goes to another place overrides where it was and where it is now; how tables are kept is a matter of who
 * walks them and who frees them.
 */
const SEVERAL: Readonly<Record<string, { overridden: string[]; added: string[] }>> = {
  A12: { overridden: ["walkBegin", "walkEnd", "queueTable"], added: [] },
  C15: { overridden: ["clearAndFlush", "setCopied"], added: [] },
  C22: { overridden: ["writeUnlock", "finishUnmap", "reset"], added: ["finishPutOff"] },
};

describe("a broken variant", () => {
  test.each(BROKEN.map((variant) => [variant.id, variant] as const))(
    "%s overrides one step",
    (id, variant) => {
      const own = ownMethods(variant.overrides);
      if (SEVERAL[id] !== undefined) expect(own).toEqual(SEVERAL[id]);
      else expect([own.overridden.length, own.added]).toEqual([1, []]);
    },
  );

  test("has a name of its own, a row or a name of the catalogue's kind, and designs that exist", () => {
    const ids = [...BROKEN, ...WAITING, ...MUTATIONS].map((each) => each.id);
    expect(new Set(ids).size).toBe(ids.length);
    const known = DESIGNS.map((design) => design.name);
    for (const variant of BROKEN) {
      expect(variant.catalogue === null || variant.id.startsWith(variant.catalogue)).toBe(true);
      expect(variant.designs.length).toBeGreaterThan(0);
      for (const design of variant.designs) expect(known).toContain(design);
      expect(variant.invariants.length).toBeGreaterThan(0);
    }
  });

  test("leaves the classes of the whole kernel as they are", () => {
    const { design, variant } = selectDesign("spf-mm", "--mm");
    expect([design.designClass, variant]).toEqual([SpfMm, null]);
    expect(new SpfMm().seq2).toBe(SpfMm.prototype.seq2);
  });
});

describe("a mutation", () => {
  test.each(MUTATIONS.map((each) => [each.id, each] as const))("%s replaces that method", (id, mutation) => {
    expect(ownMethods(mutation.variant.overrides)).toEqual({ overridden: [id.split(".")[1]], added: [] });
    expect(selectDesign(`spf-mm+${id}`, "--mm").variant).toBe(mutation.variant);
  });

  test("is of each kind", () => {
    const kinds = new Set(MUTATIONS.map((each) => each.kind));
    expect([...kinds].sort()).toEqual(["acknowledgement", "flush-before-free", "invalidation", "re-check"]);
  });
});

describe("a design is named with its variant", () => {
  test("DESIGN+VARIANT", () => {
    const { design, variant } = selectDesign("classic+C07", "--mm", "x86-64");
    expect([design.name, variant?.id]).toEqual(["classic", "C07"]);
  });

  test.each([
    ["foo", "--mm foo: there is no such fault design; choose from classic, spf-mm"],
    [
      "spf-mm+A06",
      "--mm spf-mm+A06: A06 is not there yet; it waits for weak memory: data accesses are sequentially consistent",
    ],
    ["classic+A01", "--mm classic+A01: breaks nothing in classic; it is for spf-mm"],
    [
      "classic+",
      "--mm classic+: there is no such broken variant; choose from no-pte-same, C01, C04, C07, C08, C09, C10, C11, C12, C13a, C13b, C13c, C13d, C14-ishst, C14-ish, C14-local, C15, C18, C22, C27, C28, early-ack",
    ],
  ])("%s: %s", (name, line) => {
    expect(() => selectDesign(name, "--mm")).toThrow(line);
  });

  test("a variant of one architecture is refused on another", () => {
    expect(() => selectDesign("classic+C12", "--mm", "aarch64")).toThrow(
      "--mm classic+C12: breaks nothing on aarch64; it is for x86-64",
    );
  });
});
