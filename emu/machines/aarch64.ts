/** The AArch64 machines. */

import { AARCH64_LEAF_SHIFTS, LateStoreBus, type TlbiName } from "../../mmu/index.ts";
import { aarch64Frontend } from "../frontends/aarch64/index.ts";
import { BroadcastBus, Gicv3Bus } from "../interrupts/index.ts";
import {
  AARCH64_DEFAULT_PROFILE,
  AARCH64_SMALL_PROFILE,
  Aarch64Core,
  type Aarch64Profile,
  CoreDomain,
} from "../traps/aarch64/index.ts";
import type { MachineModel } from "./model.ts";

const EM_AARCH64 = 183;
/** A trap's word is ESR_EL1, whose IL bit is set, or INTID << 8. */
const ESR_IL = 1 << 25;
const ESR_EC_SHIFT = 26;
/** SVC, and Instruction and Data Aborts from both levels. */
const TOLD_CLASSES: ReadonlySet<number> = new Set([0x15, 0x20, 0x21, 0x24, 0x25]);
/** Core regions start on cache lines. */
const REGION_ALIGN_BYTES = 64;

/** What the machines of the architecture differ in. */
export interface Aarch64Variant {
  readonly name: string;
  readonly description: string;
  readonly profile: Aarch64Profile;
  /** ASID bits that the kernel may use: fewer than the hardware has make generations roll over. */
  readonly asidBits: number;
}

const PAGE_INVALIDATIONS: ReadonlyMap<TlbiName, "leaf" | "any"> = new Map([
  ["VAE1", "any"],
  ["VAAE1", "any"],
  ["VALE1", "leaf"],
  ["VAALE1", "leaf"],
]);

export function aarch64Machine({ name, description, profile, asidBits }: Aarch64Variant): MachineModel {
  const regionBytes =
    Math.ceil((Aarch64Core.stateWords(profile) * 4) / REGION_ALIGN_BYTES) * REGION_ALIGN_BYTES;
  return {
    name,
    arch: "aarch64",
    description,
    elfMachine: EM_AARCH64,
    cyclesPerSecond: profile.cyclesPerSecond,
    maxCores: 256,
    frontend: aarch64Frontend,
    coreStateBytes: regionBytes,
    leafShifts: AARCH64_LEAF_SHIFTS,
    // The upper half holds the linear map and the kernel text: they lead to the same frames for ever.
    isPermanentMapping: (_lo, hi) => hi < 0,
    pageInvalidations: PAGE_INVALIDATIONS,
    firmware: { asidBits, ets2: profile.ets2 === "present" ? 1 : 0 },
    readTrap: (word) => {
      if ((word & ESR_IL) === 0) return { kind: "interrupt", number: word >>> 8, text: "" };
      const number = word >>> ESR_EC_SHIFT;
      const kind = TOLD_CLASSES.has(number) ? "told" : "exception";
      return { kind, number, text: `exception of class 0x${number.toString(16)}` };
    },
    createCores: (ram, count, options) => {
      const domain = new CoreDomain();
      const bus = new Gicv3Bus(profile.messageLatencyCycles);
      const broadcasts = new BroadcastBus(profile.broadcastLatencyCycles, profile.broadcastLatencyCycles);
      const mayBeLate = profile.ets2 === "absent";
      const storer = (): number => (cores[options.running()]!.budget.exploring ? options.running() : -1);
      const lateStores = mayBeLate ? new LateStoreBus(ram, storer) : null;
      const cores: Aarch64Core[] = Array.from(
        { length: count },
        (_, id) =>
          new Aarch64Core(id, ram, id * regionBytes, {
            profile,
            domain,
            bus,
            broadcasts,
            policy: options.policy,
            seed: options.seed + id * 0x9e37,
            observer: options.observer,
            ledger: options.ledger,
            isKernelText: options.isKernelText,
            lateStores,
          }),
      );
      return cores;
    },
  };
}

export const AARCH64_MACHINES: readonly MachineModel[] = [
  aarch64Machine({
    name: "aarch64",
    description: "Neoverse N1-sized TLBs, 3 GHz, counter at 1 GHz",
    profile: AARCH64_DEFAULT_PROFILE,
    asidBits: 16,
  }),
  aarch64Machine({
    name: "aarch64-small",
    description: "TLBs in miniature: evictions all the time, quick to restore",
    profile: AARCH64_SMALL_PROFILE,
    asidBits: 16,
  }),
  aarch64Machine({
    name: "aarch64-stress",
    description: "the same with two ASIDs more than cores, so that their generations roll over at once",
    profile: AARCH64_SMALL_PROFILE,
    asidBits: 1,
  }),
  aarch64Machine({
    name: "aarch64-ets2",
    description: "aarch64-small with FEAT_ETS2: walkers see page-table stores in order",
    profile: { ...AARCH64_SMALL_PROFILE, ets2: "present" },
    asidBits: 16,
  }),
  aarch64Machine({
    name: "aarch64-no-hafdbs",
    description: "aarch64-small without FEAT_HAFDBS: access flag and dirty state by fault",
    profile: {
      ...AARCH64_SMALL_PROFILE,
      translation: { ...AARCH64_SMALL_PROFILE.translation, hardwareUpdates: "none" },
    },
    asidBits: 16,
  }),
];
