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

/**
 * What a test can see of two ended runs and differs, as `fact: first, second`: PC, condition bits (explicit in both),
 * slots, memory. Temporaries and the rest of the neutral head are the backend's own.
 */
export function differences(first: Scene, second: Scene): string[] {
  const [a, b] = [viewOf(first), viewOf(second)];
  const found: string[] = [];
  const compare = (name: string, from: DataView, to: DataView, offset: number): void => {
    const [x, y] = [from.getBigUint64(offset, true), to.getBigUint64(offset, true)];
    if (x !== y) found.push(`${name}: ${hex(x)}, ${hex(y)}`);
  };
  compare("pc", a, b, STATE_PC);
  compare("flags", a, b, STATE_FLAGS_A);
  if (Buffer.compare(slotsOf(first), slotsOf(second)) !== 0)
    for (let offset = STATE_FRONTEND_BASE; offset < STATE_TEMPS_BASE; offset += 8)
      compare(`@${offset}`, a, b, offset);
  for (const [address, page] of first.pages) {
    const other = second.pages.get(address)!;
    if (Buffer.compare(page.bytes, other.bytes) === 0) continue;
    const [x, y] = [page, other].map(
      ({ bytes }) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
    );
    for (let offset = 0; offset < page.bytes.length; offset += 8)
      compare(`memory ${hex(address + BigInt(offset))}`, x!, y!, offset);
  }
  return found;
}

function slotsOf({ state }: Scene): Uint8Array {
  return state.subarray(STATE_FRONTEND_BASE, STATE_TEMPS_BASE);
}

export function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
