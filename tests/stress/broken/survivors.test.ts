/** What is said of mutations that survive is said of mutations that there are. */
import { describe, expect, it } from "vitest";
import { MUTATIONS } from "../../../kernel/index.ts";
import { architecturesOf } from "./catch.ts";
import { explanationOf, SURVIVORS } from "./survivors.ts";

describe.each(SURVIVORS)("$id on $arch", ({ id, arch, why }) => {
  const mutation = MUTATIONS.find((each) => each.id === id);

  it("is a step that can be left out there", () => {
    expect(mutation).toBeDefined();
    if (arch !== undefined) expect(architecturesOf(mutation!.variant)).toContain(arch);
  });

  it("is explained there, and elsewhere only if it survives everywhere", () => {
    const archs = architecturesOf(mutation!.variant);
    const explained = archs.filter((each) => explanationOf({ id, arch: each }) === why);
    expect(explained).toEqual(arch === undefined ? archs : [arch]);
  });
});
