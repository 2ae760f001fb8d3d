/**
 * The same guests for AArch64: a page of random words or of random valid instructions, readable, writable and executable,
 * with registers that hold pointers, edges and noise; half of them with a handler for every signal that goes on behind
 * the instruction that trapped.
 */
import { type RandomSource, randomInstruction, randomRow } from "../../emu/frontends/aarch64/index.ts";
import { RandomNumbers } from "../../emu/schedulers/index.ts";
import { load, soundFile, writeElf } from "../emu/loader/elf-writer.ts";
import { GUEST_KINDS, type GuestKind } from "./random-guest.ts";

const EM_AARCH64 = 183;
const START = 0x40_1000;
const CODE = 0x50_0000;
const DATA = 0x60_0000;
const PAGE_BYTES = 4096;
const ALTERNATE_STACK = DATA + PAGE_BYTES;
const ALTERNATE_STACK_BYTES = 0x1_0000;

/**
 * Start-up at START: sigaltstack(DATA), rt_sigaction(31 … 1, DATA + 32), registers from DATA + 64 on (SP, if not 0, X1 to
 * X30 without X16, X0), then a branch to CODE through X16. Assembled with GNU as 2.40.
 */
const SURVIVOR: Uint8Array = hexBytes(`
  000ca0d2 010080d2 881080d2 010000d4 f40380d2 e00314aa 010ca0d2 21800091 020080d2 030180d2 c81080d2 010000d4
  940600f1 01ffff54 000ca0d2 012040f9 410000b4 3f000091 018844a9 039045a9 059846a9 07a047a9 09a848a9 0bb049a9
  0db84aa9 0fc44ba9 12cc4ca9 14d44da9 16dc4ea9 18e44fa9 1aec50a9 1cf451a9 1e8052a9 100aa0d2 00021fd6`);
const HANDLER_OFFSET = 256;
/**
 * The handler: PC of the ucontext goes to the next word, back into the code page by the virtual counter where it left it; and
 * at +48 the restorer.
 */
const HANDLER: Uint8Array = hexBytes(`
  43dc40f9 63100091 63f47e92 040aa0d2 650004cb bf0440f1 83000054 45e03bd5 a5247e92 8300058b 43dc00f9 c0035fd6
  681180d2 010000d4`);
const RESTORER_OFFSET: number = HANDLER_OFFSET + 48;
/** SA_SIGINFO, SA_RESTORER, SA_ONSTACK. */
const SA_FLAGS = 0x0c00_0004n;
const REGISTERS = 31;

/** The ELF file of a seed. */
export function randomAarch64Guest(seed: number): { readonly kind: GuestKind; readonly image: Uint8Array } {
  const numbers = new RandomNumbers(seed);
  const random: RandomSource = () => numbers.next();
  const kind = GUEST_KINDS[seed % GUEST_KINDS.length]!;
  const isNoise = kind.endsWith("bytes");
  const word = (): number => (isNoise ? random() : randomInstruction(randomRow(random), random) >>> 0);
  const code = Uint32Array.from({ length: PAGE_BYTES / 4 }, word);
  return { kind, image: guestImage(code, random, kind.startsWith("surviving")) };
}

function guestImage(code: Uint32Array, random: RandomSource, survives: boolean): Uint8Array {
  const file = soundFile();
  file.header.machine = EM_AARCH64;
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
  const words = new DataView(image.buffer, image.byteOffset + 0x2000, PAGE_BYTES);
  for (const [index, word] of code.entries()) words.setUint32(index * 4, word, true);
  const data = new DataView(image.buffer, image.byteOffset + 0x3000, PAGE_BYTES);
  data.setBigUint64(0, BigInt(ALTERNATE_STACK), true);
  data.setBigUint64(16, BigInt(ALTERNATE_STACK_BYTES), true);
  data.setBigUint64(32, BigInt(START + HANDLER_OFFSET), true);
  data.setBigUint64(40, SA_FLAGS, true);
  data.setBigUint64(48, BigInt(START + RESTORER_OFFSET), true);
  for (let register = 0; register < REGISTERS; register++) {
    const keepsStack = register === 0 && random() % 2 === 0;
    data.setBigUint64(64 + register * 8, keepsStack ? 0n : registerValue(random), true);
  }
  for (let at = 1024; at < PAGE_BYTES; at += 4) data.setUint32(at, random(), true);
  return image;
}

/** Pointers into the guest, with and without a tag, small numbers, and values at the edges of both halves. */
function registerValue(random: RandomSource): bigint {
  const noise = (BigInt(random()) << 32n) | BigInt(random());
  switch (random() % 8) {
    case 0:
    case 1:
      return BigInt(CODE + (random() % PAGE_BYTES));
    case 2:
      return BigInt(DATA + (random() % (2 * PAGE_BYTES))) | (BigInt(random() & 0xff) << 56n);
    case 3:
      return BigInt(DATA + (random() % (2 * PAGE_BYTES)));
    case 4:
      return BigInt(random() % 256);
    case 5:
      return 0x0000_ffff_ffff_f000n + (noise & 0x1fffn);
    case 6:
      return 0xffff_0000_0000_0000n + (noise & 0xff_ffffn);
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
