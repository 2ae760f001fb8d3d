import { describe, expect, it } from "vitest";
import { faultsOf } from "./combination.ts";
import { Guest, type GuestEnd, type GuestOptions } from "./guest.ts";

const CLEAN: GuestEnd = {
  kind: "power-off",
  text: "",
  status: 0,
  stdout: "",
  stderr: "",
  messages: [],
  violations: [],
};

describe("what the matrix calls a clean run", () => {
  it("is one that ends by itself with the program's status and without a violation", () => {
    expect(faultsOf(CLEAN, 0)).toEqual([]);
    expect(faultsOf({ ...CLEAN, status: 139 }, 139)).toEqual([]);
  });

  it.each<[string, Partial<GuestEnd>]>([
    ["another status", { status: 1 }],
    ["a limit", { kind: "limit", status: 124 }],
    ["a limit with the right status", { kind: "limit" }],
    ["a panic", { kind: "panic", status: 125 }],
    ["a violation that the guest did not notice", { violations: ["ledger: leaf-reachable"] }],
  ])("is not one with %s", (_what, change) => {
    expect(faultsOf({ ...CLEAN, ...change }, 0)).not.toEqual([]);
  });

  it.each<[string, GuestOptions]>([
    ["a guest that checks its own results and fails", { program: "intloop", args: ["1"] }],
    ["a guest that never ends", { program: "spin", maxInstructions: 100_000 }],
  ])("is not that of %s", (_what, options) => {
    expect(faultsOf(new Guest(options).run(), 0)).not.toEqual([]);
  });
});
