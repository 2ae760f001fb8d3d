import { expect, test } from "vitest";
import { READ, type TranslationObserver, USER } from "../../../mmu/index.ts";
import { OPEN, World } from "./world.ts";

class Recorder implements TranslationObserver {
  readonly events: string[] = [];
  names: readonly string[] = [];
  fill(core: number, structure: number, lo: number, hi: number, frame: number): void {
    this.events.push(`fill ${core} ${this.names[structure]} ${hi}:${lo.toString(16)} ${frame.toString(16)}`);
  }
  evict(core: number, structure: number, lo: number, hi: number): void {
    this.events.push(`evict ${core} ${this.names[structure]} ${hi}:${lo.toString(16)}`);
  }
  invalidate(core: number, scope: string, lo: number, hi: number, entries: number): void {
    this.events.push(`${scope} ${core} ${hi}:${lo.toString(16)} ${entries}`);
  }
}

test("an observer sees fills in the order of the walk, evictions before the fill that needs the room, and scopes", () => {
  const observer = new Recorder();
  const world = new World({ observer });
  observer.names = world.unit.structureNames;
  // Five pages of one set of the four-way first level.
  for (let i = 0; i < 5; i++) world.map(0x40_0000 + i * 0x1_0000, 0, 0x800 + i, OPEN);
  observer.events.length = 0;
  world.unit.translate(0x40_0000, 0, READ, USER);
  expect(observer.events).toEqual([
    "fill 0 PML4E 0:0 2",
    "fill 0 PDPTE 0:0 3",
    "fill 0 PDE 0:400000 4",
    "fill 0 STLB 0:400000 800",
    "fill 0 L1D 4K 0:400000 800",
  ]);
  world.unit.translate(0x40_0000, 0, READ, USER);
  for (let i = 1; i < 4; i++) world.unit.translate(0x40_0000 + i * 0x1_0000, 0, READ, USER);
  observer.events.length = 0;
  world.unit.translate(0x44_0000, 0, READ, USER);
  expect(observer.events).toEqual([
    "fill 0 STLB 0:440000 804",
    "evict 0 L1D 4K 0:400000",
    "fill 0 L1D 4K 0:440000 804",
  ]);
  observer.events.length = 0;
  world.unit.invlpg(0x44_0000, 0);
  // First level, second level, and three paging-structure entries.
  expect(observer.events).toEqual(["INVLPG 0 0:440000 5"]);
  observer.events.length = 0;
  world.unit.translate(0x50_0000, 0, READ, USER);
  expect(observer.events.pop()).toBe("#PF 0 0:500000 3");
  world.unit.writeCr3(world.unit.cr3Lo, world.unit.cr3Hi);
  // Four pages in the second level, three of them in the first.
  expect(observer.events.pop()).toBe("CR3 0 0:0 7");
});
