import { expect, test } from "vitest";
import { CPU_MASK_BYTES, CpuSet, cpuMask, NR_CPUS } from "../../kernel/cpu-set.ts";
import { kptrOf, StructLayout } from "../../kernel/struct.ts";
import { PhysicalMemory } from "../../mmu/index.ts";

const MEMBERS = [0, 1, 31, 32, 33, 63, 64, 500, 1022, 1023];

test("a set holds any core below 1024, and iterates in order", () => {
  const set = CpuSet.of(...[...MEMBERS].reverse());
  const seen: number[] = [];
  for (let cpu = set.next(0); cpu >= 0; cpu = set.next(cpu + 1)) seen.push(cpu);
  expect(seen).toEqual(MEMBERS);
  expect(set.count()).toBe(MEMBERS.length);
  for (let cpu = 0; cpu < NR_CPUS; cpu++) expect(set.has(cpu)).toBe(MEMBERS.includes(cpu));
  for (const cpu of MEMBERS) set.delete(cpu);
  expect(set.isEmpty()).toBe(true);
  expect(set.next(NR_CPUS)).toBe(-1);
});

test("first, intersects, copies and saved forms", () => {
  const set = CpuSet.first(40);
  expect([set.count(), set.has(39), set.has(40)]).toEqual([40, true, false]);
  expect(set.intersects(CpuSet.of(39, 900))).toBe(true);
  expect(set.intersects(CpuSet.of(40, 900))).toBe(false);
  const copy = set.clone();
  copy.delete(3);
  expect(set.has(3)).toBe(true);
  expect(CpuSet.restored(JSON.parse(JSON.stringify(copy.save()))).save()).toEqual(copy.save());
});

test("a mask in guest RAM is the same bits, in words that do not touch their neighbours", () => {
  const layout = new StructLayout("holder");
  const before = layout.i32("before", "test");
  const mask = cpuMask(layout, "cpumask", "atomic");
  const after = layout.i32("after", "test");
  const ram = new PhysicalMemory(65536, 0);
  const object = kptrOf(4096);
  before.set(ram, object, -1);
  after.set(ram, object, -1);
  expect(CPU_MASK_BYTES).toBe(128);
  for (const cpu of MEMBERS) mask.add(ram, object, cpu);
  for (let cpu = 0; cpu < NR_CPUS; cpu++) expect(mask.has(ram, object, cpu)).toBe(MEMBERS.includes(cpu));
  const read = CpuSet.of(1000);
  mask.read(ram, object, 64, read);
  expect(read.save()).toEqual(CpuSet.of(0, 1, 31, 32, 33, 63).save());
  mask.delete(ram, object, 33);
  expect(mask.has(ram, object, 33)).toBe(false);
  mask.clear(ram, object);
  expect(MEMBERS.some((cpu) => mask.has(ram, object, cpu))).toBe(false);
  expect([before.get(ram, object), after.get(ram, object)]).toEqual([-1, -1]);
});
