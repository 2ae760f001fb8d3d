import { describe, expect, it } from "vitest";
import { functionOf } from "../../../stress/story/call-site.ts";

const AT = "(file:///x/kernel/mm/zap.ts:12:3)";

describe("a frame of the host's stack", () => {
  it.each([
    [`    at zapTable ${AT}`, "zapTable"],
    [`    at X86Tlb.flushTlbFunc ${AT}`, "flushTlbFunc"],
    [`    at NoSecondCheck.pteMapLock ${AT}`, "pteMapLock"],
    // As a bundler renames what two modules define.
    [`    at munmap$1 ${AT}`, "munmap"],
    [`    at X86Tlb$2.flushRange ${AT}`, "flushRange"],
    [`    at async doFault ${AT}`, "doFault"],
    [`    at Memory.putPage [as drop] ${AT}`, "putPage"],
  ])("is the source's function: %s", (line, name) => {
    expect(functionOf(line)).toBe(name);
  });

  it.each([
    "Error",
    `    at zapTable.next ${AT}`,
    "    at Generator.next (<anonymous>)",
    `    at Object.sysMunmap [as handler] ${AT}`,
    `    at StoryRecorder.event ${AT}`,
    `    at Frames.#refill ${AT}`,
    `    at kernelFunction ${AT}`,
    "    at file:///x/kernel/mm/zap.ts:12:3",
  ])("is nobody's: %s", (line) => {
    expect(functionOf(line)).toBeNull();
  });
});
