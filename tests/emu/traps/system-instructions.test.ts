/** System instructions as helpers of the core: privilege, operands and faults of the SDM, vol. 2. */
import { describe, expect, it } from "vitest";
import { SYSTEM_HELPERS as H } from "../../../emu/frontends/x86-64/system-helpers.ts";
import { ROWS } from "../../../emu/frontends/x86-64/table/index.ts";
import { gapMnemonics } from "../../../emu/frontends/x86-64/traps.ts";
import { FEATURES, X86_DEFAULT_PROFILE, type X86Core } from "../../../emu/traps/x86-64/index.ts";
import {
  CODE_32,
  CODE_ABSENT,
  CONFORMING_CS,
  CR0_ON,
  DATA_ABSENT,
  DATA_READ_ONLY,
  finish,
  frame,
  GDT,
  GDT_LIMIT,
  KERNEL_CS,
  KERNEL_SS,
  LDT_SELECTOR,
  RAX,
  RBX,
  RCX,
  RDX,
  Rig,
  RSP,
  register,
  rip,
  SYSTEM_HOLE,
  setRegister,
  TSS,
  TSS_SELECTOR,
  USER_CS,
  USER_SS,
  vectorAt,
  wordsOf,
} from "./rig.ts";

const BASE = 0x10_0000;

function rigAt(privilege: "user" | "kernel"): Rig {
  const rig = new Rig();
  rig.start(rig.core, privilege);
  return rig;
}

/** Runs a helper at a two-byte instruction; the exception it raised as [vector, error code], or null. */
function run(rig: Rig, helper: number, a = 0n, b = 0n): [number, number] | null {
  const { core } = rig;
  const at = core.readPcLo();
  const half = (value: bigint): [number, number] => [
    Number(BigInt.asIntN(32, value)),
    Number(BigInt.asIntN(32, value >> 32n)),
  ];
  core.setKernelPc(at + 2, 0);
  const [aLo, aHi] = half(a);
  const [bLo, bHi] = half(b);
  core.helper(helper, aLo, aHi, bLo, bHi, at, 0);
  finish(core);
  if (core.readPcLo() === at + 2) return null;
  const vector = vectorAt(core);
  if (vector < 0 || vector > 255) return null;
  const withError = [8, 10, 11, 12, 13, 14, 17].includes(vector);
  const image = frame(rig, core, 6);
  expect(image[withError ? 1 : 0]).toBe(BigInt(at));
  return [vector, withError ? Number(image[0]) : 0];
}

describe("privilege", () => {
  it.each([
    "HLT",
    "RDMSR",
    "WRMSR",
    "WRITE_CR",
    "READ_DR",
    "WRITE_DR",
    "LGDT",
    "LIDT",
    "LLDT",
    "LTR",
    "LMSW",
    "INVLPG",
    "INVPCID",
    "SYSRET",
  ] as const)("%s at CPL 3 is #GP(0)", (name) => {
    expect(run(rigAt("user"), H[name], 64n)).toEqual([13, 0]);
  });

  it("a kernel-text stub at CPL 3 is #UD", () => {
    expect(run(rigAt("user"), H.KERNEL_ENTER)).toEqual([6, 0]);
  });

  it("a kernel-text stub at CPL 0 enters the kernel with its number", () => {
    const rig = rigAt("kernel");
    rig.core.helper(H.KERNEL_ENTER, 0, 0, 0, 0, 0x1f_f050, 0);
    expect(rig.host.stubs).toEqual([5]);
    expect(rig.core.phase).toBe("kernel");
  });

  it("RDTSC at CPL 3 obeys CR4.TSD", () => {
    const rig = rigAt("user");
    rig.core.clock = 0x1_2345_6789;
    expect(run(rig, H.RDTSC)).toBeNull();
    expect([register(rig.core, RAX), register(rig.core, RDX)]).toEqual([0x2345_6789n, 1n]);
    rig.core.writeControls(CR0_ON | 0, 0xa4, 0x901);
    expect(run(rig, H.RDTSC)).toEqual([13, 0]);
  });

  it("RDTSCP gives IA32_TSC_AUX, RDPMC always faults", () => {
    const rig = rigAt("kernel");
    rig.core.wrmsr(0xc000_0103, 0x1234, 0);
    expect(run(rig, H.RDTSCP)).toBeNull();
    expect(register(rig.core, RCX)).toBe(0x1234n);
    expect(run(rig, H.RDPMC)).toEqual([13, 0]);
  });
});

