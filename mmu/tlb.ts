/**
 * A TLB: a set-associative array of leaf translations. First-level TLBs say which fast-TLB tags are copies of their
 * entries, so that no tag outlives its entry. A structure that several page sizes share is probed once per size.
 */
import type { FastKeeper } from "./fast-keeper.ts";
import { type ArrayGeometry, type ArrayHost, type ArrayPlace, SetArray } from "./set-array.ts";

export type Tlb = SetArray;

/** A first-level TLB for data or for instructions. */
export function firstLevelTlb(
  host: ArrayHost,
  geometry: ArrayGeometry,
  place: ArrayPlace,
  keeper: FastKeeper,
  fastTags: "data" | "exec",
): Tlb {
  return new SetArray(host, geometry, place, { leadsTo: "frame", keeper, fastTags });
}

/** A TLB behind the first level; the fast TLB holds no copies of its entries. */
export function secondLevelTlb(host: ArrayHost, geometry: ArrayGeometry, place: ArrayPlace): Tlb {
  return new SetArray(host, geometry, place, { leadsTo: "frame", keeper: null, fastTags: "data" });
}
