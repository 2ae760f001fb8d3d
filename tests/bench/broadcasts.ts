/**
 * Broadcast invalidations between two cores without a kernel: one stores, invalidates and waits, the other one loads from
 * the same page all the time. The measure is rounds per second of host time, in the deterministic timed scheduler.
 */
import { Machine } from "../../emu/machine.ts";
import { MACHINE_MODELS } from "../../emu/machines/index.ts";
import type { Aarch64Core } from "../../emu/traps/aarch64/index.ts";
import type { Measurement } from "./row.ts";
import { MachineRate } from "./row.ts";

const RAM_BYTES = 1 << 20;
const SENDER_CODE = 0x1000;
const READER_CODE = 0x2000;
const PAGE = 0x3000;
/** Tables of levels 1 (39 bits of address), 2 and 3, which map the first pages to themselves. */
const TABLES: readonly number[] = [0x8000, 0x9000, 0xa000];
/** Arm ARM D8.3: table or page; AF, Inner Shareable, AttrIndx 0, EL1 reads and writes; read-only pages are code. */
const TABLE = 3;
const DATA_PAGE = 0x703;
const CODE_PAGE = 0x783;
/** T0SZ = 25, 4 KiB granules, TTBR1 not used (EPD1); 40 bits of physical address. */
const TCR_LO = 0x0080_0019;
const TCR_HI = 2;
/** M, C, I. */
const SCTLR = 0x30d0_1805;
const EL1H_MASKED = 0x3c5;

/** Words as GNU as assembles them. */
const SENDER: readonly number[] = [
  0xf9000020, // 0: str  x0, [x1]
  0xd5088362, //    tlbi vaae1is, x2
  0xd5033b9f, //    dsb  ish
  0x91000463, //    add  x3, x3, #1
  0x17fffffc, //    b    0b
];
const READER: readonly number[] = [
  0xf9400020, // 0: ldr  x0, [x1]
  0x91000463, //    add  x3, x3, #1
  0x17fffffe, //    b    0b
];

function newMachine(): Machine {
  const machine = new Machine({
    model: MACHINE_MODELS.find((model) => model.name === "aarch64")!,
    cpus: 2,
    memoryBytes: RAM_BYTES,
    scheduler: "timed",
    tlb: "typical",
    seed: 1,
    ledger: "off",
    console: () => {},
  });
  const { ram } = machine;
  machine.kernel = {
    enter: () => machine.stop({ kind: "panic", text: "an exception", status: 125 }),
    run: () => {},
  };
  const [level1, level2, level3] = TABLES as [number, number, number];
  ram.write64(level1, level2 | TABLE, 0);
  ram.write64(level2, level3 | TABLE, 0);
  for (const [pa, flags] of [
    [SENDER_CODE, CODE_PAGE],
    [READER_CODE, CODE_PAGE],
    [PAGE, DATA_PAGE],
  ] as const) {
    ram.write64(level3 + (pa >> 12) * 8, pa | flags, 0);
  }
  const [sender, reader] = machine.cores as unknown as readonly [Aarch64Core, Aarch64Core];
  for (const [core, at, code] of [
    [sender, SENDER_CODE, SENDER],
    [reader, READER_CODE, READER],
  ] as const) {
    code.forEach((word, index) => {
      ram.write32(at + index * 4, word | 0);
    });
    core.msr("MAIR_EL1", 0xff, 0);
    core.msr("TCR_EL1", TCR_LO, TCR_HI);
    core.msr("TTBR0_EL1", level1, 0);
    core.msr("SCTLR_EL1", SCTLR, 0);
    core.gpr[2] = PAGE;
    core.gpr[4] = PAGE >> 12;
    core.writeElr(at, 0);
    core.writeSpsr(EL1H_MASKED);
    core.phase = "kernel";
    core.returnFromTrap();
  }
  return machine;
}

const rate = new MachineRate(
  newMachine,
  (machine) =>
    ((machine.cores[0] as Aarch64Core).gpr[6]! >>> 0) +
    ((machine.cores[0] as Aarch64Core).gpr[7]! >>> 0) * 2 ** 32,
);

export const broadcasts: Measurement = {
  name: "broadcasts",
  what: "broadcast invalidations (store, TLBI IS, DSB; another core loads), aarch64, deterministic",
  unit: "/s",
  asked: 200_000,
  goal: 800_000,
  better: "more",
  samples: 5,
  sample: () => rate.sample(),
  end: () => rate.end(),
};