describe("control registers", () => {
  it.each<[string, number, bigint]>([
    ["CR0 with a high half", 0, 1n << 32n],
    ["CR0 with PG and without PE", 0, 0x8000_0000n],
    ["CR0 with NW and without CD", 0, 0xa005_0033n],
    ["CR0 without PG while in long mode", 0, 0x5_0033n],
    ["CR3 above the physical address width", 3, 1n << 47n],
    ["CR3 with the no-flush bit and PCIDE clear", 3, 1n << 63n],
    ["CR4 without PAE in long mode", 4, 0x80n],
    ["CR4 with a reserved bit", 4, 0x8000_00a0n],
    ["CR4 with OSFXSR, as there is no FXSAVE", 4, 0x2a0n],
    ["CR4 with VMXE", 4, 0x20a0n],
    ["CR4.LA57 changed under paging", 4, 0x10a0n],
    ["CR8 above 15", 8, 16n],
  ])("%s is #GP(0)", (_name, number, value) => {
    expect(run(rigAt("kernel"), H.WRITE_CR, value, BigInt(number))).toEqual([13, 0]);
  });

  it("CR4.PCIDE needs CR3[11:0] = 0", () => {
    const rig = rigAt("kernel");
    expect(run(rig, H.WRITE_CR, 0x1008n, 3n)).toBeNull();
    expect(run(rig, H.WRITE_CR, 0x2_00a0n, 4n)).toEqual([13, 0]);
    rig.start(rig.core, "kernel");
    expect(run(rig, H.WRITE_CR, 0x1000n, 3n)).toBeNull();
    expect(run(rig, H.WRITE_CR, 0x2_00a0n, 4n)).toBeNull();
    expect(run(rig, H.WRITE_CR, (1n << 63n) | 0x1005n, 3n)).toBeNull();
    expect([rig.core.cr3Lo, rig.core.cr3Hi]).toEqual([0x1005, 0]);
  });

  it("CR1, CR5 and the like are #UD", () => {
    expect(run(rigAt("kernel"), H.WRITE_CR, 0n, 5n)).toEqual([6, 0]);
  });

  it("LMSW sets PE and replaces MP, EM and TS", () => {
    const rig = rigAt("kernel");
    expect(run(rig, H.LMSW, 0xfff8n)).toBeNull();
    expect(rig.core.state[264 >> 2]).toBe((CR0_ON | 0x8) & ~0x6);
  });
});

