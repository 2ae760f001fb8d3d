/**
 * Guest machine code on the interpreter, with real traps around it: what only the whole shows. Encodings are those of
 * the SDM, vol. 2, written by hand.
 */
import { describe, expect, it } from "vitest";
import { Interpreter } from "../../../emu/backends/interpreter/index.ts";
import { undefinedMnemonic, x86Frontend } from "../../../emu/frontends/x86-64/index.ts";
import type { X86Core } from "../../../emu/traps/x86-64/index.ts";
import { SUSPENDED } from "../../../mmu/index.ts";
import {
  frame,
  KERNEL_CS,
  RAX,
  RBX,
  RCX,
  Rig,
  RSP,
  RSP0,
  register,
  rip,
  setRegister,
  setRip,
  USER_CS,
  USER_SS,
  vectorAt,
  wordsOf,
} from "./rig.ts";

const USER_CODE = 0x4_0000;
const KERNEL_CODE = 0x4_8000;
const HANDLERS = 0x8_0000;
const JMP_SELF = [0xeb, 0xfe];
/** One past the canonical addresses of the lower half. */
const TOP = 1n << 47n;
const RBP = 5;
/** RFLAGS: IF, and the same with AC. */
const FLAGS = 0x202;
const FLAGS_AC = 0x4_0202;

class Guest extends Rig {
  readonly engine: Interpreter;

  constructor() {
    super();
    this.engine = new Interpreter({ frontend: x86Frontend, ram: this.ram, cores: this.cores, verify: true });
    this.engine.cache.setKernelText((frame) => frame === 0x1ff);
    Object.assign(this.host, { engine: this.engine });
    for (let vector = 0; vector < 256; vector++) this.code(HANDLERS + vector * 16, ...JMP_SELF);
  }

  code(at: number, ...bytes: number[]): void {
    this.ram.store(at as Parameters<typeof this.ram.store>[0], Uint8Array.from(bytes));
  }

  /** Runs slices of at most `cycles` until the phase is no longer one of a running core, or PC is `stop`. */
  run(core: X86Core, stop: bigint, slices = 200): void {
    for (let i = 0; i < slices; i++) {
      if (core.phase !== "execute" && core.phase !== "microcode") return;
      if (core.phase === "execute" && rip(core) === stop) return;
      core.setLimits(core.clock + 1, core.clock + 1);
      core.run();
    }
    throw new Error(`the guest did not come to ${stop.toString(16)}: RIP ${rip(core).toString(16)}`);
  }

  at(privilege: "user" | "kernel", ...bytes: number[]): X86Core {
    const { core } = this;
    this.start(core, privilege);
    const code = privilege === "user" ? USER_CODE : KERNEL_CODE;
    this.code(code, ...bytes);
    setRip(core, BigInt(code));
    return core;
  }
}

