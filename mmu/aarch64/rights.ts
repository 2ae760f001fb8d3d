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

/** Combinations in which an attribute is set: bit n of a mask stands for combination n. */
const ALL = 0xffff;
const RO = 0xaaaa;
const EL0 = 0xcccc;
const UXN = 0xf0f0;
const PXN = 0xff00;

/** Recomputes the masks from SCTLR_EL1 and PSTATE.PAN in the words: at every exception that changes PAN. @hot */
export function deriveRights(words: Int32Array): void {
  const wxn = (words[S_SCTLR_LO] & SCTLR_WXN) !== 0;
  const epan = (words[S_SCTLR_HI] & SCTLR_HI_EPAN) !== 0;
  const writable = ALL & ~RO;
  const el0Writable = EL0 & writable;
  const el0Executable = ALL & ~UXN;
  // What EL0 may write, EL1 may not execute, whatever PXN and WXN say.
  const executable = ALL & ~PXN & ~el0Writable & (wxn ? ~writable : ALL);
  const denied = words[S_PAN] === 0 ? 0 : epan ? EL0 | el0Executable : EL0;
  allow(words, USER, READ, EL0);
  allow(words, USER, WRITE, el0Writable);
  allow(words, USER, FETCH, el0Executable & (wxn ? ~el0Writable : ALL));
  allow(words, SUPERVISOR, READ, ALL & ~denied);
  allow(words, SUPERVISOR, WRITE, writable & ~denied);
  allow(words, SUPERVISOR, FETCH, executable);
  allow(words, IMPLICIT, READ, ALL);
  allow(words, IMPLICIT, WRITE, writable);
  allow(words, IMPLICIT, FETCH, executable);
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

/** @hot */
function allow(words: Int32Array, privilege: number, kind: number, combinations: number): void {
  words[S_RIGHTS + privilege * 3 + kind] = combinations;
}
