/** The x86-64 machines. */

import { x86Frontend } from "../frontends/x86-64/index.ts";
import { X2ApicBus } from "../interrupts/index.ts";
import {
  cyclesPerSecond,
  X86_DEFAULT_PROFILE,
  X86_SMALL_PROFILE,
  X86Core,
  type X86Profile,
} from "../traps/x86-64/index.ts";
import type { MachineModel } from "./model.ts";

const EM_X86_64 = 62;
const VECTOR_PF = 14;
const FIRST_INTERRUPT = 32;
/** Core regions start on cache lines. */
const REGION_ALIGN_BYTES = 64;
const PAGE_INVALIDATIONS: ReadonlyMap<string, "leaf" | "any"> = new Map([
  ["INVLPG", "any"],
  ["INVPCID 0", "any"],
]);

interface Variant {
  readonly name: string;
  readonly description: string;
  readonly profile: X86Profile;
  readonly pagingLevels: 4 | 5;
  readonly contextSlots: number;
}

function x86Machine({ name, description, profile, pagingLevels, contextSlots }: Variant): MachineModel {
  const regionBytes = Math.ceil((X86Core.stateWords(profile) * 4) / REGION_ALIGN_BYTES) * REGION_ALIGN_BYTES;
  return {
    name,
    arch: "x86-64",
    description,
    elfMachine: EM_X86_64,
    cyclesPerSecond: cyclesPerSecond(profile),
    maxCores: 256,
    frontend: x86Frontend,
    coreStateBytes: regionBytes,
    leafShifts: [12, 21, 30],
    // The upper half holds the direct map and the kernel text: they lead to the same frames for ever.
    isPermanentMapping: (_lo, hi) => hi < 0,
    pageInvalidations: PAGE_INVALIDATIONS,
    firmware: { pagingLevels, contextSlots },
    readTrap: (word) => {
      const vector = word & 0xff;
      const kind = vector === VECTOR_PF ? "told" : vector < FIRST_INTERRUPT ? "exception" : "interrupt";
      return { kind, number: vector, text: `exception ${vector}` };
    },
    createCores: (ram, count, options) => {
      const bus = new X2ApicBus(profile.ipiLatencyCycles);
      return Array.from(
        { length: count },
        (_, id) =>
          new X86Core(id, ram, id * regionBytes, {
            profile,
            cores: count,
            bus,
            policy: options.policy,
            seed: options.seed + id * 0x9e37,
            observer: options.observer,
            ledger: options.ledger,
            isKernelText: options.isKernelText,
          }),
      );
    },
  };
}

export const X86_MACHINES: readonly MachineModel[] = [
  x86Machine({
    name: "x86-64",
    description: "Skylake-sized TLBs, 4-level paging, 3 GHz",
    profile: X86_DEFAULT_PROFILE,
    pagingLevels: 4,
    contextSlots: 6,
  }),
  x86Machine({
    name: "x86-64-la57",
    description: "the same with 5-level paging",
    profile: X86_DEFAULT_PROFILE,
    pagingLevels: 5,
    contextSlots: 6,
  }),
  x86Machine({
    name: "x86-64-small",
    description: "4-level paging with TLBs in miniature: evictions all the time, quick to restore",
    profile: X86_SMALL_PROFILE,
    pagingLevels: 4,
    contextSlots: 6,
  }),
  x86Machine({
    name: "x86-64-stress",
    description: "the same with two PCID slots per core, so that context slots are used again at once",
    profile: X86_SMALL_PROFILE,
    pagingLevels: 4,
    contextSlots: 2,
  }),
];
