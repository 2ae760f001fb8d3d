/**
 * Guests that execute what no compiler would emit. Each is a small ELF file made from a seed: a page of random bytes or
 * of random valid instructions, readable, writable and executable, with registers that hold pointers, edges and noise.
 * Half of the guests first install a handler for every signal that goes on one byte after the instruction that
 * trapped, so that thousands of instructions run instead of a few.
 */
import {
  type RandomSource,
  randomBytes,
  randomInstruction,
  randomRow,
} from "../../emu/frontends/x86-64/index.ts";
import { RandomNumbers } from "../../emu/schedulers/index.ts";
import { load, soundFile, writeElf } from "../emu/loader/elf-writer.ts";

const START = 0x40_1000;
const CODE = 0x50_0000;
const DATA = 0x60_0000;
const PAGE_BYTES = 4096;
const ALTERNATE_STACK = DATA + PAGE_BYTES;
const ALTERNATE_STACK_BYTES = 0x1_0000;

/**
 * Start-up at START: sigaltstack(DATA), rt_sigaction(31 … 1, DATA + 32), registers from DATA + 64 on (RSP, if not 0,
 * RBX, RCX, RDX, RSI, RDI, RBP, R8 … R15), JMP CODE. At +256 the handler: RIP of the ucontext plus one, put back
 * into the code page by the time-stamp counter where it left it. At +308 the restorer. Assembled with GNU as 2.42.
 */
const SURVIVOR: Uint8Array = hexBytes(`
  b883000000 bf00006000 31f6 0f05 bb1f000000 b80d000000 89df be20006000 31d2 41ba08000000 0f05 ffcb 75e6
  48833c254000600000 7408 488b242540006000 488b1c2548006000 488b0c2550006000 488b142558006000 488b342560006000
  488b3c2568006000 488b2c2570006000 4c8b042578006000 4c8b0c2580006000 4c8b142588006000 4c8b1c2590006000
  4c8b242598006000 4c8b2c25a0006000 4c8b3425a8006000 4c8b3c25b0006000 b800005000 ffe0
`);
const HANDLER_OFFSET = 256;
const HANDLER: Uint8Array = hexBytes(`
  488b82a8000000 48ffc0 488d880000b0ff 4881f9f00f0000 7212 4889d1 0f31 4889ca 25ff0f0000 0500005000 488982a8000000 c3
  b80f000000 0f05
`);
const RESTORER_OFFSET = 308;
/** SA_SIGINFO, SA_RESTORER, SA_ONSTACK. */
const SA_FLAGS = 0x0c00_0004n;

export type GuestKind = "bytes" | "instructions" | "surviving bytes" | "surviving instructions";
export const GUEST_KINDS: readonly GuestKind[] = [
  "bytes",
  "instructions",
  "surviving bytes",
  "surviving instructions",
];

/** The ELF file of a seed. */
export function randomGuest(seed: number): { readonly kind: GuestKind; readonly image: Uint8Array } {
  const numbers = new RandomNumbers(seed);
  const random: RandomSource = () => numbers.next();
  const kind = GUEST_KINDS[seed % GUEST_KINDS.length]!;
  const code = kind.endsWith("bytes") ? randomBytes(random, PAGE_BYTES) : randomProgram(random);
  return { kind, image: guestImage(code, random, kind.startsWith("surviving")) };
}

function randomProgram(random: RandomSource): Uint8Array {
  const code = new Uint8Array(PAGE_BYTES);
  for (let at = 0; at < PAGE_BYTES; ) {
    const bytes = randomInstruction(randomRow(random), random);
    code.set(bytes.subarray(0, PAGE_BYTES - at), at);
    at += bytes.length;
  }
  return code;
}

function guestImage(code: Uint8Array, random: RandomSource, survives: boolean): Uint8Array {
  const file = soundFile();
  file.header.entry = BigInt(survives ? START : CODE + (random() % 64));
  file.header.shoff = 0n;
  file.header.phnum = 3;
  file.programHeaders = [
    load(5, 0x1000n, BigInt(START), 0x1000n, 0x1000n),
    load(7, 0x2000n, BigInt(CODE), 0x1000n, 0x1000n),
    load(6, 0x3000n, BigInt(DATA), 0x1000n, BigInt(PAGE_BYTES + ALTERNATE_STACK_BYTES)),
  ];
  file.lengthBytes = 0x4000;
  const image = writeElf(file);
  image.set(SURVIVOR, 0x1000);
  image.set(HANDLER, 0x1000 + HANDLER_OFFSET);
  image.set(code, 0x2000);
  const data = new DataView(image.buffer, image.byteOffset + 0x3000, PAGE_BYTES);
  data.setBigUint64(0, BigInt(ALTERNATE_STACK), true);
  data.setBigUint64(16, BigInt(ALTERNATE_STACK_BYTES), true);
  data.setBigUint64(32, BigInt(START + HANDLER_OFFSET), true);
  data.setBigUint64(40, SA_FLAGS, true);
  data.setBigUint64(48, BigInt(START + RESTORER_OFFSET), true);
  for (let register = 0; register < 15; register++) {
    const keepsStack = register === 0 && random() % 2 === 0;
    data.setBigUint64(64 + register * 8, keepsStack ? 0n : registerValue(random), true);
  }
  for (let at = 1024; at < PAGE_BYTES; at += 4) data.setUint32(at, random(), true);
  return image;
}

/** Pointers into the guest, small numbers, and values at and beyond the edges of what is canonical. */
function registerValue(random: RandomSource): bigint {
  const noise = (BigInt(random()) << 32n) | BigInt(random());
  switch (random() % 8) {
    case 0:
    case 1:
      return BigInt(CODE + (random() % PAGE_BYTES));
    case 2:
    case 3:
      return BigInt(DATA + (random() % (2 * PAGE_BYTES)));
    case 4:
      return BigInt(random() % 256);
    case 5:
      return 0x0000_7fff_ffff_f000n + (noise & 0x1fffn);
    case 6:
      return 0xffff_8880_0000_0000n + (noise & 0xff_ffffn);
    default:
      return noise;
  }
}

function hexBytes(text: string): Uint8Array {
  const digits = text.replace(/\s/g, "");
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}
