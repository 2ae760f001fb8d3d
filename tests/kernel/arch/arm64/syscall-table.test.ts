import { expect, test } from "vitest";
import { arm64SyscallName, arm64SyscallNumber } from "../../../../kernel/arch/arm64/syscall-names.ts";
import { ARM64_SYSCALLS } from "../../../../kernel/arch/arm64/syscall-table.ts";
import { X86_SYSCALLS } from "../../../../kernel/arch/x86/syscall-table.ts";
import { fact, factsNamed } from "./support/facts.ts";

test.each(factsNamed("call "))("%s has the header's number", (name) => {
  expect(arm64SyscallNumber(name)).toBe(fact(`call ${name}`));
  expect(arm64SyscallName(fact(`call ${name}`))).toBe(name);
});

test("numbers that the headers do not know are named after 6.1, or not at all", () => {
  const known = new Set(factsNamed("call ").map((name) => fact(`call ${name}`)));
  const others = Array.from({ length: 500 }, (_, number) => number).filter((number) => !known.has(number));
  const named = others.filter((number) => !arm64SyscallName(number).startsWith("#"));
  expect(named).toEqual(Array.from({ length: 12 }, (_, index) => 451 + index));
  expect(arm64SyscallName(451)).toBe("cachestat");
  expect(arm64SyscallName(462)).toBe("mseal");
});

test("the table is in order, and every call in it exists", () => {
  const numbers = ARM64_SYSCALLS.map((entry) => entry.number);
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  expect(new Set(numbers).size).toBe(numbers.length);
  for (const entry of ARM64_SYSCALLS) expect(arm64SyscallName(entry.number)).toBe(entry.name);
});

test("what x86-64 has and arm64 has not is what the generic table replaced, and what belongs to x86", () => {
  const own = new Set(ARM64_SYSCALLS.map((entry) => entry.name));
  const missing = X86_SYSCALLS.map((entry) => entry.name).filter((name) => !own.has(name));
  expect(missing.sort()).toEqual([
    "arch_prctl",
    "dup2",
    "fork",
    "getpgrp",
    "open",
    "pause",
    "pkey_alloc",
    "pkey_free",
    "pkey_mprotect",
    "time",
    "vfork",
  ]);
});
