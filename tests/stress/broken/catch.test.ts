/** Broken kernels that take few schedules; `npm run stress:broken` tries them all. */
import { describe, expect, it } from "vitest";
import { BROKEN } from "../../../kernel/index.ts";
import { catchVariant, scenariosOf } from "./catch.ts";

/** Caught within so many schedules. */
const QUICK = 100;
/** The rare ones among them: a core must switch away in a window of one to three steps. */
const RARE: Readonly<Record<string, number>> = { "A05-late": 300, C28: 150 };
const CHOSEN: readonly string[] = [
  "A04",
  "A05",
  "A05-late",
  "A07",
  "A12",
  "A14",
  "A17",
  "A31",
  "no-pte-same",
  "C01",
  "C04",
  "C07",
  "C08",
  "C09",
  "C12",
  "C13c",
  "C14-ishst",
  "C14-ish",
  "C14-local",
  "C15",
  "C18",
  "C22",
  "C28",
  "early-ack",
];

it("every broken variant has a scenario that is after it", () => {
  expect(BROKEN.filter((variant) => scenariosOf(variant).length === 0).map(({ id }) => id)).toEqual([]);
});

it("none is content with a kernel assertion, which the catalogue does not name", () => {
  expect(BROKEN.filter(({ invariants }) => invariants.includes("I15")).map(({ id }) => id)).toEqual([]);
});

describe.each(
  BROKEN.filter(({ id }) => CHOSEN.includes(id)).map((variant) => [variant.id, variant] as const),
)("%s", (_id, variant) => {
  it(`is caught as ${variant.invariants.join(" or ")}`, () => {
    const caught = catchVariant(variant, RARE[variant.id] ?? QUICK);
    expect(caught).toMatchObject({ invariant: expect.stringMatching(/^I\d+$/) });
    expect(caught.schedule!.decisions.segments.length).toBeLessThan(40);
  });
});
