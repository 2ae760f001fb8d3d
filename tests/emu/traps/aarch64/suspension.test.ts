/**
 * A bare machine that is suspended at every event (data access, table read, fill, access flag or dirty update) ends as one
 * that is not, and so does one that goes back in between.
 */
import { describe, expect, test } from "vitest";
import type { MachineState } from "../../../../emu/machine.ts";
import { SteppingScheduler } from "../../machine/stepping.ts";
import {
  a64,
  DAIF,
  EL0,
  EL1H,
  KERNEL_CODE,
  KERNEL_DATA,
  Rig,
  type RigOptions,
  setRegister,
  setX,
  TABLE_3,
  USER_CODE,
  USER_DATA,
  USER_PAGE,
} from "./rig.ts";

/** Access flag and dirty state by hardware: walks update descriptors. */
const TCR_UPDATES = 0x195_b510_3510n;
const AF = 0x400n;
const DBM_CLEAN = 0x80n | (1n << 51n);

/** Everything that touches memory, at EL0 and at EL1. */
const USER_PROGRAM = a64(
  "str x1, [x0]",
  "ldr x2, [x29]",
  "stp x1, x2, [x0, #0x100]",
  "ldp x5, x6, [x0, #0x100]",
  "ldxr x7, [x0]",
  "stxr w8, x1, [x0]",
  "ldadd x1, x9, [x0]",
  "casp x10, x11, x2, x3, [x0]",
  "dc zva, x0",
  "dc cvac, x0",
  "mrs x20, ctr_el0",
  "svc #1",
  // The handler skips the faulting instruction.
  "ldr x4, [x30]",
  "brk #0x7",
  "svc #2",
);

const KERNEL_PROGRAM = a64(
  "at s1e1w, x0",
  "mrs x21, par_el1",
  "at s1e0r, x30",
  "mrs x22, par_el1",
  "str x23, [x24]",
  "dsb ishst",
  "tlbi vae1is, x25",
  "dsb ish",
  "isb",
  "ldr x26, [x0]",
  "ldtr x27, [x28]",
  "dc zva, x0",
  "svc #3",
);

/** Runs both programs, one after the other; the handler skips what faults and makes one illegal return. */
function scene(options: RigOptions): Rig {
  const rig = new Rig(options);
  rig.handler = (core, entry) => {
    const { esr } = entry;
    const ec = esr >>> 26;
    if (ec === 0x15 && (esr & 0xff) === 2) {
      setX(core, 0, KERNEL_DATA);
      rig.put(KERNEL_CODE, KERNEL_PROGRAM);
      core.writeElr(KERNEL_CODE, 0);
      core.writeSpsr(EL1H | DAIF);
    } else if (ec === 0x15 && (esr & 0xff) === 3) {
      core.writeSpsr(0x9);
      core.writeElr(KERNEL_CODE + 0x1000, 0);
    } else if (ec === 0x0e) return "stop";
    else if (ec !== 0x15) core.writeElr(Number(entry.elr) + 4, 0);
    return "return";
  };
  const { core } = rig;
  setRegister(core, "TCR_EL1", TCR_UPDATES);
  rig.map(USER_DATA, (USER_PAGE & ~AF) | DBM_CLEAN);
  rig.map(USER_DATA + 0x1000, USER_PAGE & ~AF);
  setX(core, 0, USER_DATA);
  setX(core, 1, 0x0123_4567_89ab_cdefn);
  setX(core, 23, BigInt(0x5_0000) | 0x703n);
  setX(core, 24, TABLE_3 + (KERNEL_DATA >>> 12) * 8);
  setX(core, 25, KERNEL_DATA >>> 12);
  setX(core, 28, USER_DATA + 0x1000);
  setX(core, 29, USER_DATA + 0xffc);
  setX(core, 30, 0x1_2345_6788n);
  rig.start(core, EL0 | 0x9000_0000, USER_PROGRAM, USER_CODE);
  return rig;
}

function ending(rig: Rig) {
  const { machine } = rig;
  return {
    state: machine.stateHash(),
    clock: machine.clock,
    retired: machine.retired,
    entries: rig.entries.map(({ esr, elr, far }) => [esr, elr, far]),
  };
}

describe("suspension", () => {
  test("at every event gives the same state, clock and exceptions", () => {
    const whole = scene({});
    expect(whole.run(10_000)).toBe("stopped");
    const stepped = scene({ scheduler: (cores) => new SteppingScheduler(cores, 1) });
    expect(stepped.run(10_000)).toBe("stopped");
    expect(stepped.machine.slices).toBeGreaterThan(2 * whole.machine.slices);
    expect(ending(stepped)).toEqual(ending(whole));
    expect(whole.entries.map((entry) => entry.esr >>> 26)).toEqual([0x15, 0x24, 0x3c, 0x15, 0x15, 0x0e]);
  });

  test("a machine that is saved inside DC ZVA, AT, cache maintenance or an illegal return goes on alike from there", () => {
    const scheduler: RigOptions["scheduler"] = (cores) => new SteppingScheduler(cores, 1);
    const whole = scene({ scheduler });
    const states: MachineState[] = [];
    while (whole.machine.stopReason === null) {
      if (whole.core.phase === "microcode") states.push(structuredClone(whole.machine.save()));
      step(whole);
    }
    const { entries: _, ...expected } = ending(whole);
    for (const [at, state] of states.entries()) {
      whole.machine.restore(state);
      while (whole.machine.stopReason === null) step(whole);
      const { entries: __, ...actual } = ending(whole);
      expect(actual, `state ${at}`).toEqual(expected);
    }
    expect(states.length).toBeGreaterThanOrEqual(8);
  });
});

/** One slice, which is one event. */
function step({ machine }: Rig): void {
  const core = machine.scheduler.next()!;
  machine.running = core;
  const before = core.retired;
  core.run();
  machine.retired += core.retired - before;
  machine.slices++;
}
