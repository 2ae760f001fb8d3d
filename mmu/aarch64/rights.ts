/**
 * Access permissions: Arm ARM D8 "Memory access control", direct permissions (AP, UXN, PXN), "Hierarchical control of
 * data access permissions", PSTATE.PAN, SCTLR_EL1.WXN and EPAN. What the registers say is folded into nine masks, one
 * per privilege and kind, over the sixteen combinations of a translation's (PXN, UXN, EL0, RO): bit n of a mask says
 * that combination n permits the access.
 *
 * Privileges: USER is EL0, and what LDTR and STTR do at EL1; SUPERVISOR is EL1; IMPLICIT is EL1 where PSTATE.PAN has no
 * say (address translation and cache maintenance instructions).
 */
import { FETCH, IMPLICIT, READ, SUPERVISOR, USER, WRITE } from "../translation.ts";
import { SCTLR_HI_EPAN, SCTLR_WXN } from "./descriptors.ts";
import {
  ATTRIBUTE_EL0,
  ATTRIBUTE_PXN,
  ATTRIBUTE_RO,
  ATTRIBUTE_UXN,
  PERMISSIONS,
  S_PAN,
  S_RIGHTS,
  S_SCTLR_HI,
  S_SCTLR_LO,
} from "./layout.ts";

/** Recomputes the masks from SCTLR_EL1 and PSTATE.PAN in the words. */
export function deriveRights(words: Int32Array): void {
  const wxn = (words[S_SCTLR_LO] & SCTLR_WXN) !== 0;
  const pan = words[S_PAN] !== 0;
  const epan = (words[S_SCTLR_HI] & SCTLR_HI_EPAN) !== 0;
  words.fill(0, S_RIGHTS, S_RIGHTS + 9);
  for (let combination = 0; combination <= PERMISSIONS; combination++) {
    const el0 = (combination & ATTRIBUTE_EL0) !== 0;
    const writable = (combination & ATTRIBUTE_RO) === 0;
    const el0Writable = el0 && writable;
    const el0Executable = (combination & ATTRIBUTE_UXN) === 0;
    // What EL0 may write, EL1 may not execute, whatever PXN and WXN say.
    const executable = (combination & ATTRIBUTE_PXN) === 0 && !el0Writable;
    const panDenies = pan && (el0 || (epan && el0Executable));
    allow(words, USER, READ, combination, el0);
    allow(words, USER, WRITE, combination, el0Writable);
    allow(words, USER, FETCH, combination, el0Executable && !(wxn && el0Writable));
    allow(words, SUPERVISOR, READ, combination, !panDenies);
    allow(words, SUPERVISOR, WRITE, combination, writable && !panDenies);
    allow(words, SUPERVISOR, FETCH, combination, executable && !(wxn && writable));
    allow(words, IMPLICIT, READ, combination, true);
    allow(words, IMPLICIT, WRITE, combination, writable);
    allow(words, IMPLICIT, FETCH, combination, executable && !(wxn && writable));
  }
}

/** The translation with these attributes permits the access. @hot */
export function isPermitted(words: Int32Array, attributes: number, kind: number, privilege: number): boolean {
  return ((words[S_RIGHTS + privilege * 3 + kind] >>> (attributes & PERMISSIONS)) & 1) !== 0;
}

/** Limits of a table descriptor's APTable, UXNTable and PXNTable, joined to those above it. @hot */
export function limitRights(above: number, hi: number): number {
  const restricts =
    ((hi >>> 30) & ATTRIBUTE_RO) | ((hi >>> 26) & ATTRIBUTE_UXN) | ((hi >>> 24) & ATTRIBUTE_PXN);
  const el0 = ~(hi >>> 28) & ATTRIBUTE_EL0;
  return ((above | restricts) & ~ATTRIBUTE_EL0) | (above & el0);
}

/** Permissions of a leaf under the limits of the tables above; `ro` is its effective AP[2], 0 or 1. @hot */
export function leafRights(above: number, ro: number, lo: number, hi: number): number {
  const restricts = ro | ((hi >>> 20) & ATTRIBUTE_UXN) | ((hi >>> 18) & ATTRIBUTE_PXN);
  return ((above | restricts) & ~ATTRIBUTE_EL0) | (above & (lo >>> 5) & ATTRIBUTE_EL0);
}

function allow(
  words: Int32Array,
  privilege: number,
  kind: number,
  combination: number,
  permitted: unknown,
): void {
  if (permitted) words[S_RIGHTS + privilege * 3 + kind] |= 1 << combination;
}
