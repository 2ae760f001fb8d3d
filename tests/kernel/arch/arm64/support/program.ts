/**
 * Programs of a few instructions on an emulated aarch64 machine with the whole kernel, and what the kernel saw of them:
 * frames at system calls, signals that were forced.
 */
import { Machine } from "../../../../../emu/machine.ts";
import { AARCH64_MACHINES } from "../../../../../emu/machines/aarch64.ts";
import { REGS_BYTES } from "../../../../../kernel/arch/arm64/pt-regs.ts";
import type { Context } from "../../../../../kernel/context.ts";
import { createKernel, type Kernel } from "../../../../../kernel/index.ts";
import type { FaultSignal } from "../../../../../kernel/process.ts";
import { load, soundFile, writeElf } from "../../../../emu/loader/elf-writer.ts";
import type { Word } from "./a64.ts";

/** Where the instructions lie, and writable memory. */
export const CODE = 0x40_0000n;
export const DATA = 0x41_0000n;
const EM_AARCH64 = 183;
const FILE_CODE = 0x1000;
const FILE_DATA = 0x2000;
const PAGE = 0x1000;

/** An ELF file with the instructions at CODE, the entry, and two pages of zeros at DATA. */
export function programOf(code: readonly Word[]): Uint8Array {
  const file = soundFile();
  file.header.machine = EM_AARCH64;
  file.header.entry = CODE;
  file.header.shoff = 0n;
  file.header.shnum = 0;
  file.header.shentsize = 0;
  file.programHeaders = [
    load(5, BigInt(FILE_CODE), CODE, BigInt(PAGE), BigInt(PAGE)),
    load(6, BigInt(FILE_DATA), DATA, BigInt(PAGE), BigInt(2 * PAGE)),
  ];
  file.header.phnum = 2;
  file.lengthBytes = FILE_DATA + PAGE;
  const bytes = writeElf(file);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const [index, word] of code.entries()) view.setUint32(FILE_CODE + index * 4, word >>> 0, true);
  return bytes;
}

/** A frame as it was at one moment. */
export interface SeenFrame {
  readonly at: number;
  readonly stackTop: number;
  readonly bytes: DataView;
}

/** Xn of a frame. */
export function xOf(frame: SeenFrame, number: number): bigint {
  return frame.bytes.getBigUint64(number * 8, true);
}

export interface ProgramOptions {
  readonly cpus?: number;
  readonly design?: string;
}

export class ProgramRun {
  readonly machine: Machine;
  readonly kernel: Kernel;
  readonly lines: string[] = [];
  /** Signals that the kernel forced, and the user frames of the faults. */
  readonly signals: (FaultSignal & { readonly frame: SeenFrame })[] = [];
  readonly calls: { number: number; frame: SeenFrame }[] = [];

  constructor(code: readonly Word[], options: ProgramOptions = {}) {
    this.machine = new Machine({
      model: AARCH64_MACHINES[0]!,
      cpus: options.cpus ?? 1,
      memoryBytes: 32 * 1024 * 1024,
      scheduler: "timed",
      tlb: "typical",
      seed: 1,
      ledger: "on",
      console: (_stream, bytes) => this.lines.push(new TextDecoder().decode(bytes).trimEnd()),
    });
    this.kernel = createKernel(this.machine, "aarch64", {
      design: options.design ?? "classic",
      seed: 1,
      init: { image: programOf(code), argv: ["/program"], envp: [], stdin: () => new Uint8Array(0) },
    });
    const { process } = this.kernel;
    const force = process.forceSignal.bind(process);
    process.forceSignal = (k, signal) => {
      this.signals.push({ ...signal, frame: this.#seen(k) });
      force(k, signal);
    };
    const call = process.syscall.bind(process);
    process.syscall = (k, frame) => {
      const seen = this.#seen(k);
      this.calls.push({ number: seen.bytes.getInt32(0x118, true), frame: seen });
      return call(k, frame);
    };
    this.machine.kernel = this.kernel;
    this.kernel.boot();
  }

  /** The frame of the call with a number, which was made once. */
  frameOf(number: number): SeenFrame {
    const calls = this.calls.filter((call) => call.number === number);
    if (calls.length !== 1) throw new Error(`call ${number} was made ${calls.length} times`);
    return calls[0]!.frame;
  }

  #seen(k: Context): SeenFrame {
    const at = k.task!.userFrame;
    const bytes = this.machine.ram.u8.slice(at, at + REGS_BYTES);
    return { at, stackTop: k.task!.stackTop, bytes: new DataView(bytes.buffer) };
  }

  /** Runs until the machine stops; the exit status, 128 + n for a signal. */
  run(): number {
    const reason = this.machine.run({ maxInstructions: 5_000_000 });
    if (reason.kind !== "power-off") {
      throw new Error(`${reason.kind}: ${reason.text}\n${this.lines.join("\n")}`);
    }
    return reason.status;
  }

  /** The log's lines without their times. */
  get log(): string[] {
    return this.lines.map((line) => line.replace(/^\[ *[\d.]+\] /, ""));
  }
}
