import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { faultline } from "./command.ts";
import {
  CAT,
  ENDLESS_WRITER,
  onDisk,
  PARENT_OF_HUNGRY,
  VECTOR,
  WRITER,
  WRITER_BYTES,
} from "./tiny-guests.ts";

describe("faultline run", () => {
  it("gives the guest's output and status, and nothing of its own", async () => {
    const { status, stdout, stderr } = await faultline(["run", "hello"]);
    expect([status, stdout, stderr]).toEqual([0, "hello, world\n", ""]);
  });

  it("hands everything after the program to the guest, options included", async () => {
    const words = ["run", "hello", "--cpus", "2", "--help", "-x", "007", "--", "--no-stat"];
    const { status, stdout, stderr } = await faultline(words);
    expect([status, stdout, stderr]).toEqual([0, "hello, --cpus 2 --help -x 007 -- --no-stat\n", ""]);
  });

  it("takes its own options before the program, and `--` in front of it", async () => {
    const { status, stdout } = await faultline(["run", "--cpus=2", "--mm", "spf-mm", "--", "hello", "a"]);
    expect([status, stdout]).toEqual([0, "hello, a\n"]);
  });

  it("runs a program by path, without its default arguments", async () => {
    const path = join(import.meta.dirname, "../../userland/bin/x86-64/hello");
    expect((await faultline(["run", path])).stdout).toBe("hello, world\n");
  });

  it("keeps the guest's standard output and standard error apart, and its status", async () => {
    const { status, stdout, stderr } = await faultline(["run", "hello", "x"]);
    expect([status, stdout, stderr]).toEqual([0, "hello, x\n", ""]);
    const wrong = await faultline(["run", "intloop", "nonsense"]);
    expect(wrong.status).toBe(2);
    expect(wrong.stdout).toBe("");
    expect(wrong.stderr).toBe('intloop: argument 1 (log2 size) is "nonsense", not a number from 10 to 24\n');
  });

  it("ends with 139 and a readable kernel message when the guest dies of a wild pointer", async () => {
    const { status, stdout, stderr } = await faultline(["run", "wild"]);
    expect(status).toBe(139);
    expect(stdout).toBe("wild: about to write to 0xdead0000\n");
    expect(stderr).toMatch(
      /^\[ +\d+\.\d{6}\] wild\[\d+\]: segfault at dead0000 ip [0-9a-f]{16} sp [0-9a-f]{16} error 6/m,
    );
    expect(stderr).toMatch(/Code: (?:[0-9a-f]{2} )+<[0-9a-f]{2}>/);
  });

  it("prints counts to standard error with --stat", async () => {
    const { status, stdout, stderr } = await faultline(["run", "--stat", "hello"]);
    expect([status, stdout]).toEqual([0, "hello, world\n"]);
    expect(stderr).toMatch(/ Performance counter stats for 'hello':\n/);
    expect(stderr).toMatch(/^ +[\d,]+ {6}instructions$/m);
    expect(stderr).toMatch(/^ +[\d,]+ {6}pgfault$/m);
    expect(stderr).toMatch(/^ +\d+\.\d{9} seconds of virtual time$/m);
  });

  it("prints the counts as JSON with --stat --json", async () => {
    const { stdout, stderr } = await faultline(["run", "--stat", "--json", "hello", "--json"]);
    expect(stdout).toBe("hello, --json\n");
    expect(JSON.parse(stderr)).toMatchObject({ ledgerViolations: null, kernelAssertions: 0 });
    expect(JSON.parse(stderr).counters.pgfault).toBeGreaterThan(0);
  });

  it("kills a guest that executes what is not implemented, and counts it by mnemonic", async () => {
    const { status, stderr } = await faultline(["run", "--stat", onDisk(VECTOR, "vector")]);
    expect(status).toBe(132);
    expect(stderr).toMatch(/trap invalid opcode ip/);
    expect(stderr).toMatch(/^ +1 {6}undefined instruction: ADDPS$/m);
  });

  it("reads the guest's standard input from its own", async () => {
    const { status, stdout } = await faultline(["run", onDisk(CAT, "cat")], {
      input: "one\ntwo\n".repeat(3000),
    });
    expect(status).toBe(0);
    expect(stdout).toBe("one\ntwo\n".repeat(3000));
  });

  it("loses no output, however much there is", async () => {
    const { status, stdoutBytes } = await faultline(["run", onDisk(WRITER, "writer")]);
    expect(status).toBe(7);
    expect(stdoutBytes).toBe(WRITER_BYTES);
  });
});

describe("limits", () => {
  it("stop a guest that loops for ever by instructions, with 124", async () => {
    const { status, stdout, stderr } = await faultline(["run", "--max-instructions", "3000000", "spin"]);
    expect(status).toBe(124);
    expect(stdout).toBe("spin: looping for ever\n");
    expect(stderr).toMatch(/^faultline: stopped: 3000000 instructions were executed; .*\n$/);
  });

  it("stop it by host time, with 124", async () => {
    const { status, stderr } = await faultline(["run", "--timeout", "0.5", "spin"]);
    expect(status).toBe(124);
    expect(stderr).toMatch(/^faultline: stopped: it ran for 0.5 seconds of host time; .*\n$/);
  });

  it("kill a guest that takes all memory: status 137 and the kernel's report", async () => {
    const { status, stdout, stderr } = await faultline(["run", "--mem", "32M", "oom"]);
    expect(status).toBe(137);
    expect(stdout).toBe("oom: taking all memory\n");
    expect(stderr).toMatch(/oom invoked oom-killer/);
    expect(stderr).toMatch(/Out of memory: Killed process \d+ \(oom\)/);
  });

  it("leave the machine alive when the kernel kills one process for memory: its parent goes on", async () => {
    const { status, stderr } = await faultline(["run", "--mem", "32M", onDisk(PARENT_OF_HUNGRY, "parent")]);
    expect(stderr).toMatch(/Out of memory: Killed process \d+ \(parent\)/);
    expect(status).toBe(9);
  });
});

describe("the host's side of a run", () => {
  it("ends quietly when nobody reads the output any more", async () => {
    const path = onDisk(ENDLESS_WRITER, "writer");
    const { status, signal, stderr } = await faultline(["run", path], {
      onOutput: (child) => child.stdout!.destroy(),
    });
    expect([status, signal, stderr]).toEqual([141, null, ""]);
  });

  it("stops at SIGINT with 130 and keeps the trace that it had", async () => {
    const trace = onDisk(new Uint8Array(0), "trace");
    const { status, stderr } = await faultline(["run", "--trace", trace, "spin"], {
      onOutput: (child) => child.kill("SIGINT"),
    });
    expect(status).toBe(130);
    expect(stderr).toBe("faultline: interrupted\n");
    const lines = readFileSync(trace, "utf8").trimEnd().split("\n");
    expect(lines.length).toBeGreaterThan(10);
    for (const line of lines) expect(Object.keys(JSON.parse(line))).toContain("event");
  });

  const FULL =
    "faultline: --trace /dev/full: cannot be written (ENOSPC), so the trace is incomplete; give it a place with room\n";

  it("goes on without its trace when the disk is full, says so and fails", async () => {
    const { status, stdout, stderr } = await faultline(["run", "--trace", "/dev/full", "hello"]);
    expect([status, stdout, stderr]).toEqual([2, "hello, world\n", FULL]);
  });

  it("keeps a guest's own failure when the trace is lost too", async () => {
    const { status, stderr } = await faultline(["run", "--trace", "/dev/full", "wild"]);
    expect(status).toBe(139);
    expect(stderr).toContain(FULL);
  });
});