describe("model-specific registers", () => {
  const rdmsr = (rig: Rig, number: number): [number, number] | null => {
    setRegister(rig.core, RCX, BigInt(number));
    return run(rig, H.RDMSR);
  };
  const wrmsr = (rig: Rig, number: number, value: bigint): [number, number] | null => {
    setRegister(rig.core, RCX, BigInt(number));
    setRegister(rig.core, RAX, value & 0xffff_ffffn);
    setRegister(rig.core, RDX, value >> 32n);
    return run(rig, H.WRMSR);
  };

  it.each<[string, number, bigint]>([
    ["LSTAR", 0xc000_0082, 0xffff_ffff_8000_0000n],
    ["FS_BASE", 0xc000_0100, 0x7fff_ffff_f123n],
    ["KERNEL_GS_BASE", 0xc000_0102, 0xffff_8880_0000_0000n],
    ["STAR", 0xc000_0081, 0x1234_5678_9abc_def0n],
    ["FMASK", 0xc000_0084, 0x4_7700n],
    ["PAT", 0x277, 0x0007_0605_0401_0006n],
    ["TSC_AUX", 0xc000_0103, 0x55n],
  ])("%s keeps what is written", (_name, number, value) => {
    const rig = rigAt("kernel");
    expect(wrmsr(rig, number, value)).toBeNull();
    setRegister(rig.core, RAX, ~0n & 0xffff_ffff_ffff_ffffn);
    expect(rdmsr(rig, number)).toBeNull();
    expect((register(rig.core, RDX) << 32n) | register(rig.core, RAX)).toBe(value);
  });

  it.each<[string, number, bigint]>([
    ["LSTAR, not canonical", 0xc000_0082, 1n << 47n],
    ["GS_BASE, not canonical", 0xc000_0101, 1n << 60n],
    ["EFER with SVME", 0xc000_0080, 0x1d01n],
    ["EFER without LME under paging", 0xc000_0080, 0x801n],
    ["PAT with a reserved type", 0x277, 2n],
    ["ARCH_CAPABILITIES, read-only", 0x10a, 0n],
    ["an unknown register", 0x1234, 0n],
  ])("writing %s is #GP(0)", (_name, number, value) => {
    expect(wrmsr(rigAt("kernel"), number, value)).toEqual([13, 0]);
  });

  it("unknown registers are counted", () => {
    const rig = rigAt("kernel");
    expect(rdmsr(rig, 0x1234)).toEqual([13, 0]);
    rig.start(rig.core, "kernel");
    expect(wrmsr(rig, 0xc001_0015, 0n)).toEqual([13, 0]);
    expect([...rig.core.unknownMsrCounts]).toEqual([
      [0x1234, 1],
      [0xc001_0015, 1],
    ]);
  });

  it("IA32_TSC_ADJUST and the counter move together", () => {
    const rig = rigAt("kernel");
    rig.core.clock = 1000;
    rig.core.wrmsr(0x3b, -1, -1);
    const before = rig.core.clock;
    expect(rig.core.rdmsrLo(0x10)).toBe(before - 1);
    rig.core.wrmsr(0x10, 0, 1);
    expect(rig.core.rdmsrHi(0x10)).toBe(1);
    expect(rig.core.rdmsrLo(0x10)).toBe(0);
  });
});

