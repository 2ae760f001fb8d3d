/** CASP when memory holds what is expected, and when only half of it does. DDI 0487, C6.2 "CASP". */
import { expect, test } from "vitest";
import { aarch64Frontend, disassemble, registerOffset } from "../../../../emu/frontends/aarch64/index.ts";
import { BACKENDS } from "../../../exec/backends.ts";
import { emptyScene, mapPage, viewOf } from "../../../exec/scene.ts";

const ENTRY = 0x40_0000;
const DATA = 0x50_0000n;
/** casp x0, x1, x2, x3, [x5] */
const CASP_X = 0x4820_7ca2;
/** casp w0, w1, w2, w3, [x5] */
const CASP_W = 0x0820_7ca2;

type Pair = readonly [bigint, bigint];

function run(backend: (typeof BACKENDS)[number], word: number, base: bigint, expected: Pair, memory: Pair) {
  const code = new Uint8Array(4);
  new DataView(code.buffer).setUint32(0, word, true);
  const options = { kernelText: false, maxInstructions: 1 };
  const block = aarch64Frontend.lift({ lo: ENTRY, hi: 0 }, code, 0, 4, options)!;
  const scene = emptyScene(BigInt(ENTRY));
  const view = viewOf(scene);
  const values = [...expected, 0xaaaa_bbbbn, 0xcccc_ddddn];
  for (const [register, value] of values.entries()) view.setBigUint64(registerOffset(register), value, true);
  view.setBigUint64(registerOffset(5), base, true);
  const data = new DataView(mapPage(scene, DATA).bytes.buffer);
  const size = word === CASP_X ? 8 : 4;
  const write = (at: number, value: bigint): void =>
    size === 8 ? data.setBigUint64(at, value, true) : data.setUint32(at, Number(value), true);
  const read = (from: DataView, at: number): bigint =>
    size === 8 ? from.getBigUint64(at, true) : BigInt(from.getUint32(at, true));
  write(0, memory[0]);
  write(size, memory[1]);
  const ending = backend.run(block, scene);
  const after = new DataView(mapPage(ending.scene, DATA).bytes.buffer);
  const end = viewOf(ending.scene);
  return {
    outcome: ending.outcome.split(" ")[0],
    memory: [read(after, 0), read(after, size)],
    old: [end.getBigUint64(registerOffset(0), true), end.getBigUint64(registerOffset(1), true)],
  };
}

test.each(BACKENDS)("$name: both halves decide, and the old value is returned", (backend) => {
  expect(disassemble(CASP_X, 0n)).toBe("casp x0, x1, x2, x3, [x5]");
  for (const word of [CASP_X, CASP_W]) {
    const equal = run(backend, word, DATA, [1n, 2n], [1n, 2n]);
    expect([equal.memory, equal.old]).toEqual([
      [0xaaaa_bbbbn, 0xcccc_ddddn],
      [1n, 2n],
    ]);
    for (const memory of [
      [1n, 3n],
      [3n, 2n],
    ] as const) {
      const different = run(backend, word, DATA, [1n, 2n], memory);
      expect([different.memory, different.old]).toEqual([memory, memory]);
    }
  }
});

test.each(BACKENDS)("$name: an address that is not aligned to the whole pair faults", (backend) => {
  expect(run(backend, CASP_X, DATA + 8n, [1n, 2n], [1n, 2n]).outcome).toBe("fault");
  expect(run(backend, CASP_W, DATA + 4n, [1n, 2n], [1n, 2n]).outcome).toBe("fault");
});
