import { describe, expect, test } from "vitest";
import { USER_CS, USER_DS } from "../../../../kernel/arch/x86/descriptors.ts";
import { STUB_RESUME, stubLo } from "../../../../kernel/arch/x86/stubs.ts";
import type { Context, Work } from "../../../../kernel/context.ts";
import { type Task, TIF_NEED_RESCHED } from "../../../../kernel/sched/index.ts";
import type { KPtr } from "../../../../kernel/struct.ts";
import type { FakeCpu } from "../../support/fake-cpu.ts";
import { FakeMachine, type FakeOptions } from "../../support/fake-machine.ts";

/** Offsets of pt_regs by register, in the CPU's encoding order; RSP is not among them. */
const OFFSETS = [
  0x50, 0x58, 0x60, 0x28, -1, 0x20, 0x68, 0x70, 0x48, 0x40, 0x38, 0x30, 0x18, 0x10, 0x08, 0x00,
];

function fillRegisters(cpu: FakeCpu): void {
  for (let register = 0; register < 16; register++) {
    if (register === 4) continue;
    cpu.gpr[register * 2] = 0x1111_0000 + register;
    cpu.gpr[register * 2 + 1] = 0x2222_0000 + register;
  }
}

/** Boots one core, lets user mode do one thing, and returns when it is in user mode again. */
function once(options: FakeOptions, act: (cpu: FakeCpu, task: Task) => void): FakeMachine {
  let acted = false;
  let back = 0;
  const machine = new FakeMachine({
    ...options,
    user: (cpu, task) => {
      if (!acted) {
        acted = true;
        act(cpu, task);
      } else {
        back++;
      }
    },
  });
  machine.boot();
  for (let slice = 0; slice < 5000 && back === 0 && machine.stopped === null; slice++) machine.run(1);
  return machine;
}

test("a system call finds pt_regs in Linux's layout at the top of the stack, and SYSRET restores everything", () => {
  let seen: number[] = [];
  let cs = 0;
  const machine = once(
    {
      *syscall(k: Context, frame: KPtr): Work {
        if (k.point(1)) yield;
        const { ram } = k;
        expect(frame).toBe(k.task!.stackTop - 0xa8);
        expect(k.cpu.interruptsEnabled()).toBe(true);
        seen = OFFSETS.map((offset) => (offset < 0 ? 0 : ram.read32(frame + offset)));
        expect(ram.read32(frame + 0x78)).toBe(0x1111_0000);
        expect(ram.read32(frame + 0x50)).toBe(-38);
        expect([ram.read32(frame + 0x80), ram.read32(frame + 0x84)]).toEqual([0x40_1000, 0]);
        expect(ram.read32(frame + 0x88)).toBe(USER_CS);
        expect(ram.read32(frame + 0x90)).toBe(0x202);
        expect(ram.read32(frame + 0x98)).toBe(0x7fff_0000);
        expect(ram.read32(frame + 0xa0)).toBe(USER_DS);
        ram.write64(frame + 0x50, 77, 0);
      },
    },
    (cpu) => {
      fillRegisters(cpu);
      cpu.syscall();
      cs = cpu.cs;
    },
  );
  const cpu = machine.cpus[0]!;
  expect(cs).toBe(0x10);
  expect(seen.slice(5, 11)).toEqual([5, 6, 7, 8, 9, 10].map((register) => 0x1111_0000 + register));
  expect(cpu.gpr[0]).toBe(77);
  for (const register of [3, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15]) {
    expect([cpu.gpr[register * 2], cpu.gpr[register * 2 + 1]]).toEqual([
      0x1111_0000 + register,
      0x2222_0000 + register,
    ]);
  }
  expect(cpu.gpr[2]).toBe(0x40_1000);
  expect(cpu.gpr[22]).toBe(0x202);
  expect(cpu.gpr[8]).toBe(0x7fff_0000);
  expect([cpu.cs, cpu.ss, cpu.rflags]).toEqual([USER_CS, USER_DS, 0x202]);
  expect(machine.kernel.reports).toEqual([]);
});

test("an exception saves every register and the error code, and IRETQ restores them", () => {
  const frames: number[][] = [];
  const machine = once(
    {
      *pageFault(k, frame, lo, hi): Work {
        if (k.point(1)) yield;
        frames.push([lo, hi, ...OFFSETS.map((at) => (at < 0 ? 0 : k.ram.read32(frame + at + 4)))]);
        expect(k.ram.read32(frame + 0x78)).toBe(6);
        expect(frame).toBe(k.task!.userFrame);
        expect(k.cpu.interruptsEnabled()).toBe(false);
        expect((k.cpu as FakeCpu).gpr[8]).toBe(frame);
        expect((k.cpu as FakeCpu).pc).toEqual([stubLo(STUB_RESUME), -1]);
      },
    },
    (cpu) => {
      fillRegisters(cpu);
      cpu.cr2Lo = 0x1234_5000;
      cpu.cr2Hi = 0x7f;
      cpu.deliver(14, 6);
    },
  );
  expect(frames).toHaveLength(1);
  expect(frames[0]!.slice(0, 2)).toEqual([0x1234_5000, 0x7f]);
  const cpu = machine.cpus[0]!;
  for (let register = 0; register < 16; register++) {
    if (register === 4) continue;
    expect(frames[0]![register + 2]).toBe(0x2222_0000 + register);
    expect(cpu.gpr[register * 2]).toBe(0x1111_0000 + register);
  }
  expect(cpu.gpr[8]).toBe(0x7fff_0000);
});