describe("guest code", () => {
  it("CPUID, RDTSC and MOV from CR0 write their registers", () => {
    const guest = new Guest();
    // mov eax,0; cpuid; mov rcx,cr0; jmp .
    const core = guest.at("kernel", 0xb8, 0, 0, 0, 0, 0x0f, 0xa2, 0x0f, 0x20, 0xc1, ...JMP_SELF);
    guest.run(core, BigInt(KERNEL_CODE + 10));
    expect(register(core, RAX)).toBe(0x15n);
    expect(register(core, RCX)).toBe(0x8005_0033n);
  });

  it("a user program that faults, is resumed by IRETQ and goes on", () => {
    const guest = new Guest();
    guest.unmap(0x5_0000);
    // mov [0x50010],eax; jmp .
    const core = guest.at("user", 0x89, 0x04, 0x25, 0x10, 0x00, 0x05, 0x00, ...JMP_SELF);
    setRegister(core, RAX, 0x1234_5678n);
    // Handler: mov qword [0x4280],0x50007 (the PTE); add rsp,8; iretq
    guest.code(
      KERNEL_CODE,
      ...[0x48, 0xc7, 0x04, 0x25, 0x80, 0x42, 0x00, 0x00, 0x07, 0x00, 0x05, 0x00],
      ...[0x48, 0x83, 0xc4, 0x08, 0x48, 0xcf],
    );
    guest.gate(14, { target: BigInt(KERNEL_CODE) });
    guest.run(core, BigInt(USER_CODE + 7));
    expect(guest.ram.view.getUint32(0x5_0010, true)).toBe(0x1234_5678);
    expect(wordsOf(core).cpl()).toBe(3);
    expect(register(core, RSP)).toBe(0x3_0000n);
    // The store once (it faulted before), three of the handler, the jump.
    expect(core.retired).toBe(5);
  });

  it("INT3 and INT n save the next instruction, UD2 itself and is counted", () => {
    const guest = new Guest();
    guest.gate(3, { dpl: 3 });
    guest.gate(0x80, { dpl: 3 });
    for (const [bytes, vector, saved] of [
      [[0xcc], 3, 1],
      [[0xcd, 0x80], 0x80, 2],
      [[0x0f, 0x0b], 6, 0],
      [[0xf1], 1, 1],
    ] as const) {
      const core = guest.at("user", ...bytes);
      guest.run(core, BigInt(HANDLERS + vector * 16));
      expect(frame(guest, core, 1)[0]).toBe(BigInt(USER_CODE + saved));
    }
  });

  it("an unimplemented instruction is #UD and counted under its mnemonic", () => {
    const guest = new Guest();
    const core = guest.at("user", 0x0f, 0x58, 0xc1); // addps xmm0,xmm1
    guest.run(core, BigInt(HANDLERS + 6 * 16));
    const [[trap, count]] = [...core.undefinedCounts] as [[number, number]];
    expect(undefinedMnemonic(trap)).toBe("ADDPS");
    expect(count).toBe(1);
  });

  it("a division by zero is #DE with RF in the saved flags", () => {
    const guest = new Guest();
    const core = guest.at("user", 0x31, 0xc9, 0xf7, 0xf1); // xor ecx,ecx; div ecx
    guest.run(core, BigInt(HANDLERS));
    expect(frame(guest, core, 3)[0]).toBe(BigInt(USER_CODE + 2));
    expect(frame(guest, core, 3)[2]! & 0x1_0000n).toBe(0x1_0000n);
  });

  it("RF of an IRET's image is gone once the next instruction has been executed", () => {
    const guest = new Guest();
    // xor ecx,ecx; div ecx; nop; int3. The handler of #DE skips the division with RF set in the image.
    const core = guest.at("user", 0x31, 0xc9, 0xf7, 0xf1, 0x90, 0xcc);
    guest.code(KERNEL_CODE, 0x48, 0x83, 0x04, 0x24, 0x02, 0x48, 0xcf); // add qword [rsp],2; iretq
    guest.gate(0, { target: BigInt(KERNEL_CODE) });
    guest.gate(3, { dpl: 3 });
    guest.run(core, BigInt(HANDLERS + 3 * 16));
    const [rip, , rflags] = frame(guest, core, 3);
    expect(rip).toBe(BigInt(USER_CODE + 6));
    expect(rflags! & 0x1_0000n).toBe(0n);
  });

  it("SYSCALL and SYSRET go round", () => {
    const guest = new Guest();
    // syscall; mov ebx,7; jmp .
    const core = guest.at("user", 0x0f, 0x05, 0xbb, 7, 0, 0, 0, ...JMP_SELF);
    core.wrmsr(0xc000_0081, 0, (((USER_CS & ~3) - 16) << 16) | KERNEL_CS);
    core.wrmsr(0xc000_0082, KERNEL_CODE, 0);
    core.wrmsr(0xc000_0084, 0x200, 0);
    core.writeControls(0x8005_0033 | 0, 0xa0, 0x901);
    guest.code(KERNEL_CODE, 0x89, 0xc8, 0x48, 0x0f, 0x07); // mov eax,ecx; sysretq
    guest.run(core, BigInt(USER_CODE + 7));
    expect(register(core, RBX)).toBe(7n);
    expect(register(core, RAX)).toBe(BigInt(USER_CODE + 2));
    expect(core.readRflags() & 0x200).toBe(0x200);
    expect([wordsOf(core).selector("CS"), wordsOf(core).selector("SS")]).toEqual([USER_CS, USER_SS]);
  });

  it("a pending interrupt is taken one instruction after STI, not before", () => {
    const guest = new Guest();
    // sti; inc eax; inc eax; jmp .
    const core = guest.at("kernel", 0xfb, 0xff, 0xc0, 0xff, 0xc0, ...JMP_SELF);
    core.wrmsr(0x80f, 0x1ff, 0);
    core.wrmsr(0x83f, 0x40, 0);
    setRegister(core, RAX, 0n);
    core.setLimits(core.clock + 1000, core.clock + 1000);
    guest.run(core, BigInt(HANDLERS + 0x40 * 16));
    expect(register(core, RAX)).toBeGreaterThan(0n);
    expect(frame(guest, core, 1)[0]).not.toBe(BigInt(KERNEL_CODE + 1));
  });

  it("STI followed by CLI lets nothing in", () => {
    const guest = new Guest();
    const core = guest.at("kernel", 0xfb, 0xfa, ...JMP_SELF); // sti; cli; jmp .
    core.wrmsr(0x80f, 0x1ff, 0);
    core.wrmsr(0x83f, 0x40, 0);
    guest.run(core, BigInt(KERNEL_CODE + 2));
    expect(core.interruptsEnabled()).toBe(false);
    expect(guest.host.events.filter((event) => event.includes("trap"))).toEqual([]);
  });

  it("HLT sleeps and an interrupt wakes it at the next instruction", () => {
    const guest = new Guest();
    const core = guest.at("kernel", 0xfb, 0xf4, ...JMP_SELF); // sti; hlt; jmp .
    core.wrmsr(0x80f, 0x1ff, 0);
    core.wrmsr(0x832, 0x4_0050, 0);
    core.wrmsr(0x6e0, 50_000, 0);
    guest.run(core, 0n);
    expect(core.phase).toBe("halted");
    expect(core.readyTime()).toBe(50_000);
    core.clock = 50_000;
    core.setLimits(60_000, 60_000);
    core.run();
    expect(vectorAt(core)).toBe(0x50);
    expect(frame(guest, core, 1)[0]).toBe(BigInt(KERNEL_CODE + 2));
  });

  it("a stub in kernel text enters the kernel, elsewhere its encoding is UD2", () => {
    const guest = new Guest();
    guest.code(0x1f_f030, 0x0f, 0x0b);
    const core = guest.at("kernel", 0x90);
    setRip(core, 0x1f_f030n);
    guest.run(core, 0n);
    expect(core.phase).toBe("kernel");
    expect(guest.host.stubs).toEqual([3]);
    const other = guest.at("kernel", 0x0f, 0x0b);
    guest.run(other, BigInt(HANDLERS + 6 * 16));
  });

  it("an alignment check faults at CPL 3 only with CR0.AM and RFLAGS.AC", () => {
    const guest = new Guest();
    // pushfq; or dword [rsp],0x40000; popfq; mov eax,[0x40001]
    const core = guest.at(
      "user",
      ...[0x9c, 0x81, 0x0c, 0x24, 0, 0, 4, 0, 0x9d, 0x8b, 0x04, 0x25, 1, 0, 4, 0],
      ...JMP_SELF,
    );
    guest.run(core, BigInt(HANDLERS + 17 * 16));
    expect(frame(guest, core, 2)).toEqual([0n, BigInt(USER_CODE + 9)]);
    expect(core.alignmentChecked).toBe(false);
  });

  /** As an AMD processor of family 25 under Linux 6.18 answers; 4 levels, so addresses end at 2^47. */
  it.each([
    ["a load that begins below the canonical boundary and ends above it", [0x48, 0x8b, 0x03], TOP - 4n, 13],
    ["a store there", [0x48, 0x89, 0x03], TOP - 4n, 13],
    ["one through the stack segment", [0x48, 0x8b, 0x45, 0x00], TOP - 4n, 12],
    ["a load that ends at the boundary", [0x48, 0x8b, 0x03], TOP - 8n, 14],
    ["one byte below it", [0x8a, 0x03], TOP - 4n, 14],
    ["a load that begins above the boundary", [0x48, 0x8b, 0x03], TOP, 13],
    ["a load into the canonical upper half", [0x48, 0x8b, 0x03], -TOP - 4n, 13],
    ["a load at the end of the address space", [0x48, 0x8b, 0x03], -4n, 14],
    ["a load of which both pages are absent", [0x48, 0x8b, 0x03], TOP - 0x1004n, 14],
  ])("%s faults with the right vector", (_name, bytes, address, vector) => {
    // With alignment checks on, #AC comes after a missing address and before a missing page.
    const misaligned = bytes.length > 2 && (address & 7n) !== 0n;
    for (const [flags, expected] of [
      [FLAGS, vector],
      [FLAGS_AC, vector === 14 && misaligned ? 17 : vector],
    ] as const) {
      const guest = new Guest();
      const core = guest.at("user", ...bytes, ...JMP_SELF);
      core.writeRflags(flags);
      setRegister(core, RBX, address);
      setRegister(core, RBP, address);
      guest.run(core, BigInt(HANDLERS + expected * 16));
    }
  });

  it("stopped between any two memory accesses, a program ends in the same state", () => {
    const program = (guest: Guest): X86Core => {
      guest.gate(0x80, { dpl: 3 });
      guest.code(HANDLERS + 0x80 * 16, 0x48, 0xcf); // iretq
      // push rax; int 0x80; pop rbx; add [0x50000],rbx; movsx rcx,word [0x50fff]; jmp .
      const core = guest.at(
        "user",
        ...[0x50, 0xcd, 0x80, 0x5b, 0x48, 0x01, 0x1c, 0x25, 0x00, 0x00, 0x05, 0x00],
        ...[0x48, 0x0f, 0xbf, 0x0c, 0x25, 0xff, 0x0f, 0x05, 0x00],
        ...JMP_SELF,
      );
      setRegister(core, RAX, 0x1122_3344_5566_7788n);
      guest.code(0x5_0fff, 0x34, 0x92);
      return core;
    };
    const end = BigInt(USER_CODE + 21);
    const whole = new Guest();
    whole.run(program(whole), end);
    const stepped = new Guest();
    const core = program(stepped);
    core.budget.exploring = true;
    let stops = 0;
    while (core.phase !== "execute" || rip(core) !== end || stops === 0) {
      core.budget.left = 1;
      core.setLimits(core.clock + 1, core.clock + 1);
      core.run();
      if (++stops > 1000) throw new Error("no end");
      if (core.phase === "execute" && rip(core) === end) break;
    }
    expect(stops).toBeGreaterThan(30);
    expect(SUSPENDED).toBe(2);
    expect(register(core, RBX)).toBe(0x1122_3344_5566_7788n);
    expect(register(core, RCX)).toBe(0xffff_ffff_ffff_9234n);
    expect(core.gpr).toEqual(whole.core.gpr);
    expect(core.readRflags()).toBe(whole.core.readRflags());
    expect(stepped.read64(0x5_0000)).toBe(whole.read64(0x5_0000));
    expect(stepped.read64(RSP0 - 40)).toBe(whole.read64(RSP0 - 40));
  });
});
