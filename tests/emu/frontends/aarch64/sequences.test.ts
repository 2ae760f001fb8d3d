/** Blocks of several instructions: every backend ends where the reference evaluator does, whatever is fused. */
import { expect, test } from "vitest";
import {
  aarch64Frontend,
  disassemble,
  fieldsOf,
  ROWS,
  type Row,
  randomInstruction,
  registerOffset,
  STATE_SP,
  STATE_SP_CHECK,
} from "../../../../emu/frontends/aarch64/index.ts";
import { type Block, STATE_FLAGS_A, verify } from "../../../../emu/ir/index.ts";
import { BACKENDS } from "../../../exec/backends.ts";
import { differences, emptyScene, mapPage, type Scene, viewOf } from "../../../exec/scene.ts";
import { seeded } from "../x86-64/random.ts";
import { randomValue } from "../x86-64/results.ts";

const ENTRY = 0x40_0000;
const DATA = 0x50_0000n;
const SEQUENCES = 600;
const REGISTERS = 4;
/** Register fields; restricting them to a few registers makes dependencies. */
const REGISTER_FIELDS = ["d", "n", "m", "a", "t", "u", "e"];
const [REFERENCE, ...OTHERS] = BACKENDS;

const ARITHMETIC = ROWS.filter(({ kind, group }) => kind === "lifted" && group.startsWith("data-processing"));
const ACCESSES = ROWS.filter(({ name }) => /^(LDR|STR|LDUR|STUR)[BH]?$|^(LDP|STP) \(offset\)$/.test(name));
const ENDS = ROWS.filter(({ name }) => /^(B\.cond|CBN?Z|TBN?Z)$/.test(name));

/** An encoding whose registers are few; the base of an access is SP. */
function encoding(row: Row, random: () => number): number {
  let word = randomInstruction(row, random);
  for (const { letter, shift, mask } of row.fields) {
    if (!REGISTER_FIELDS.includes(letter) || mask !== 31) continue;
    const fromFew = random() % 8 === 0 ? 31 : random() % REGISTERS;
    const register = letter === "n" && row.group === "loads-stores" ? 31 : fromFew;
    word = (word & ~(mask << shift)) | (register << shift);
  }
  if (row.group === "data-processing-immediate" && fieldsOf(row, word)["d"] === 31) word &= ~31;
  return word | 0;
}

function sequence(seed: number): { block: Block; start: Scene; text: string } {
  const random = seeded(seed);
  const words = Array.from({ length: 6 }, () => {
    const rows = random() % 4 === 0 ? ACCESSES : ARITHMETIC;
    return encoding(rows[random() % rows.length]!, random);
  });
  words.push(encoding(ENDS[random() % ENDS.length]!, random));
  const code = new Uint8Array(words.length * 4);
  words.forEach((word, index) => {
    new DataView(code.buffer).setInt32(index * 4, word, true);
  });
  const options = { kernelText: false, maxInstructions: 64 };
  const block = aarch64Frontend.lift({ lo: ENTRY, hi: 0 }, code, 0, code.length, options)!;
  const start = emptyScene(BigInt(ENTRY));
  const view = viewOf(start);
  for (let register = 0; register < 31; register++)
    view.setBigUint64(registerOffset(register), randomValue(random), true);
  view.setBigUint64(STATE_SP, DATA + 0x800n, true);
  view.setInt32(STATE_SP_CHECK, 15, true);
  view.setInt32(STATE_FLAGS_A, random() & 0x8c1, true);
  const page = mapPage(start, DATA);
  for (let at = 0; at < page.bytes.length; at++) page.bytes[at] = random();
  const text = words.map((word, index) => disassemble(word, BigInt(ENTRY + index * 4))).join("\n");
  return { block, start, text };
}

test("sequences end alike on every backend", () => {
  for (let seed = 1; seed <= SEQUENCES; seed++) {
    const { block, start, text } = sequence(seed);
    expect(verify(block), text).toEqual([]);
    const expected = REFERENCE!.run(block, start);
    for (const backend of OTHERS) {
      const { outcome, scene } = backend.run(block, start);
      expect(outcome, `seed ${seed}, ${backend.name}\n${text}`).toBe(backend.sees(expected.outcome));
      expect(differences(scene, expected.scene), `seed ${seed}, ${backend.name}\n${text}`).toEqual([]);
    }
  }
});
