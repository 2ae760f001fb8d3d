/** What a question sees of a final state of the x86-64 machine. */
import { type Atom, placeName } from "../test.ts";
import { REGISTERS } from "./assembler.ts";
import type { EntryWords } from "./layout.ts";
import type { X86LitmusWorld } from "./world.ts";

/** Bits of a page-fault error code: SDM vol. 3A 4.7. */
const ERROR_BITS: Readonly<Record<string, number>> = { P: 1, W: 2, U: 4, RSVD: 8, I: 16 };
const FAULTED = 0x80;

export function truthIn(world: X86LitmusWorld, atom: Atom): boolean {
  if (atom.kind === "fault") {
    const code = faultCode(world, atom.core, atom.label);
    return (code & FAULTED) !== 0 && atom.bits.every((bit) => (code & (ERROR_BITS[bit] ?? -1)) !== 0);
  }
  const words = wordsOf(world, atom);
  if (atom.value.kind === "entry") return world.layout.matches(words, atom.value.entry);
  if (atom.value.kind === "register") return false;
  return number(words) === atom.value.value;
}

/** `0:RBX=7`, `[PTE(x)]=(PA(x) P RW A)`, `fault(P0:L0)=no`. */
export function observe(world: X86LitmusWorld, atom: Atom): string {
  if (atom.kind === "fault") {
    const code = faultCode(world, atom.core, atom.label);
    const bits = Object.keys(ERROR_BITS).filter((name) => (code & ERROR_BITS[name]!) !== 0);
    const text = (code & FAULTED) === 0 ? "no" : ["yes", ...bits].join(",");
    return `fault(P${atom.core}:${atom.label})=${text}`;
  }
  const words = wordsOf(world, atom);
  const isEntry = atom.value.kind === "entry";
  const value = isEntry ? world.layout.describe(words) : String(number(words));
  if (atom.kind === "register") return `${atom.core}:${atom.name}=${value}`;
  const name = placeName(atom.place);
  return atom.place.level === 0 ? `${name}=${value}` : `[${name}]=${value}`;
}

function wordsOf(world: X86LitmusWorld, atom: Exclude<Atom, { kind: "fault" }>): EntryWords {
  if (atom.kind === "register") {
    const { gpr } = world.drivers[atom.core]!.core;
    const register = REGISTERS[atom.name]!;
    return { lo: gpr[register * 2]!, hi: gpr[register * 2 + 1]! };
  }
  const slot = world.layout.slot(atom.place);
  const { i32 } = world.machine.ram;
  return { lo: i32[slot]!, hi: i32[slot + 1]! };
}

function number({ lo, hi }: EntryWords): number {
  return (lo >>> 0) + (hi >>> 0) * 2 ** 32;
}

/** The byte of R14 that belongs to a labelled access. */
function faultCode(world: X86LitmusWorld, core: number, label: string): number {
  const { core: cpu, program } = world.drivers[core]!;
  const byte = program.faultBytes.get(label);
  // The access is not there when a test is run without it.
  if (byte === undefined) return 0;
  const half = cpu.gpr[REGISTERS["R14"]! * 2 + (byte >> 2)]!;
  return (half >>> ((byte & 3) * 8)) & 0xff;
}
