import { expect, test } from "vitest";
import { breadth, overlaps, ROWS, type Row } from "../../../../emu/frontends/x86-64/index.ts";

/** [wide row, narrow row]: the narrow one applies where both could. An entry that no longer overlaps fails. */
const OVERLAPS = [
  ["90+rw XCHG AX, r16", "NF3 REX.B0 90 NOP"],
  ["90+rw XCHG AX, r16", "F3 REX.B0 90 PAUSE"],
  ["90+rd XCHG EAX, r32", "NF3 REX.B0 90 NOP"],
  ["90+rd XCHG EAX, r32", "F3 REX.B0 90 PAUSE"],
  ["REX.W + 90+ro XCHG RAX, r64", "NF3 REX.B0 90 NOP"],
  ["REX.W + 90+ro XCHG RAX, r64", "F3 REX.B0 90 PAUSE"],
  ["0F 1C /_ NOP r/m32", "NP 0F 1C /0 CLDEMOTE m8"],
  ["REX.W + 0F 1C /_ NOP r/m64", "NP 0F 1C /0 CLDEMOTE m8"],
  ["F3 0F 1E /_ NOP r/m16", "F3 0F 1E FA ENDBR64"],
  ["F3 0F 1E /_ NOP r/m16", "F3 0F 1E FB ENDBR32"],
  ["F3 0F 1E /_ NOP r/m32", "F3 0F 1E FA ENDBR64"],
  ["F3 0F 1E /_ NOP r/m32", "F3 0F 1E FB ENDBR32"],
  ["F3 REX.W 0F 1E /_ NOP r/m64", "F3 0F 1E FA ENDBR64"],
  ["F3 REX.W 0F 1E /_ NOP r/m64", "F3 0F 1E FB ENDBR32"],
] as const;

const nameOf = (row: Row): string => `${row.opcodeText} ${row.instructionText}`;

test("no two rows overlap, but for the listed pairs", () => {
  const found: string[] = [];
  for (const a of ROWS) {
    for (const b of ROWS) {
      if (a.id < b.id && overlaps(a, b)) {
        expect(breadth(a), nameOf(a)).not.toBe(breadth(b));
        found.push((breadth(a) > breadth(b) ? [a, b] : [b, a]).map(nameOf).join(" <> "));
      }
    }
  }
  expect(found.toSorted()).toEqual(OVERLAPS.map((pair) => pair.join(" <> ")).toSorted());
});

test("two rows that overlap are found", () => {
  const add = ROWS.find((row) => nameOf(row) === "01 /r ADD r/m32, r32")!;
  expect(overlaps(add, { ...add, id: -1, reg: 1 << 3 })).toBe(true);
  expect(overlaps(add, { ...add, id: -1, opcode: 0x03 })).toBe(false);
});

test("no row is written twice", () => {
  expect(new Set(ROWS.map(nameOf)).size).toBe(ROWS.length);
});
