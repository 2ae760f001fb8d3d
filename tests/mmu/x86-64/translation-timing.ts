/**
 * Times the slow twins of the fast TLB: nanoseconds per call of translate(). Not a test; run it with
 * `npx rolldown tests/mmu/x86-64/translation-timing.ts --platform node --file dist/timing.mjs && node dist/timing.mjs`.
 */
import { FETCH, PTE_A, PTE_D, PTE_P, PTE_RW, PTE_US, READ, USER, WRITE } from "../../../mmu/index.ts";
import { World } from "./world.ts";

const FLAGS = PTE_P | PTE_RW | PTE_US;
const ROUNDS = 2_000_000;

function time(name: string, rounds: number, body: (rounds: number) => void): void {
  body(rounds >> 2);
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5; i++) {
    const start = process.cpuUsage();
    body(rounds);
    best = Math.min(best, (process.cpuUsage(start).user * 1000) / rounds);
  }
  process.stdout.write(`${name.padEnd(60)} ${best.toFixed(1)} ns\n`);
}

const world = new World({ ramBytes: 0x800_0000 });
const { unit } = world;
/** Pages 4 KiB apart, and pages each under a page table of its own. */
const DENSE = 16;
const SPARSE = 4096;
const SPARSE_STEP = 0x20_1000;
for (let i = 0; i < DENSE; i++) world.map(0x1000_0000 + i * 4096, 0, world.frame(), FLAGS);
for (let i = 0; i < SPARSE; i++) {
  const address = i * SPARSE_STEP;
  world.map(address | 0, 0x10 + Math.floor(address / 2 ** 32), world.frame(), FLAGS);
}
let sum = 0;

time("first-level hit", ROUNDS, (rounds) => {
  for (let i = 0; i < rounds; i++) sum += unit.translate(0x1000_0000 + ((i & 15) << 12), 0, READ, USER);
});
time("first-level hit, write", ROUNDS, (rounds) => {
  for (let i = 0; i < rounds; i++) sum += unit.translate(0x1000_0000 + ((i & 15) << 12), 0, WRITE, USER);
});
time("second-level hit (fetch and read in turn after INVLPG of none)", ROUNDS, (rounds) => {
  // 512 pages over 64 first-level entries.
  for (let i = 0; i < rounds; i++) {
    const address = (i & 511) * SPARSE_STEP;
    sum += unit.translate(address | 0, 0x10, READ, USER);
  }
});
time("walk from the PDPTE cache or above (2-4 reads), fills, evictions", ROUNDS >> 1, (rounds) => {
  for (let i = 0; i < rounds; i++) {
    const address = ((i * 1031) & (SPARSE - 1)) * SPARSE_STEP;
    sum += unit.translate(address | 0, 0x10 + Math.floor(address / 2 ** 32), WRITE, USER);
  }
});
time("INVLPG of a page that is not cached", ROUNDS, (rounds) => {
  for (let i = 0; i < rounds; i++) unit.invlpg(0x2000_0000 + ((i & 15) << 12), 0);
});
time("INVLPG, then a whole walk of 4 reads and its fills", ROUNDS >> 1, (rounds) => {
  for (let i = 0; i < rounds; i++) {
    const lo = 0x1000_0000 + ((i & 15) << 12);
    unit.invlpg(lo, 0);
    sum += unit.translate(lo, 0, WRITE, USER);
  }
});
time("not-present fault after a whole walk", ROUNDS >> 1, (rounds) => {
  for (let i = 0; i < rounds; i++) sum += unit.translate(0x1001_0000 + ((i & 15) << 12), 0, WRITE, USER);
});
const leaves = Array.from({ length: DENSE }, (_, i) => world.slot(0x1000_0000 + i * 4096, 0, 1));
time("fault on a page, its mapping, and the walk after the return", ROUNDS >> 1, (rounds) => {
  for (let i = 0; i < rounds; i++) {
    const page = i & (DENSE - 1);
    const lo = 0x1000_0000 + page * 4096;
    world.write(leaves[page]!, 0, 0);
    unit.invlpg(lo, 0);
    sum += unit.translate(lo, 0, WRITE, USER);
    world.write(leaves[page]!, 0x100 + page, FLAGS | PTE_A | PTE_D);
    sum += unit.translate(lo, 0, WRITE, USER);
  }
});
time("MOV to CR3, flushing 16 entries of each kind, and their walks / 16", ROUNDS >> 5, (rounds) => {
  for (let i = 0; i < rounds; i++) {
    unit.writeCr3(unit.cr3Lo, unit.cr3Hi);
    for (let page = 0; page < 16; page++) sum += unit.translate(0x1000_0000 + (page << 12), 0, FETCH, USER);
  }
});
time("MOV to CR3 alone", ROUNDS >> 3, (rounds) => {
  for (let i = 0; i < rounds; i++) unit.writeCr3(unit.cr3Lo, unit.cr3Hi);
});
process.stdout.write(`(checksum ${sum})\n`);