describe("segments", () => {
  const load = (rig: Rig, segment: number, selector: number): [number, number] | null =>
    run(rig, H.LOAD_SEGMENT, BigInt(segment), BigInt(selector));

  it.each<[string, "user" | "kernel", number, number, [number, number] | null]>([
    ["DS with a null selector", "user", 3, 3, null],
    ["SS with a null selector at CPL 0", "kernel", 2, 0, null],
    ["SS with a null selector at CPL 3", "user", 2, 3, [13, 0]],
    ["SS with a null selector of another RPL", "kernel", 2, 1, [13, 0]],
    ["DS past the GDT", "kernel", 3, GDT_LIMIT + 1, [13, GDT_LIMIT + 1]],
    ["DS with a system descriptor", "kernel", 3, SYSTEM_HOLE, [13, SYSTEM_HOLE]],
    ["DS more privileged than CPL", "user", 3, KERNEL_SS, [13, KERNEL_SS]],
    ["DS with a readable conforming code segment", "user", 3, CONFORMING_CS, null],
    ["DS, absent", "user", 3, DATA_ABSENT | 3, [11, DATA_ABSENT]],
    ["DS, absent code", "kernel", 3, CODE_ABSENT, [11, CODE_ABSENT]],
    ["SS, read-only", "kernel", 2, DATA_READ_ONLY, [13, DATA_READ_ONLY]],
    ["SS with another RPL than CPL", "kernel", 2, USER_SS, [13, USER_SS & ~3]],
    ["SS, absent", "user", 2, DATA_ABSENT | 3, [12, DATA_ABSENT]],
    ["SS, of the right privilege", "user", 2, USER_SS, null],
  ])("loading %s", (_name, privilege, segment, selector, result) => {
    const rig = rigAt(privilege);
    expect(load(rig, segment, selector)).toEqual(result);
    if (result === null) {
      expect(rig.core.state[(232 >> 2) + segment]).toBe(selector);
    }
  });

  it("FS and GS take the descriptor's base, and 0 of a null selector", () => {
    const rig = rigAt("kernel");
    rig.write64(GDT + DATA_READ_ONLY, 0x89cf_9145_1234_ffffn);
    expect(load(rig, 4, DATA_READ_ONLY)).toBeNull();
    expect(rig.core.rdmsrLo(0xc000_0100) >>> 0).toBe(0x8945_1234);
    expect(rig.core.rdmsrHi(0xc000_0100)).toBe(0);
    expect(load(rig, 4, 0)).toBeNull();
    expect(rig.core.rdmsrLo(0xc000_0100)).toBe(0);
  });

  it("POP FS moves RSP only on success", () => {
    const rig = rigAt("user");
    const before = register(rig.core, RSP);
    expect(run(rig, H.POP_SEGMENT, BigInt(4 | (8 << 8)), BigInt(USER_SS))).toBeNull();
    expect(register(rig.core, RSP)).toBe(before + 8n);
    expect(run(rig, H.POP_SEGMENT, BigInt(4 | (8 << 8)), BigInt(KERNEL_SS))).toEqual([13, KERNEL_SS]);
    expect(frame(rig, rig.core)[4]).toBe(before + 8n);
  });

  it("LTR needs an available TSS and makes it busy", () => {
    const rig = rigAt("kernel");
    expect(run(rig, H.LTR, BigInt(TSS_SELECTOR))).toEqual([13, TSS_SELECTOR]);
    rig.ram.u8[GDT + TSS_SELECTOR + 5] = 0x89;
    rig.start(rig.core, "kernel");
    expect(run(rig, H.LTR, BigInt(TSS_SELECTOR))).toBeNull();
    expect(rig.ram.u8[GDT + TSS_SELECTOR + 5]).toBe(0x8b);
    expect(rig.core.state[408 >> 2]).toBe(TSS);
    expect(run(rig, H.LTR, 0n)).toEqual([13, 0]);
    rig.start(rig.core, "kernel");
    expect(run(rig, H.LTR, BigInt(TSS_SELECTOR | 4))).toEqual([13, TSS_SELECTOR | 4]);
  });

  it("LLDT loads a table that selectors with TI name", () => {
    const rig = rigAt("kernel");
    expect(run(rig, H.LLDT, BigInt(LDT_SELECTOR))).toBeNull();
    rig.write64(0xa008, rig.read64(GDT + KERNEL_SS));
    expect(load(rig, 3, 0xc)).toBeNull();
    expect(load(rig, 3, 0x1c)).toEqual([13, 0x1c]);
    rig.start(rig.core, "kernel");
    expect(run(rig, H.LLDT, 0n)).toBeNull();
    expect(load(rig, 3, 0xc)).toEqual([13, 0xc]);
  });

  it.each<["LAR" | "LSL" | "VERR" | "VERW", "user" | "kernel", number, bigint | boolean]>([
    ["LAR", "kernel", KERNEL_CS, 0xaf_9b00n & 0xf0_ff00n],
    ["LAR", "user", KERNEL_CS, false],
    ["LAR", "user", CONFORMING_CS | 3, 0xa0_9f00n],
    ["LAR", "kernel", TSS_SELECTOR, 0x8b00n],
    ["LAR", "kernel", SYSTEM_HOLE, false],
    ["LAR", "kernel", 0, false],
    ["LSL", "kernel", TSS_SELECTOR, 0x67n],
    ["LSL", "kernel", KERNEL_CS, 0xf_ffffn],
    ["LSL", "kernel", KERNEL_SS, 0xffff_ffffn],
    ["VERR", "user", USER_SS, true],
    ["VERR", "user", KERNEL_SS, false],
    ["VERR", "user", CONFORMING_CS, true],
    ["VERW", "user", USER_SS, true],
    ["VERW", "kernel", DATA_READ_ONLY, false],
    ["VERW", "kernel", KERNEL_CS, false],
  ])("%s at CPL %s of selector %i", (name, privilege, selector, result) => {
    const rig = rigAt(privilege);
    rig.descriptor(KERNEL_CS, 0x9b, 0x2 | (privilege === "kernel" && result === 0xf_ffffn ? 0 : 8));
    setRegister(rig.core, RBX, 0x1234n);
    expect(run(rig, H[name], BigInt(selector), BigInt(RBX | (32 << 8)))).toBeNull();
    const zf = (rig.core.readRflags() & 0x40) !== 0;
    expect(zf).toBe(result !== false);
    if (typeof result === "bigint") expect(register(rig.core, RBX)).toBe(result);
    else expect(register(rig.core, RBX)).toBe(0x1234n);
  });

  it.each<[string, "user" | "kernel", number, bigint, [number, number] | null]>([
    ["the same privilege", "kernel", KERNEL_CS, 0x20_0000n, null],
    ["a conforming segment from CPL 3", "user", CONFORMING_CS, 0x20_0000n, null],
    ["a null selector", "kernel", 0, 0n, [13, 0]],
    ["a 32-bit segment", "kernel", CODE_32, 0n, [13, CODE_32]],
    ["a more privileged segment", "user", KERNEL_CS, 0n, [13, KERNEL_CS]],
    ["a less privileged segment", "kernel", USER_CS, 0n, [13, USER_CS & ~3]],
    ["an absent segment", "kernel", CODE_ABSENT, 0n, [11, CODE_ABSENT]],
    ["a TSS", "kernel", TSS_SELECTOR, 0n, [13, TSS_SELECTOR]],
    ["a non-canonical offset", "kernel", KERNEL_CS, 1n << 47n, [13, 0]],
  ])("a far jump to %s", (_name, privilege, selector, offset, result) => {
    const rig = rigAt(privilege);
    expect(run(rig, H.FAR_JUMP, BigInt(selector), offset)).toEqual(result);
    if (result === null) {
      expect(rip(rig.core)).toBe(offset);
      expect(wordsOf(rig.core).selector("CS")).toBe((selector & ~3) | (privilege === "user" ? 3 : 0));
    }
  });

  it("a far call pushes CS and the return address", () => {
    const rig = rigAt("kernel");
    const top = register(rig.core, RSP);
    expect(run(rig, H.FAR_CALL, BigInt(KERNEL_CS | (64 << 16)), 0x20_0000n)).toBeNull();
    expect(register(rig.core, RSP)).toBe(top - 16n);
    expect(frame(rig, rig.core, 2)).toEqual([BigInt(BASE + 2), BigInt(KERNEL_CS)]);
  });
});

