import { expect, test } from "vitest";
import { USER_CS } from "../../../kernel/arch/x86/descriptors.ts";
import { exception } from "../../../kernel/arch/x86/exceptions.ts";
import { pageFault } from "../../../kernel/arch/x86/fault.ts";
import { REGS_CS, REGS_ORIG_AX } from "../../../kernel/arch/x86/pt-regs.ts";
import { VECTOR_AC, VECTOR_PF } from "../../../kernel/arch/x86/vectors.ts";
import { processOf } from "../../../kernel/tasks/process-state.ts";
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
