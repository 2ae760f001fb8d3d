import { expect, test } from "vitest";
import { USER_CS } from "../../../kernel/arch/x86/descriptors.ts";
import { exception } from "../../../kernel/arch/x86/exceptions.ts";
import { pageFault } from "../../../kernel/arch/x86/fault.ts";
import { REGS_CS, REGS_FLAGS, REGS_ORIG_AX } from "../../../kernel/arch/x86/pt-regs.ts";
import { VECTOR_AC, VECTOR_PF } from "../../../kernel/arch/x86/vectors.ts";
import { irqRestore, irqSave } from "../../../kernel/locking/index.ts";
import { processOf } from "../../../kernel/tasks/process-state.ts";
import { PF_US } from "../../../mmu/index.ts";
import { MmMachine } from "../mm/support/mm-machine.ts";
import { SyscallBench } from "../syscalls/bench.ts";

/** An address of the kernel's half, as halves: a page fault there needs no address space. */
const LO = 0x1234_5678;
const HI = 0xffff_8881 | 0;

test("an alignment check keeps the address of the page fault before it", () => {
  const bench = new SyscallBench();
  bench.run([
    function* (_bench, k) {
      const frame = k.task!.userFrame;
      k.ram.write64(frame + REGS_CS, USER_CS, 0);
      k.ram.write64(frame + REGS_ORIG_AX, 6, 0);
      yield* pageFault(k, frame, LO, HI);
      const { fault } = processOf(k.task!);
      expect(fault).toMatchObject({ trap: VECTOR_PF, error: 7, addressLo: LO, addressHi: HI });
      k.ram.write64(frame + REGS_ORIG_AX, 0, 0);
      yield* exception(k, frame, VECTOR_AC);
      expect(fault).toMatchObject({ trap: VECTOR_AC, error: 0, addressLo: LO, addressHi: HI });
    },
  ]);
});

const END = (1n << 47n) - 4096n;
const END_LEVELS_5 = (1n << 56n) - 4096n;

/** TASK_SIZE_MAX is a page below the end of the lower half. */
test.each([
  [4, END, 5],
  [4, END - 1n, 4],
  [5, END, 4],
  [5, END_LEVELS_5, 5],
  [5, END_LEVELS_5 - 1n, 4],
] as const)(
  "with %i levels, a load from %d that finds nothing is recorded with error code %i",
  (levels, address, error) => {
    const machine = new MmMachine({ levels });
    machine.run(function* (k) {
      const frame = k.task!.userFrame;
      k.ram.write64(frame + REGS_ORIG_AX, PF_US, 0);
      k.ram.write64(frame + REGS_CS, USER_CS, 0);
      k.ram.write64(frame + REGS_FLAGS, 0x202, 0);
      const enabled = irqSave(k);
      yield* pageFault(k, frame, Number(BigInt.asIntN(32, address)), Number(address >> 32n));
      irqRestore(k, enabled);
    });
    expect(machine.signals).toMatchObject([{ signo: 11, code: 1, trap: VECTOR_PF, error }]);
  },
);
