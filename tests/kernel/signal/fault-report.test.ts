import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type ElfImage, parseElf } from "../../../emu/loader/index.ts";
import { x86Limits } from "../../emu/loader/limits.ts";
import { Guest } from "../../matrix/guest.ts";

const WILD = new URL("../../../userland/bin/x86-64/wild", import.meta.url);

/**
 * What Linux 6.18 printed for the same program on an x86-64 host (dmesg), but for times, pid, sp and core:
 *
 *   wild[4181]: segfault at dead0000 ip 000000000040150c sp 00007ffd12b92ee0 error 6 in wild[50c,401000+2000] likely
 *     on CPU 1 (core 1, socket 0)
 *   Code: 00 00 00 4c 89 e6 … b8 48 01 40 00 <48> c7 00 44 4c 49 57 31 c0 e8 … 44 00 00 41 57
 */
const SEGFAULT =
  /wild\[1\]: segfault at dead0000 ip ([0-9a-f]{16}) sp ([0-9a-f]{16}) error 6 in wild\[([0-9a-f]+),([0-9a-f]+)\+([0-9a-f]+)\] likely on CPU (\d) \(core \6, socket 0\)$/;

test("a wild store without a handler ends with 139, and the log says where, as Linux does", () => {
  const guest = new Guest({ program: "wild", cpus: 2 });
  const end = guest.run();
  expect(end.status).toBe(139);
  const at = end.messages.findIndex((line) => SEGFAULT.test(line));
  expect(at).toBeGreaterThanOrEqual(0);
  const [, ip, sp, offset, start, size] = SEGFAULT.exec(end.messages[at]!)!.map((part) =>
    Number.parseInt(part, 16),
  );
  const image = parseElf(readFileSync(WILD), "wild", x86Limits(1 << 28)) as ElfImage;
  const text = image.segments.find((segment) => segment.executable)!;
  const inPage = Number(text.va % 4096n);
  expect(BigInt(start! + inPage)).toBe(text.va);
  expect(size).toBe(Math.ceil((inPage + text.fileBytes) / 4096) * 4096);
  expect(offset).toBe(ip! - start! + text.fileOffset - inPage);
  expect(sp! < 0x7fff_ffff_f000 && sp! > 0x7fff_fff0_0000).toBe(true);
  const code = Array.from(image.bytes.subarray(offset! - 42, offset! + 22), (byte, index) => {
    const digits = byte.toString(16).padStart(2, "0");
    return index === 42 ? `<${digits}>` : digits;
  });
  expect(end.messages[at + 1]).toMatch(/Code: /);
  expect(end.messages[at + 1]!.replace(/^.*Code: /, "")).toBe(code.join(" "));
});

test("a fault that a handler takes is not in the log", () => {
  const end = new Guest({ program: "sigsegv", cpus: 2 }).run();
  expect(end.status).toBe(0);
  expect(end.messages.filter((line) => line.includes("segfault"))).toEqual([]);
});
