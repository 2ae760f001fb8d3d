/** Puts cores and descriptor tables of a litmus machine into their initial state: CPL 0, paging on, interrupts on. */
import type { X86Core } from "../../../emu/traps/x86-64/index.ts";
import type { PhysicalMemory } from "../../../mmu/index.ts";
import {
  CR0_PE,
  CR0_PG,
  CR0_WP,
  CR4_PAE,
  CR4_PCIDE,
  CR4_PGE,
  EFER_LME,
  EFER_NXE,
} from "../../../mmu/index.ts";
import type { LitmusTest } from "../test.ts";
import { REGISTERS } from "./assembler.ts";
import { codeAddress, DIRECT_MAP, GDT_FRAME, IDT_FRAME, rootFrame, stackTop } from "./layout.ts";
import { type CoreProgram, IPI_VECTOR } from "./program.ts";

const CODE_SELECTOR = 8;
/** Descriptor of a present, accessed 64-bit code segment of DPL 0: SDM vol. 3A figure 3-8. */
const CODE_DESCRIPTOR_HI = 0x00af_9b00;
const VECTOR_PF = 14;
/** Each core has an IDT of its own, since its handlers lie in its own code page: so many gates. */
const GATES = 0x41;
const GATE_BYTES = 16;
/** Present, DPL 0, 64-bit interrupt gate. */
const INTERRUPT_GATE_RIGHTS = 0x8e00;
const RFLAGS_IF = 0x202;
const MSR_SVR = 0x80f;
const SVR_ENABLED = 0x1ff;

export function writeDescriptorTables(ram: PhysicalMemory): void {
  ram.write64(GDT_FRAME * 4096 + CODE_SELECTOR, 0xffff, CODE_DESCRIPTOR_HI);
}

/** Code, gates and INVPCID operands of one core. */
export function writeProgram(ram: PhysicalMemory, program: CoreProgram, core: number): void {
  const code = physical(codeAddress(core));
  for (let i = 0; i < program.bytes.length; i++) ram.write8(code + i, program.bytes[i]!);
  writeGate(ram, core, VECTOR_PF, program.pageFaultEntry);
  writeGate(ram, core, IPI_VECTOR, program.interruptEntry);
  program.descriptors.forEach(({ pcid, address }, i) => {
    const at = physical(stackTop(core)) - 4096 + i * 16;
    ram.write64(at, pcid, 0);
    ram.write64(at + 8, address, 0);
  });
}

/** Registers as the test begins; the core stands at its first slot. */
export function prepareCore(core: X86Core, program: CoreProgram, test: LitmusTest): void {
  const { root, pcid } = startContext(test);
  core.phase = "execute";
  core.writeCr3(rootFrame(root) * 4096, 0);
  const cr0 = CR0_PE | CR0_WP | CR0_PG;
  const cr4 = CR4_PAE | CR4_PGE;
  core.writeControls(cr0, cr4, EFER_LME | EFER_NXE);
  if (test.settings["PCIDE"] === "1") {
    core.writeControls(cr0, cr4 | CR4_PCIDE, EFER_LME | EFER_NXE);
    core.writeCr3(rootFrame(root) * 4096 + pcid, 0);
  }
  const gdt = DIRECT_MAP + BigInt(GDT_FRAME * 4096);
  core.loadGdt(low(gdt), high(gdt), 0xf);
  const idt = DIRECT_MAP + BigInt(gates(core.id));
  core.loadIdt(low(idt), high(idt), GATES * GATE_BYTES - 1);
  core.setKernelPc(low(program.start), high(program.start));
  core.loadCodeSegment(CODE_SELECTOR);
  core.writeRflags(RFLAGS_IF);
  const rsp = stackTop(core.id);
  core.gpr[REGISTERS["RSP"]! * 2] = low(rsp);
  core.gpr[REGISTERS["RSP"]! * 2 + 1] = high(rsp);
  core.wrmsr(MSR_SVR, SVR_ENABLED, 0);
}

function startContext(test: LitmusTest): { root: number; pcid: number } {
  const fields = JSON.parse(test.settings["CR3"] ?? "{}") as Record<string, number>;
  return { root: fields["root"] ?? 0, pcid: fields["pcid"] ?? 0 };
}

function writeGate(ram: PhysicalMemory, core: number, vector: number, target: bigint): void {
  const at = gates(core) + vector * GATE_BYTES;
  const lo = low(target);
  ram.write64(at, (lo & 0xffff) | (CODE_SELECTOR << 16), (lo & ~0xffff) | INTERRUPT_GATE_RIGHTS);
  ram.write64(at + 8, high(target), 0);
}

/** Physical address of a core's IDT: four of them overlap by nothing that is used in the page of gates 14 and 64. */
function gates(core: number): number {
  return IDT_FRAME * 4096 + core * 32;
}

function physical(address: bigint): number {
  return Number(address - DIRECT_MAP);
}

function low(address: bigint): number {
  return Number(BigInt.asIntN(32, address));
}

function high(address: bigint): number {
  return Number(BigInt.asIntN(32, address >> 32n));
}
