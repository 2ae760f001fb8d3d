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
/** LDADD X5, X0, [X1], X5 = 0; CAS X5, X3, [X1], which fails; SWP X3, X0, [X1] */
const LDADD_ZERO = 0xf825_0020;
const CAS_FAILING = 0xc8a5_7c23;
const SWP = 0xf823_8020;
/** STLRB W3, [X1]; STRB W3, [X1, #63] and #64; LDXR X0, [X4] and STXR W2, X3, [X4], in the next granule */
const STLRB = 0x089f_fc23;
const LDXR_ELSEWHERE = 0xc85f_7c80;
const STRB_LAST = 0x3900_fc23;
const STRB_PAST = 0x3901_0023;
/** LDAXRB W0, [X1]; STLXRB W2, W3, [X1] */
const LDAXRB = 0x085f_fc20;
const STLXRB = 0x0802_fc23;
/** LDXP W0, W5, [X1]; STXP W2, W3, W5, [X1] */
const LDXP_WORDS = 0x887f_1420;
const STXP_WORDS = 0x8822_1423;

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
    ...(
      [
        ["an atomic addition of nothing", LDADD_ZERO],
        ["a compare-and-swap that fails", CAS_FAILING],
        ["a swap", SWP],
        ["a store-release of a byte", STLRB],
        ["a store to the granule's last byte", STRB_LAST],
      ] as const
    ).map(([name, word]) => {
      const turns: readonly (readonly [core: number, word: number])[] = [
        [1, LDR],
        [0, LDXR],
        [1, word],
        [0, STXR],
      ];
      return [`another core executes ${name}`, turns, [1n, 9n], null] as const;
    }),
    [
      "another core stores to the last byte before the granule",
      [
        [0, LDXR_ELSEWHERE],
        [1, STRB_LAST],
        [0, STXR_ELSEWHERE],
      ],
      [0n, 9n],
      OLD,
    ],
    [
      "another core stores past the granule",
      [
        [0, LDXR],
        [1, STRB_PAST],
        [0, STXR],
      ],
      [0n, 9n],
      0x77n,
    ],
    [
      "the core's own store comes between (IMPLEMENTATION DEFINED: it leaves the monitor)",
      [
        [0, LDXR],
        [0, STR],
        [0, STXR],
      ],
      [0n, 9n],
      0x77n,
    ],
    [
      "a byte with acquire and release",
      [
        [0, LDAXRB],
        [0, STLXRB],
      ],
      [0n, 9n],
      (OLD & ~0xffn) | 0x77n,
    ],
    [
      "a pair of words is stored",
      [
        [0, LDXP_WORDS],
        [0, STXP_WORDS],
      ],
      [0n, 9n],
      0x1111_2222_0000_0077n,
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
