/**
 * A paging-structure (walk) cache of one level: a set-associative array whose entries lead to a table instead of a
 * frame and are keyed by the address bits that select it. They are never global.
 */
import { type ArrayGeometry, type ArrayHost, type ArrayPlace, SetArray } from "./set-array.ts";

export type WalkCache = SetArray;

export function walkCache(host: ArrayHost, geometry: ArrayGeometry, place: ArrayPlace): WalkCache {
  return new SetArray(host, geometry, place, { leadsTo: "table", keeper: null, fastTags: "data" });
}
