import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { TraceSink } from "../../emu/trace.ts";
import { Guest } from "../matrix/guest.ts";
import { sources } from "../style/sources.ts";

const README: string = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

/** The lines of a run's trace. */
function traceOf(seed: number, scheduler: "timed" | "random"): string[] {
  const lines: string[] = [];
  const sink: TraceSink = { event: (...event) => void lines.push(event.join(" ")) };
  expect(new Guest({ program: "cow", seed, scheduler, sink }).run().status).toBe(0);
  return lines;
}

it("the README says what the numbers of each traced event are", () => {
  const names = sources("emu", "kernel").flatMap(({ text }) =>
    [...text.matchAll(/\.trace\([^"()]*"([^"]+)"/g)].map(([, name]) => name!),
  );
  expect(names).toContain("trap");
  for (const name of names) expect(README).toContain(`| \`${name}\``);
});

it("a timed run with typical TLBs is the same with any seed, unless the guest draws numbers; a random one is not", () => {
  const first = traceOf(1, "timed");
  expect(first.length).toBeGreaterThan(100);
  expect(traceOf(2, "timed")).toEqual(first);
  expect(traceOf(2, "random")).not.toEqual(traceOf(1, "random"));
});
