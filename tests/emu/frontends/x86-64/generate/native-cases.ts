/** Chooses instructions and inputs that a user process of the host can execute and whose memory operand it can reach. */
import {
  BASE_RIP,
  decode,
  Instruction,
  RBP,
  RBX,
  RCX,
  RDI,
  RDX,
  ROWS,
  type Row,
  RSI,
  RSP,
  randomInstruction,
} from "../../../../../emu/frontends/x86-64/index.ts";
import { toHex } from "../hex.ts";
import { inputsOf, type RecordedCase, WINDOW } from "../results.ts";

const EXCLUDED_GROUPS = new Set(["system", "io"]);
/** They leave to the kernel, read clocks, or change state that the host's process needs. */
const EXCLUDED = new Set(
  "SYSCALL SYSRET SYSRETQ INT INT3 INT1 IRET IRETD IRETQ RETF CPUID RDTSC RDTSCP RDPID RDPMC PAUSE RDFSBASE WRFSBASE WRGSBASE RDPKRU WRPKRU WAIT POP_FS".split(
    " ",
  ),
);

export function isNative(row: Row): boolean {
  if (row.kind !== "lifted" || EXCLUDED_GROUPS.has(row.group) || EXCLUDED.has(row.mnemonic)) return false;
  if (row.operands.some((operand) => operand.file === "segment")) return false;
  return !row.operands.some((operand) => operand.text.includes(":"));
}

export const NATIVE_ROWS: readonly Row[] = ROWS.filter(isNative);

const instruction = new Instruction();
const ATTEMPTS = 200;

/** A case without its outcome; `reach`: whether its memory operand lies in the window, beyond mapped memory, or nowhere. */
export function nativeCase(
  row: Row,
  seed: number,
  random: () => number,
  reach: "window" | "unmapped" | "non-canonical",
): RecordedCase | null {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const bytes = randomInstruction(row, random);
    if (decode(bytes, 0, bytes.length, instruction) !== "ok" || instruction.segment === 4) continue;
    // 66 on a near branch is ignored here, as by Intel processors, and honoured by AMD's.
    if (row.opcodeText.startsWith("f64") && instruction.operandSizePrefix) continue;
    const overrides = new Map<number, bigint>();
    if (!placeOperands(row, seed + attempt * 0x10000, random, reach, overrides, bytes)) continue;
    return { bytes: toHex(bytes), seed: seed + attempt * 0x10000, overrides, outcome: "" };
  }
  return null;
}

const HERE: bigint = WINDOW + 96n;
const MASK64 = (1n << 64n) - 1n;

function somewhere(random: () => number, reach: "window" | "unmapped" | "non-canonical"): bigint {
  if (reach === "unmapped") return 0x3000_0000n + BigInt(random() & 0xfff);
  if (reach === "non-canonical") return 0x1234_0000_0000_0000n + BigInt(random() & 0xfff);
  return HERE + BigInt(random() & 31);
}

function placeOperands(
  row: Row,
  seed: number,
  random: () => number,
  reach: "window" | "unmapped" | "non-canonical",
  overrides: Map<number, bigint>,
  bytes: Uint8Array,
): boolean {
  const wide = instruction.addressBits === 64;
  if (reach === "non-canonical" && !wide) return false;
  const memory = row.operands.find((operand) => instruction.isMemory(operand));
  const touches = memory !== undefined && row.mnemonic !== "LEA" && row.mnemonic !== "NOP";
  let target = somewhere(random, reach);
  let reaches = touches;
  if (row.mnemonic === "CMPXCHG16B" && random() % 4 !== 0) target &= ~15n;
  if (row.mnemonic.startsWith("DIV") || row.mnemonic.startsWith("IDIV")) {
    if (random() % 4 !== 0) overrides.set(RDX, random() & 1 ? 0n : BigInt(random() % 7));
  }
  if (row.repeat !== "none" && instruction.repeat !== 0) overrides.set(RCX, BigInt(random() % 4));
  if (/^(BT|BTS|BTR|BTC)$/.test(row.mnemonic) && row.operands[1]!.place === "reg" && touches) {
    overrides.set(instruction.reg, BigInt.asUintN(64, BigInt((random() % 512) - 256)));
  }
  const usesStack = /^(PUSH|POP|CALL|RET|ENTER|LEAVE)/.test(row.mnemonic);
  if (usesStack) {
    const stack = touches && reach !== "window" ? HERE : somewhere(random, touches ? "window" : reach);
    overrides.set(RSP, stack);
    overrides.set(RBP, stack + 40n);
    reaches ||= true;
  }
  if (row.group === "string") {
    if (!wide) return placeString(random, overrides, reach === "non-canonical" ? "window" : reach);
    return placeString(random, overrides, reach);
  }
  if (row.mnemonic === "XLATB") {
    overrides.set(RBX, target);
    reaches = true;
  }
  if (reach !== "window" && !reaches) return false;
  if (memory === undefined || !touches) return true;
  return placeMemory(seed, overrides, target, bytes);
}

function placeString(
  random: () => number,
  overrides: Map<number, bigint>,
  reach: "window" | "unmapped" | "non-canonical",
): boolean {
  const broken = random() & 1;
  overrides.set(
    RSI,
    somewhere(random, broken ? reach : "window") - (instruction.segment === 5 ? 0x2000_0100n : 0n),
  );
  overrides.set(RDI, somewhere(random, broken ? "window" : reach));
  if (overrides.get(RSI)! < 0n) return false;
  return true;
}

/** Sets the base register, or the displacement of a RIP-relative operand, so that the address is `target`. */
function placeMemory(
  seed: number,
  overrides: Map<number, bigint>,
  target: bigint,
  bytes: Uint8Array,
): boolean {
  const { base, index, scale, displacement, addressBits, lengthBytes, segment } = instruction;
  const wanted = segment === 5 ? target - 0x2000_0100n : target;
  if (instruction.row!.operands.some((operand) => operand.place === "moffs")) {
    const field = lengthBytes - (addressBits === 64 ? 8 : 4);
    const view = new DataView(bytes.buffer, bytes.byteOffset + field);
    if (addressBits === 64) view.setBigUint64(0, wanted & MASK64, true);
    else view.setUint32(0, Number(wanted & 0xffff_ffffn), true);
    return addressBits === 64 || wanted >= 0n;
  }
  if (base === BASE_RIP) {
    if (target > 0x7fff_ffffn || segment === 5 || addressBits === 32) return false;
    const offset = Number(target - 0x1000_8000n) - lengthBytes;
    let at = -1;
    for (let i = lengthBytes - 4; i > 0 && at < 0; i--) {
      const view = new DataView(bytes.buffer, bytes.byteOffset + i, 4);
      if (view.getInt32(0, true) === displacement) at = i;
    }
    new DataView(bytes.buffer, bytes.byteOffset + at, 4).setInt32(0, offset, true);
    return true;
  }
  if (base < 0 || base === index || overrides.has(base)) {
    return base === RSP && index < 0 && overrides.has(RSP) && displacement > -60 && displacement < 60;
  }
  let offset = BigInt(displacement);
  if (index >= 0) offset += inputsOf(seed, overrides).registers[index]! << BigInt(scale);
  const value = wanted - offset;
  overrides.set(base, addressBits === 64 ? value & MASK64 : (value & 0xffff_ffffn) | (BigInt(seed) << 32n));
  return true;
}