test("a vector without an error code leaves -1 in its place", () => {
  let original = 0;
  once(
    {
      *pageFault(k): Work {
        if (k.point(1)) yield;
      },
    },
    (cpu) => {
      cpu.deliver(3, null);
      original = cpu.ram.read32(cpu.machine.userTask(cpu).userFrame + 0x78);
    },
  );
  expect(original).toBe(-1);
});

describe("exceptions from user mode become signals", () => {
  const cases: [string, number, number | null, { signo: number; code: number; address: boolean }][] = [
    ["#DE: SIGFPE FPE_INTDIV", 0, null, { signo: 8, code: 1, address: true }],
    ["#DB: SIGTRAP TRAP_BRKPT", 1, null, { signo: 5, code: 1, address: true }],
    ["#BP: SIGTRAP SI_KERNEL", 3, null, { signo: 5, code: 0x80, address: false }],
    ["#OF: SIGSEGV SI_KERNEL", 4, null, { signo: 11, code: 0x80, address: false }],
    ["#UD: SIGILL ILL_ILLOPN", 6, null, { signo: 4, code: 2, address: true }],
    ["#NP: SIGBUS SI_KERNEL", 11, 0x18, { signo: 7, code: 0x80, address: false }],
    ["#SS: SIGBUS SI_KERNEL", 12, 0, { signo: 7, code: 0x80, address: false }],
    ["#GP: SIGSEGV SI_KERNEL", 13, 0x50, { signo: 11, code: 0x80, address: false }],
    ["#AC: SIGBUS BUS_ADRALN", 17, 0, { signo: 7, code: 1, address: false }],
  ];
  test.each(cases)("%s", (_name, vector, error, expected) => {
    const machine = once({}, (cpu) => cpu.deliver(vector, error));
    expect(machine.signals).toEqual([
      {
        signo: expected.signo,
        code: expected.code,
        lo: expected.address ? 0x40_1000 : 0,
        hi: 0,
        trap: vector,
        error: error ?? 0,
      },
    ]);
    expect(machine.stopped).toBe(null);
  });
});

test("an exception in kernel code stops the machine with a dump", () => {
  const machine = once(
    {
      *syscall(k: Context): Work {
        (k.cpu as FakeCpu).deliver(13, 0x18);
        yield;
      },
    },
    (cpu) => cpu.syscall(),
  );
  expect(machine.stopped).toMatchObject({ kind: "panic", status: 125 });
  const log = machine.lines.join("\n");
  expect(log).toContain("general protection fault: 0018 [#1] SMP");
  expect(log).toContain("RIP: 0010:resume (0xffffffff81001010)");
  expect(log).toContain("Kernel panic - not syncing: Fatal exception");
});

test("a double fault arrives on a stack of its own and stops the machine", () => {
  const machine = once({}, (cpu) => cpu.deliver(8, 0));
  expect(machine.stopped?.kind).toBe("panic");
  expect(machine.lines.join("\n")).toContain("PANIC: double fault");
});

test("an NMI in kernel code runs on its own stack and the kernel goes on where it was", () => {
  const stacks: number[] = [];
  let finished = false;
  const machine = once(
    {
      *syscall(k: Context): Work {
        const cpu = k.cpu as FakeCpu;
        const before = cpu.gpr[8]!;
        cpu.deliver(2, null);
        stacks.push(before, cpu.gpr[8]!);
        yield;
        expect(cpu.gpr[8]).toBe(before);
        expect(k.kernel.current[0]).toBe(k);
        finished = true;
      },
    },
    (cpu) => cpu.syscall(),
  );
  expect(finished).toBe(true);
  expect(Math.abs(stacks[0]! - stacks[1]!)).toBeGreaterThan(4096);
  expect(machine.lines.join("\n")).toContain("Uhhuh. NMI received for unknown reason 00 on CPU 0.");
});

test("a frame that IRETQ refuses is the user's fault", () => {
  const machine = once({}, (cpu) => {
    const task = cpu.machine.userTask(cpu);
    cpu.deliver(3, null);
    const refused = cpu.returnFromTrap.bind(cpu);
    cpu.returnFromTrap = () => {
      cpu.returnFromTrap = refused;
      cpu.left = true;
      cpu.deliver(13, 0x30);
      expect(cpu.machine.kernel.current[0]!.frames).toEqual([task.userFrame]);
      expect(cpu.ram.read32(task.userFrame + 0x78)).toBe(0x30);
    };
  });
  expect(machine.signals.map((signal) => signal.signo)).toEqual([5, 11]);
  expect(machine.stopped).toBe(null);
  expect(machine.cpus[0]!.pc).toEqual([0x40_1000, 0]);
});

test("interrupts nest on the kernel stack and unwind in order", () => {
  const order: string[] = [];
  const machine = once(
    {
      *syscall(k: Context): Work {
        const cpu = k.cpu as FakeCpu;
        order.push("call");
        cpu.pending.add(0xfd);
        while (order.length < 2) {
          if (k.point(100)) yield;
          if (cpu.pending.size === 0) order.push("back");
        }
        expect(k.frames).toHaveLength(1);
        expect(cpu.gpr[8]).toBe(k.task!.userFrame);
      },
    },
    (cpu) => cpu.syscall(),
  );
  expect(order).toEqual(["call", "back"]);
  expect(machine.kernel.counters.get("RES")).toBe(1);
  expect(machine.kernel.reports).toEqual([]);
});

test("a flag that is set in the kernel sends the task through the scheduler before it returns", () => {
  const machine = once(
    {
      *syscall(k: Context): Work {
        if (k.point(1)) yield;
        k.task!.setFlag(TIF_NEED_RESCHED);
      },
    },
    (cpu) => cpu.syscall(),
  );
  expect(machine.userTask(machine.cpus[0]!).flags & TIF_NEED_RESCHED).toBe(0);
  expect(machine.cpus[0]!.phase).toBe("user");
});