describe("invalidations and bases", () => {
  it("INVPCID with a PCID needs CR4.PCIDE", () => {
    const rig = rigAt("kernel");
    expect(run(rig, H.INVPCID, 0x5000n, 0x2000n)).toBeNull();
    expect(run(rig, H.INVPCID, 0x5000n, 0x0005n)).toEqual([13, 0]);
  });

  it("WRFSBASE of a non-canonical address is #GP(0)", () => {
    const rig = rigAt("user");
    expect(run(rig, H.WRITE_BASE, 0x7fff_1234_5678n, 4n)).toBeNull();
    expect(rig.core.rdmsrLo(0xc000_0100)).toBe(0x1234_5678);
    expect(run(rig, H.WRITE_BASE, 1n << 47n, 5n)).toEqual([13, 0]);
  });

  it("LGDT and LIDT of a non-canonical base are #GP(0)", () => {
    expect(run(rigAt("kernel"), H.LGDT, 0xfffn, 1n << 47n)).toEqual([13, 0]);
    expect(run(rigAt("kernel"), H.LIDT, 0xfffn, 1n << 47n)).toEqual([13, 0]);
  });
});

describe("ports", () => {
  it("a port that nothing claims reads as ones", () => {
    const rig = rigAt("kernel");
    setRegister(rig.core, RAX, 0x1122_3344_5566_7788n);
    expect(run(rig, H.IN, 0x60n, 8n)).toBeNull();
    expect(register(rig.core, RAX)).toBe(0x1122_3344_5566_77ffn);
    expect(run(rig, H.IN, 0x60n, 32n)).toBeNull();
    expect(register(rig.core, RAX)).toBe(0xffff_ffffn);
    expect(run(rig, H.OUT, BigInt(0x80 | (8 << 16)), 1n)).toBeNull();
  });

  it("CPL 3 needs IOPL 3 or clear bits in the TSS's permission map", () => {
    const rig = rigAt("user");
    rig.ram.view.setUint16(TSS + 0x66, 0x68, true);
    expect(run(rig, H.IN, 0x60n, 8n)).toEqual([13, 0]);
    rig.start(rig.core, "user");
    rig.core.writeRflags(0x3202);
    expect(run(rig, H.IN, 0x60n, 8n)).toBeNull();
    rig.core.writeRflags(0x202);
    rig.core.state[(408 + 8) >> 2] = 0x67 + 16;
    rig.ram.u8.fill(0xff, TSS + 0x68, TSS + 0x78);
    rig.ram.u8[TSS + 0x68 + (0x60 >> 3)] = 0b1111_1100;
    expect(run(rig, H.IN, 0x60n, 16n)).toBeNull();
    expect(run(rig, H.IN, 0x61n, 16n)).toEqual([13, 0]);
    rig.start(rig.core, "user");
    expect(run(rig, H.IN, 0x3f8n, 8n)).toEqual([13, 0]);
  });

  it("REP INS fills memory one iteration at a time", () => {
    const rig = rigAt("kernel");
    setRegister(rig.core, 7, 0x1_0000n);
    setRegister(rig.core, RCX, 3n);
    const at = rip(rig.core);
    let iterations = 0;
    do {
      rig.core.setKernelPc(Number(at) + 2, 0);
      rig.core.helper(H.STRING_IO, 16 | (64 << 16), 0, 1, 0, Number(at), 0);
      finish(rig.core);
      iterations++;
    } while (rip(rig.core) === at);
    expect(iterations).toBe(3);
    expect(rig.read64(0x1_0000)).toBe(0xffff_ffff_ffffn);
    expect(register(rig.core, 7)).toBe(0x1_0006n);
    expect(register(rig.core, RCX)).toBe(0n);
  });
});

