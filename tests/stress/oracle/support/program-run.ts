/**
 * A guest program on a machine whose memory tells what the kernel touches, with parts of the oracle that listen from boot
 * on, under the random scheduler. The fault design is given as an object, so that a broken variant is a subclass.
 */
import { readFileSync } from "node:fs";
import type { StopReason } from "../../../../emu/hardware.ts";
import { Machine } from "../../../../emu/machine.ts";
import { X86_MACHINES } from "../../../../emu/machines/x86-64.ts";
import { ARCHITECTURES } from "../../../../kernel/arch/index.ts";
import { createKernel } from "../../../../kernel/index.ts";
import { Kernel } from "../../../../kernel/kernel.ts";
import type { FaultDesign } from "../../../../kernel/mm/designs/index.ts";
import { Memory } from "../../../../kernel/mm/index.ts";
import { pageAllocation } from "../../../../kernel/mm/page.ts";
import { Processes } from "../../../../kernel/tasks/processes.ts";
import { DONE, FETCH, ObservedMemory, WRITE as STORE } from "../../../../mmu/index.ts";
import { Lifetime } from "../../../../stress/oracle/lifetime.ts";
import { type OraclePart, type OracleWorld, observerOf } from "../../../../stress/oracle/part.ts";
import type { Violation } from "../../../../stress/oracle/violation.ts";
import { Witness } from "../../../../stress/oracle/witness/witness.ts";

export interface ProgramOptions {
  readonly program: string;
  readonly args?: readonly string[];
  /** A name as on the command line, broken variants included, or an object. */
  readonly design: FaultDesign | string;
  readonly seed: number;
  readonly cpus?: number;
  /** Makes the parts that listen. A part that is a sink hears of memory accesses. */
  parts(world: OracleWorld): readonly OraclePart[];
  /** Last changes before boot: a broken step that is in no design. */
  prepare?(kernel: Kernel, memory: Memory): void;
}

export interface ProgramResult {
  readonly reason: StopReason;
  readonly violations: readonly Violation[];
  readonly output: string;
  readonly machine: Machine;
  readonly parts: readonly OraclePart[];
}

const DIRECTORY = new URL("../../../../userland/bin/x86-64/", import.meta.url);

/** Runs a program of userland/bin to its end, or to the first violation. */
export function runProgram(options: ProgramOptions): ProgramResult {
  const violations: Violation[] = [];
  let output = "";
  const model = X86_MACHINES[0]!;
  const machine = new Machine({
    model,
    cpus: options.cpus ?? 2,
    memoryBytes: 32 * 1024 * 1024,
    scheduler: "random",
    tlb: "typical",
    seed: options.seed,
    ledger: "on",
    memory: (ramBytes, engineBytes) => new ObservedMemory(ramBytes, engineBytes),
    console: (_stream, bytes) => {
      output += new TextDecoder().decode(bytes);
    },
  });
  const kernel = makeKernel(machine, options);
  const memory = kernel.memory as Memory;
  machine.kernel = kernel;
  const report = (violation: Violation): void => {
    violations.push(violation);
    machine.stop({ kind: "limit", text: "violation", status: 125 });
  };
  const parts = options.parts({ kernel, memory, report });
  // The start state is the first system call of the program.
  let marked = false;
  const marker = {
    syscallEnter: () => {
      if (!marked) for (const part of parts) part.mark();
      marked = true;
    },
  };
  kernel.observer = observerOf([marker, ...parts.map((part) => part.events)]);
  for (const part of parts) {
    if (part instanceof Lifetime) (machine.ram as ObservedMemory).sink = part;
    if (part instanceof Witness) tellAccesses(machine, kernel, memory, part);
  }
  options.prepare?.(kernel, memory);
  kernel.boot();
  const reason = machine.run({ maxInstructions: 20_000_000 });
  for (const part of parts) part.atEnd?.(reason.kind === "power-off" ? "off" : "stopped");
  return { reason, violations, output, machine, parts };
}

function makeKernel(machine: Machine, options: ProgramOptions): Kernel {
  const { design, seed, program } = options;
  const kernelOptions = {
    design: typeof design === "string" ? design : design.name,
    seed,
    init: {
      image: readFileSync(new URL(program, DIRECTORY)),
      argv: [program, ...(options.args ?? [])],
      envp: [],
    },
  };
  const { arch } = machine.model;
  if (typeof design === "string") return createKernel(machine, arch, kernelOptions);
  const kernel = new Kernel(machine, ARCHITECTURES.get(arch)!(machine), kernelOptions);
  kernel.memory = new Memory(kernel, { design });
  kernel.process = new Processes(kernel);
  return kernel;
}

/** Every access to a user address is translated by the modelled TLBs, and told. */
function tellAccesses(machine: Machine, kernel: Kernel, memory: Memory, witness: Witness): void {
  for (const core of machine.cores) {
    const { mmu } = core;
    const translate = mmu.translate;
    mmu.translate = (lo, hi, kind, privilege) => {
      const status = translate.call(mmu, lo, hi, kind, privilege);
      if (status !== DONE || hi < 0) return status;
      mmu.emptyFast();
      const task = kernel.current[core.id]?.task;
      if (task === null || task === undefined) return status;
      const frame = Math.floor(mmu.pa / 4096);
      const page = (lo >>> 12) + hi * 0x10_0000;
      const name = kind === STORE ? "write" : kind === FETCH ? "fetch" : "read";
      const at = pageAllocation.offset + memory.frames.map.page(frame);
      witness.access(core.id, task.pid, task.mm, page, name, frame, machine.ram.i32[at >>> 2]!);
      return status;
    };
  }
}
