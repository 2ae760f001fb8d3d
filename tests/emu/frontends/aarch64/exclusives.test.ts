/** Exclusive monitors of two cores over the same memory. DDI 0487, B2.10 "Synchronization and semaphores". */
import { describe, expect, test } from "vitest";
import { aarch64Frontend, registerOffset } from "../../../../emu/frontends/aarch64/index.ts";
import type { Block } from "../../../../emu/ir/index.ts";
import { runInTurn, type Turn } from "../../../exec/interpreter.ts";
import { emptyScene, mapPage, type Scene, viewOf } from "../../../exec/scene.ts";

const ENTRY = 0x40_0000;
const DATA = 0x50_0000n;
const OLD = 0x1111_2222_3333_4444n;

/** LDXR X0, [X1] */
const LDXR = 0xc85f_7c20;
/** STXR W2, X3, [X1] */
const STXR = 0xc802_7c23;
/** STXR W2, X3, [X4], in the next granule */
const STXR_ELSEWHERE = 0xc802_7c83;
/** STR X3, [X1] */
const STR = 0xf900_0023;
/** STR X0, [X1]: what LDXR read */
const STR_SAME = 0xf900_0020;
/** STR X3, [X1, #64]: the next granule */
const STR_NEXT_GRANULE = 0xf900_2023;
/** LDR X0, [X1] */
const LDR = 0xf940_0020;
/** LDXP X0, X5, [X1]; STXP W2, X3, X5, [X1] */
const LDXP = 0xc87f_1420;
const STXP = 0xc822_1423;

function blockOf(word: number): Block {
  const code = new Uint8Array(4);
  new DataView(code.buffer).setUint32(0, word, true);
  const options = { kernelText: false, maxInstructions: 1 };
  return aarch64Frontend.lift({ lo: ENTRY, hi: 0 }, code, 0, 4, options)!;
}

function sceneOf(): Scene {
  const scene = emptyScene(BigInt(ENTRY));
  const view = viewOf(scene);
  view.setBigUint64(registerOffset(1), DATA, true);
  view.setBigUint64(registerOffset(2), 9n, true);
  view.setBigUint64(registerOffset(3), 0x77n, true);
  view.setBigUint64(registerOffset(4), DATA + 64n, true);
  const { bytes } = mapPage(scene, DATA);
  new DataView(bytes.buffer).setBigUint64(0, OLD, true);
  return scene;
}

function register(state: Uint8Array, number: number): bigint {
  return new DataView(state.buffer, state.byteOffset).getBigUint64(registerOffset(number), true);
}

/** W2 of a core at the end: 0 stored, 1 not, 9 no exclusive store. And what memory holds then. */
function run(
  turns: readonly (readonly [core: number, word: number])[],
  fastTlb: "filled" | "empty",
): { status: [bigint, bigint]; memory: bigint } {
  const all: Turn[] = [...turns, [0, LDR] as const].map(([core, word]) => ({ core, block: blockOf(word) }));
  const [first, second] = runInTurn(all, sceneOf(), fastTlb) as [Uint8Array, Uint8Array];
  return { status: [register(first, 2), register(second, 2)], memory: register(first, 0) };
}

describe.each(["filled", "empty"] as const)("fast TLB %s", (fastTlb) => {
  test.each([
    [
      "a pair on one core stores",
      [
        [0, LDXR],
        [0, STXR],
      ],
      [0n, 9n],
      0x77n,
    ],
    ["no load, no store", [[0, STXR]], [1n, 9n], OLD],
    [
      "the second of two stores fails",
      [
        [0, LDXR],
        [0, STXR],
        [0, STXR],
      ],
      [1n, 9n],
      0x77n,
    ],
    [
      "another core's store comes between",
      [
        [1, LDR],
        [0, LDXR],
        [1, STR],
        [0, STXR],
      ],
      [1n, 9n],
      0x77n,
    ],
    [
      "another core stores the same value",
      [
        [1, STR_SAME],
        [1, LDR],
        [0, LDXR],
        [1, STR_SAME],
        [0, STXR],
      ],
      [1n, 9n],
      null,
    ],
    [
      "another core stores to the next granule",
      [
        [0, LDXR],
        [1, STR_NEXT_GRANULE],
        [0, STXR],
      ],
      [0n, 9n],
      0x77n,
    ],
    [
      "another core only loads",
      [
        [0, LDXR],
        [1, LDXR],
        [0, STXR],
      ],
      [0n, 9n],
      0x77n,
    ],
    [
      "of two cores the first to store wins",
      [
        [0, LDXR],
        [1, LDXR],
        [1, STXR],
        [0, STXR],
      ],
      [1n, 0n],
      0x77n,
    ],
    [
      "a store to another granule fails and opens the monitor",
      [
        [0, LDXR],
        [0, STXR_ELSEWHERE],
        [0, STXR],
      ],
      [1n, 9n],
      OLD,
    ],
    [
      "a pair of doublewords is stored",
      [
        [0, LDXP],
        [0, STXP],
      ],
      [0n, 9n],
      0x77n,
    ],
    [
      "a store between the halves' loads and the pair's store",
      [
        [0, LDXP],
        [1, STR],
        [0, STXP],
      ],
      [1n, 9n],
      0x77n,
    ],
  ] as const)("%s", (_, turns, status, memory) => {
    const end = run(turns, fastTlb);
    expect(end.status).toEqual(status);
    if (memory !== null) expect(end.memory).toBe(memory);
  });
});
