import { expect, test } from "vitest";
import { Counters } from "../../kernel/counters.ts";
import { KernelLog, stamp } from "../../kernel/printk.ts";

test("time stamps look like those of dmesg", () => {
  expect(stamp(0)).toBe("[    0.000000]");
  expect(stamp(123)).toBe("[    0.000123]");
  expect(stamp(12_345_678)).toBe("[   12.345678]");
  expect(stamp(123_456_000_001)).toBe("[123456.000001]");
});

test("every line of a message gets the time, and old lines make room for new ones", () => {
  const written: string[] = [];
  const log = new KernelLog((bytes) => written.push(new TextDecoder().decode(bytes)));
  log.print(7, "one\ntwo");
  expect(written).toEqual(["[    0.000007] one\n", "[    0.000007] two\n"]);
  for (let line = 0; line < 5000; line++) log.print(line, `line ${line}`);
  expect(log.lines).toHaveLength(4096);
  expect(log.lines.at(-1)).toEqual({ timeUs: 4999, text: "line 4999" });
});

test("counters keep the order of their first use and survive saving", () => {
  const counters = new Counters();
  const faults = counters.register("pgfault");
  counters.count("SPF_ABORT");
  counters.add(faults, 3);
  expect(counters.register("pgfault")).toBe(faults);
  expect(counters.entries()).toEqual([
    ["pgfault", 3],
    ["SPF_ABORT", 1],
  ]);
  const saved = JSON.parse(JSON.stringify(counters.save()));
  counters.count("late");
  counters.restore(saved);
  expect([counters.get("pgfault"), counters.get("late"), counters.get("never")]).toEqual([3, 0, 0]);
});
