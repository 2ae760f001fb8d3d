/** What a block starts on: a core's state and the guest pages that exist. Backends run on a copy. */
import {
  STATE_END,
  STATE_FLAGS_A,
  STATE_FRONTEND_BASE,
  STATE_PC,
  STATE_TEMPS_BASE,
} from "../../emu/ir/index.ts";

export const PAGE_BYTES = 4096n;

export interface Page {
  readonly bytes: Uint8Array;
  readonly access: "read-write" | "read-only";
}

export interface Scene {
  /** The neutral head and the slots are set; temporaries hold whatever. */
  readonly state: Uint8Array;
  /** By the virtual address of the page. */
  readonly pages: Map<bigint, Page>;
}

/** Slots filled with a pattern that shows stray writes, no condition bit set, no memory. */
export function emptyScene(pc: bigint): Scene {
  const state = new Uint8Array(STATE_END);
  for (let offset = STATE_FRONTEND_BASE; offset < STATE_TEMPS_BASE; offset++)
    state[offset] = offset * 37 + (offset >> 8) * 11;
  const scene: Scene = { state, pages: new Map() };
  viewOf(scene).setBigUint64(STATE_PC, pc, true);
  return scene;
}

export function copyScene(scene: Scene): Scene {
  const pages = [...scene.pages].map(([address, { bytes, access }]): [bigint, Page] => [
    address,
    { bytes: bytes.slice(), access },
  ]);
  return { state: scene.state.slice(), pages: new Map(pages) };
}

export function viewOf(scene: Scene): DataView {
  return new DataView(scene.state.buffer, scene.state.byteOffset, scene.state.byteLength);
}

/** The page of an address, mapped if it is not yet. */
export function mapPage(scene: Scene, address: bigint, access: Page["access"] = "read-write"): Page {
  const pageAddress = BigInt.asUintN(64, address) & ~(PAGE_BYTES - 1n);
  let page = scene.pages.get(pageAddress);
  if (page === undefined) {
    page = { bytes: new Uint8Array(Number(PAGE_BYTES)), access };
    scene.pages.set(pageAddress, page);
  }
  return page;
}

/** What a test can see of an ended run: everything but temporaries, as text, one fact per line. */
export function visible(scene: Scene): Map<string, string> {
  const facts = new Map<string, string>();
  const view = viewOf(scene);
  facts.set("pc", hex(view.getBigUint64(STATE_PC, true)));
  facts.set("flags", hex(view.getBigUint64(STATE_FLAGS_A, true)));
  for (let offset = STATE_FRONTEND_BASE; offset < STATE_TEMPS_BASE; offset += 8)
    facts.set(`@${offset}`, hex(view.getBigUint64(offset, true)));
  for (const [address, { bytes }] of scene.pages) {
    const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let offset = 0; offset < bytes.length; offset += 8)
      facts.set(`memory ${hex(address + BigInt(offset))}`, hex(words.getBigUint64(offset, true)));
  }
  return facts;
}

/** Facts in which two runs differ, as `fact: first, second`. */
export function differences(first: Scene, second: Scene): string[] {
  const [a, b] = [visible(first), visible(second)];
  const names = new Set([...a.keys(), ...b.keys()]);
  return [...names]
    .filter((name) => a.get(name) !== b.get(name))
    .map((name) => `${name}: ${a.get(name)}, ${b.get(name)}`);
}

export function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