describe("CPUID", () => {
  function cpuid(core: X86Core, leaf: number, subleaf = 0): number[] {
    setRegister(core, RAX, BigInt(leaf >>> 0));
    setRegister(core, RCX, BigInt(subleaf));
    core.helper(H.CPUID, 0, 0, 0, 0, BASE, 0);
    return [RAX, RBX, RCX, RDX].map((number) => Number(register(core, number)));
  }
  const text = (words: readonly number[]): string =>
    words.map((word) => String.fromCharCode(...[0, 8, 16, 24].map((bit) => (word >>> bit) & 255))).join("");
  const gaps = new Set(gapMnemonics());
  const known = new Set(ROWS.map((row) => row.mnemonic));

  it("every reported feature's instructions are implemented", () => {
    const core = rigAt("kernel").core;
    for (const { name, leaf, register: at, bit, mnemonics } of FEATURES) {
      expect((cpuid(core, leaf)[at]! >>> bit) & 1, name).toBe(1);
      for (const mnemonic of mnemonics) {
        expect(known.has(mnemonic), mnemonic).toBe(true);
        expect(gaps.has(mnemonic), mnemonic).toBe(false);
      }
    }
  });

  /** Leaf, register, bit: bits of features whose instructions are gaps. */
  it.each<[string, number, number, number, string]>([
    ["FPU", 1, 3, 0, "FADD"],
    ["MMX", 1, 3, 23, "PADDB"],
    ["FXSR", 1, 3, 24, "FXSAVE"],
    ["SSE", 1, 3, 25, "ADDPS"],
    ["SSE2", 1, 3, 26, "ADDPD"],
    ["SSE3", 1, 2, 0, "HADDPS"],
    ["MONITOR", 1, 2, 3, "MONITOR"],
    ["SSSE3", 1, 2, 9, "PSHUFB"],
    ["SSE4.1", 1, 2, 19, "PBLENDW"],
    ["SSE4.2", 1, 2, 20, "PCMPISTRI"],
    ["AESNI", 1, 2, 25, "AESENC"],
    ["XSAVE", 1, 2, 26, "XSAVE"],
    ["AVX", 1, 2, 28, "VADDPS"],
    ["RDRAND", 1, 2, 30, "RDRAND"],
    ["RTM", 7, 1, 11, "XBEGIN"],
    ["RDSEED", 7, 1, 18, "RDSEED"],
    ["SHA", 7, 1, 29, "SHA1MSG1"],
    ["WAITPKG", 7, 2, 5, "TPAUSE"],
    ["MOVDIRI", 7, 2, 27, "MOVDIRI"],
    ["MOVDIR64B", 7, 2, 28, "MOVDIR64B"],
  ])("%s is not reported, as its instructions are gaps", (_name, leaf, at, bit, mnemonic) => {
    expect(known.has(mnemonic)).toBe(true);
    expect(gaps.has(mnemonic)).toBe(true);
    expect((cpuid(rigAt("kernel").core, leaf)[at]! >>> bit) & 1).toBe(0);
  });

  it("names the vendor, the brand and the address widths", () => {
    const { core } = rigAt("user");
    const [last, b, c, d] = cpuid(core, 0);
    expect(last).toBe(0x15);
    expect(text([b!, d!, c!])).toBe("FaultlineCPU");
    const brand = [0x8000_0002, 0x8000_0003, 0x8000_0004].map((leaf) => text(cpuid(core, leaf))).join("");
    expect(brand.replaceAll("\0", "")).toBe(X86_DEFAULT_PROFILE.brand);
    expect(cpuid(core, 0x8000_0008)[0]).toBe(46 | (57 << 8));
    expect(cpuid(core, 0x8000_0000)[0]).toBe(0x8000_0008);
  });

  it("reports the counter's clock, and a leaf past the last as the last", () => {
    const { core } = rigAt("kernel");
    expect(cpuid(core, 0x15)).toEqual([1, 120, 25_000_000, 0]);
    expect(cpuid(core, 0x40)).toEqual([1, 120, 25_000_000, 0]);
    expect(cpuid(core, 0x8000_0fff)).toEqual([1, 120, 25_000_000, 0]);
    expect(cpuid(core, 0xd)).toEqual([0, 0, 0, 0]);
  });

  it("describes the topology by x2APIC ids", () => {
    const rig = new Rig(6);
    const core = rig.cores[5]!;
    expect(cpuid(core, 0xb, 0)).toEqual([0, 1, 0x100, 5]);
    expect(cpuid(core, 0xb, 1)).toEqual([3, 6, 0x201, 5]);
    expect(cpuid(core, 0xb, 2)).toEqual([0, 0, 2, 5]);
    expect(cpuid(core, 1)[1]).toBe((5 << 24) | (8 << 16) | (8 << 8));
  });

  it("OSPKE follows CR4.PKE", () => {
    const rig = rigAt("kernel");
    expect(cpuid(rig.core, 7)[2]! & 0x18).toBe(8);
    rig.core.writeControls(CR0_ON | 0, 0x40_00a0, 0x901);
    expect(cpuid(rig.core, 7)[2]! & 0x18).toBe(0x18);
    expect(cpuid(rig.core, 7, 1)).toEqual([0, 0, 0, 0]);
  });
});

describe("counts", () => {
  it("undefined and unimplemented instructions are counted by trap number, PAUSE at CPL 3", () => {
    const rig = rigAt("user");
    for (const trap of [0x100, 0x105, 0x105]) {
      rig.core.raiseTrap(trap);
      finish(rig.core);
      expect(vectorAt(rig.core)).toBe(6);
      rig.start(rig.core, "user");
    }
    expect([...rig.core.undefinedCounts]).toEqual([
      [0x100, 1],
      [0x105, 2],
    ]);
    rig.core.helper(H.PAUSE, 0, 0, 0, 0, 0, 0);
    expect(rig.core.pauses).toBe(1);
    const saved = rig.core.save();
    rig.core.helper(H.PAUSE, 0, 0, 0, 0, 0, 0);
    rig.core.undefinedCounts.clear();
    rig.core.restore(saved);
    expect(rig.core.pauses).toBe(1);
    expect(rig.core.undefinedCounts.get(0x105)).toBe(2);
  });
});
