import { expect, test } from "vitest";
import { fixupException } from "../../kernel/arch/x86/exceptions.ts";
import { pagefaultDisable, pagefaultEnable, type Work } from "../../kernel/context.ts";
import { EFAULT } from "../../kernel/errno.ts";
import {
  clearUser,
  cmpxchgUser32,
  copyFromUser,
  copyToUser,
  getUser32,
  getUser64,
  putUser32,
  putUser64,
  strncpyFromUser,
  strnlenUser,
} from "../../kernel/user-access.ts";
import type { FakeCpu } from "./support/fake-cpu.ts";
import { FakeMachine, type KernelCode } from "./support/fake-machine.ts";

const BASE = 0x1000_0000;

/** Pages at BASE: 0 mapped, 1 mapped on demand, 2 read-only, 3 not there. */
function machineWith(work: KernelCode): FakeMachine {
  const faults: string[] = [];
  const machine: FakeMachine = new FakeMachine({
    *pageFault(k, frame, lo): Work {
      if (k.point(10)) yield;
      expect(k.ram.read32(frame + 0x90) & (1 << 18)).not.toBe(0);
      expect((k.cpu as FakeCpu).rflags & (1 << 18)).toBe(0);
      const page = lo >>> 12;
      faults.push(page.toString(16));
      if (page === (BASE >>> 12) + 1 && k.pagefaultDisabled === 0) {
        machine.userPages.set(page, { pa: machine.take(4096, 4096), writable: true });
        return;
      }
      expect(fixupException(k, frame)).toBe(true);
    },
  });
  machine.userPages.set(BASE >>> 12, { pa: machine.take(4096, 4096), writable: true });
  machine.userPages.set((BASE >>> 12) + 2, { pa: machine.take(4096, 4096), writable: false });
  machine.runTasks([
    function* (k) {
      yield* work(k);
      expect((k.cpu as FakeCpu).rflags & (1 << 18)).toBe(0);
    },
  ]);
  expect(machine.kernel.reports).toEqual([]);
  return machine;
}

const text = (content: string): Uint8Array => new TextEncoder().encode(content);

test("copies cross pages, repair missing ones through the fault handler, and move every byte", () => {
  const sent = Uint8Array.from({ length: 300 }, (_, index) => index & 0xff);
  const got = new Uint8Array(300);
  machineWith(function* (k) {
    expect(yield* copyToUser(k, BASE + 4096 - 100, 0, sent)).toBe(0);
    expect(yield* copyFromUser(k, got, BASE + 4096 - 100, 0)).toBe(0);
  });
  expect(got).toEqual(sent);
});

test("a copy stops at what cannot be mapped and says how many bytes are missing", () => {
  machineWith(function* (k) {
    expect(yield* copyToUser(k, BASE + 0x1ff0, 0, new Uint8Array(48))).toBe(32);
    const bytes = new Uint8Array(48).fill(9);
    expect(yield* copyFromUser(k, bytes, BASE + 0x2ff0, 0)).toBe(32);
    expect([...bytes.subarray(14, 20)]).toEqual([0, 0, 0, 0, 0, 0]);
    expect(yield* clearUser(k, BASE + 0x2000, 0, 64)).toBe(64);
    expect(yield* clearUser(k, BASE + 8, 0, 64)).toBe(0);
  });
});

test("words are read and written, across pages too", () => {
  machineWith(function* (k) {
    expect(yield* putUser32(k, BASE + 4, 0, -5)).toBe(0);
    expect(yield* getUser32(k, BASE + 4, 0)).toBe(0);
    expect(k.userValue).toBe(-5);
    expect(yield* putUser64(k, BASE + 4092, 0, 0x1234_5678, 0x0bad_cafe)).toBe(0);
    expect(yield* getUser64(k, BASE + 4092, 0)).toBe(0);
    expect([k.userValue, k.userValueHi]).toEqual([0x1234_5678, 0x0bad_cafe]);
    expect(yield* putUser32(k, BASE + 0x2000, 0, 1)).toBe(-EFAULT);
    expect(yield* getUser32(k, BASE + 0x3000, 0)).toBe(-EFAULT);
  });
});

test("addresses of the kernel's half and past the end of user space are refused without an access", () => {
  machineWith(function* (k) {
    const before = (k.cpu as FakeCpu).setAcCalls.length;
    for (const [lo, hi] of [
      [0, 0xffff_8880 | 0],
      [0xffff_fff0 | 0, 0x7fff],
      [0, 0x8000],
    ] as const) {
      expect(yield* copyToUser(k, lo, hi, new Uint8Array(32))).toBe(32);
      expect(yield* getUser32(k, lo, hi)).toBe(-EFAULT);
    }
    expect((k.cpu as FakeCpu).setAcCalls).toHaveLength(before);
  });
});

test("with page faults disabled a fault goes straight to the fixup", () => {
  machineWith(function* (k) {
    pagefaultDisable(k);
    expect(yield* getUser32(k, BASE + 0x1000, 0)).toBe(-EFAULT);
    pagefaultEnable(k);
    expect(yield* getUser32(k, BASE + 0x1000, 0)).toBe(0);
  });
});

test("compare-and-exchange replaces the expected value only", () => {
  machineWith(function* (k) {
    yield* putUser32(k, BASE, 0, 3);
    expect(yield* cmpxchgUser32(k, BASE, 0, 4, 9)).toBe(0);
    expect(k.userValue).toBe(3);
    expect(yield* cmpxchgUser32(k, BASE, 0, 3, 9)).toBe(0);
    yield* getUser32(k, BASE, 0);
    expect(k.userValue).toBe(9);
    expect(yield* cmpxchgUser32(k, BASE + 0x2000, 0, 0, 9)).toBe(-EFAULT);
  });
});

test("strings: length, limit, faults", () => {
  machineWith(function* (k) {
    yield* copyToUser(k, BASE + 4090, 0, text("hello world\0rest"));
    const bytes = new Uint8Array(64);
    expect(yield* strncpyFromUser(k, bytes, BASE + 4090, 0)).toBe(11);
    expect(new TextDecoder().decode(bytes.subarray(0, 12))).toBe("hello world\0");
    expect(yield* strncpyFromUser(k, new Uint8Array(5), BASE + 4090, 0)).toBe(5);
    expect(yield* strncpyFromUser(k, bytes, BASE + 0x3000, 0)).toBe(-EFAULT);
    expect(yield* strnlenUser(k, BASE + 4090, 0, 100)).toBe(12);
    expect(yield* strnlenUser(k, BASE + 4090, 0, 5)).toBe(6);
    expect(yield* strnlenUser(k, BASE + 0x3000, 0, 5)).toBe(0);
  });
});
