/** The memory of the recorded executions: two data pages, nothing else, in the address space of a user process. */
import {
  RFLAGS_IF,
  RFLAGS_TF,
  registerOffset,
  STATE_CPL,
  STATE_CR4,
  STATE_EFER,
  STATE_GS_BASE,
  STATE_SYSTEM_FLAGS,
} from "../../../../emu/frontends/x86-64/index.ts";
import {
  FLAGS_ALL,
  memAccess,
  STATE_END,
  STATE_FLAGS_A,
  STATE_FLAGS_KIND,
} from "../../../../emu/ir/index.ts";
import { DATA, DATA_BYTES, GS_BASE, type Inputs, WINDOW_BYTES, WINDOW_OFFSET } from "./results.ts";

export interface AccessFault {
  readonly address: bigint;
  readonly write: boolean;
  readonly attr: number;
}

export class FlatMachine {
  readonly bytes: Uint8Array = new Uint8Array(STATE_END);
  readonly state: DataView = new DataView(this.bytes.buffer);
  readonly data: Uint8Array = new Uint8Array(DATA_BYTES);
  fault: AccessFault | null = null;

  constructor(inputs: Inputs) {
    for (const [number, value] of inputs.registers.entries()) {
      this.state.setBigUint64(registerOffset(number), value, true);
    }
    this.state.setInt32(STATE_FLAGS_KIND, 0, true);
    this.state.setInt32(STATE_FLAGS_A, inputs.flags & FLAGS_ALL, true);
    this.state.setInt32(STATE_SYSTEM_FLAGS, (inputs.flags & ~FLAGS_ALL) | RFLAGS_TF | RFLAGS_IF | 2, true);
    this.state.setInt32(STATE_CPL, 3, true);
    this.state.setBigUint64(STATE_GS_BASE, GS_BASE, true);
    this.state.setBigUint64(STATE_EFER, 1n, true);
    this.state.setBigUint64(STATE_CR4, 0x1_0000n, true);
    this.data.set(inputs.memory, WINDOW_OFFSET);
  }

  get window(): Uint8Array {
    return this.data.slice(WINDOW_OFFSET, WINDOW_OFFSET + WINDOW_BYTES);
  }

  get flags(): number {
    return this.state.getInt32(STATE_FLAGS_A, true) | this.state.getInt32(STATE_SYSTEM_FLAGS, true);
  }

  register(number: number): bigint {
    return this.state.getBigUint64(registerOffset(number), true);
  }

  load(address: bigint, sizeBytes: number, attr: number): bigint | null {
    const { order } = memAccess(attr);
    const write = order === "locked" || order === "modify";
    if (!this.#mapped(address, sizeBytes, write, attr)) return null;
    let value = 0n;
    const start = Number(address - DATA);
    for (let i = sizeBytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.data[start + i]!);
    return value;
  }

  store(address: bigint, sizeBytes: number, value: bigint, attr: number): "done" | "fault" {
    if (!this.#mapped(address, sizeBytes, true, attr)) return "fault";
    const start = Number(address - DATA);
    for (let i = 0; i < sizeBytes; i++) this.data[start + i] = Number((value >> BigInt(8 * i)) & 0xffn);
    return "done";
  }

  #mapped(address: bigint, sizeBytes: number, write: boolean, attr: number): boolean {
    const end = DATA + BigInt(DATA_BYTES);
    if (address >= DATA && address + BigInt(sizeBytes) <= end) return true;
    this.fault = { address: address < DATA || address >= end ? address : end, write, attr };
    return false;
  }
}
