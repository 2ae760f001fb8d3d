/**
 * The initial stack of a program (System V ABI, "Process Initialization"; create_elf_tables()). From the top of the stack
 * down:
 *
 *     8 zero bytes, path, environment strings, argument strings, platform string, 16 random bytes,
 *     auxiliary vector (AT_NULL last), NULL, environment pointers, NULL, argument pointers, argc  <- stack pointer
 */
import type { ElfImage } from "../../emu/loader/index.ts";
import type { Context } from "../context.ts";

const AT_NULL = 0;
const AT_PHDR = 3;
const AT_PHENT = 4;
const AT_PHNUM = 5;
const AT_PAGESZ = 6;
const AT_BASE = 7;
const AT_FLAGS = 8;
const AT_ENTRY = 9;
const AT_UID = 11;
const AT_EUID = 12;
const AT_GID = 13;
const AT_EGID = 14;
const AT_PLATFORM = 15;
const AT_HWCAP = 16;
const AT_CLKTCK = 17;
const AT_SECURE = 23;
const AT_RANDOM = 25;
const AT_HWCAP2 = 26;
const AT_EXECFN = 31;
const AT_MINSIGSTKSZ = 51;
/** USER_HZ. */
const CLOCK_TICKS = 100;

export interface StackContents {
  readonly path: string;
  readonly argv: readonly string[];
  readonly envp: readonly string[];
  readonly random: Uint8Array;
  /** Added to the program's addresses, in pages. */
  readonly baseVpn: number;
  /** One past the stack's highest byte. */
  readonly top: bigint;
}

/** The stack pointer, and the bytes from it to the top. */
export function buildStack(
  k: Context,
  image: ElfImage,
  contents: StackContents,
): { sp: bigint; bytes: Uint8Array } {
  const arch = k.kernel.arch.process;
  const strings = new StringArea(contents.top - 8n);
  const path = strings.push(contents.path);
  const envp = strings.pushAll(contents.envp);
  const argv = strings.pushAll(contents.argv);
  strings.align();
  const platform = strings.push(arch.platform);
  const random = strings.pushBytes(contents.random);
  const base = BigInt(contents.baseVpn) << 12n;
  const auxv: [number, bigint][] = [
    [AT_MINSIGSTKSZ, BigInt(arch.minimumSignalStackBytes)],
    [AT_HWCAP, BigInt(arch.hwcap)],
    [AT_PAGESZ, 4096n],
    [AT_CLKTCK, BigInt(CLOCK_TICKS)],
    [AT_PHDR, image.phdrVa === 0n ? 0n : image.phdrVa + base],
    [AT_PHENT, BigInt(image.phdrBytes)],
    [AT_PHNUM, BigInt(image.phdrCount)],
    [AT_BASE, 0n],
    [AT_FLAGS, 0n],
    [AT_ENTRY, image.entry + base],
    [AT_UID, 0n],
    [AT_EUID, 0n],
    [AT_GID, 0n],
    [AT_EGID, 0n],
    [AT_SECURE, 0n],
    [AT_RANDOM, random],
    [AT_HWCAP2, BigInt(arch.hwcap2)],
    [AT_EXECFN, path],
    [AT_PLATFORM, platform],
    [AT_NULL, 0n],
  ];
  const words = [
    BigInt(argv.length),
    ...argv,
    0n,
    ...envp,
    0n,
    ...auxv.flatMap(([key, v]) => [BigInt(key), v]),
  ];
  const sp = (strings.at - BigInt(words.length * 8)) & ~15n;
  const bytes = new Uint8Array(Number(contents.top - sp));
  const view = new DataView(bytes.buffer);
  for (const [index, word] of words.entries()) view.setBigUint64(index * 8, word, arch.littleEndian);
  strings.copyTo(bytes, sp);
  return { sp, bytes };
}

/** Strings, pushed downwards from an address. */
class StringArea {
  at: bigint;
  readonly #pieces: { at: bigint; bytes: Uint8Array }[] = [];

  constructor(top: bigint) {
    this.at = top;
  }

  push(text: string): bigint {
    return this.pushBytes(new TextEncoder().encode(`${text}\0`));
  }

  /** Pushes strings so that the first has the lowest address, as they are read; their addresses in order. */
  pushAll(texts: readonly string[]): bigint[] {
    return texts
      .toReversed()
      .map((text) => this.push(text))
      .reverse();
  }

  pushBytes(bytes: Uint8Array): bigint {
    this.at -= BigInt(bytes.length);
    this.#pieces.push({ at: this.at, bytes });
    return this.at;
  }

  /** The stack pointer's alignment, before what the kernel adds. */
  align(): void {
    this.at &= ~15n;
  }

  copyTo(target: Uint8Array, start: bigint): void {
    for (const piece of this.#pieces) target.set(piece.bytes, Number(piece.at - start));
  }
}
