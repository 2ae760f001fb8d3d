/**
 * Access rights: Intel SDM vol. 3A 4.6.1 (determination of access rights) and 4.6.2 (protection keys). What the
 * control registers say is folded into nine masks, one per privilege and kind, over the eight combinations of a
 * translation's (XD, U/S, R/W): bit n of a mask says that combination n permits the access.
 */
import { FETCH, IMPLICIT, READ, SUPERVISOR, USER, WRITE } from "../translation.ts";
import { ATTRIBUTE_KEY_SHIFT, ATTRIBUTE_US, S_AC, S_CR0, S_CR4, S_EFER, S_PKRU, S_RIGHTS } from "./layout.ts";
import { CR0_WP, CR4_PKE, CR4_SMAP, CR4_SMEP, EFER_NXE } from "./paging.ts";

/** Combinations with R/W = 1, with U/S = 1, with XD = 1. */
const WITH_RW = 0xaa;
const WITH_US = 0xcc;
const WITH_XD = 0xf0;
const ALL = 0xff;

/** Recomputes the masks from CR0, CR4, EFER and EFLAGS.AC in the words. */
export function deriveRights(words: Int32Array): void {
  const cr4 = words[S_CR4];
  const executable = words[S_EFER] & EFER_NXE ? ALL & ~WITH_XD : ALL;
  const writable = words[S_CR0] & CR0_WP ? WITH_RW : ALL;
  // SMAP: explicit supervisor data accesses to user-mode addresses need AC = 1; implicit ones are never allowed.
  const implicitData = cr4 & CR4_SMAP ? ALL & ~WITH_US : ALL;
  const explicitData = words[S_AC] !== 0 ? ALL : implicitData;
  const supervisorFetch = cr4 & CR4_SMEP ? executable & ~WITH_US : executable;
  set(words, USER, READ, WITH_US);
  set(words, USER, WRITE, WITH_US & WITH_RW);
  set(words, USER, FETCH, WITH_US & executable);
  set(words, SUPERVISOR, READ, explicitData);
  set(words, SUPERVISOR, WRITE, explicitData & writable);
  set(words, SUPERVISOR, FETCH, supervisorFetch);
  set(words, IMPLICIT, READ, implicitData);
  set(words, IMPLICIT, WRITE, implicitData & writable);
  set(words, IMPLICIT, FETCH, supervisorFetch);
}

/** The translation with these attributes permits the access. @hot */
export function isPermitted(words: Int32Array, attributes: number, kind: number, privilege: number): boolean {
  if (((words[S_RIGHTS + privilege * 3 + kind] >>> (attributes & 7)) & 1) === 0) return false;
  return !keyDenies(words, attributes, kind, privilege);
}

/**
 * PKRU denies the access: a data access to a user-mode address whose key has AD = 1, or WD = 1 and the access is a
 * write that either CR0.WP or user mode makes subject to it. @hot
 */
export function keyDenies(words: Int32Array, attributes: number, kind: number, privilege: number): boolean {
  if ((words[S_CR4] & CR4_PKE) === 0 || (attributes & ATTRIBUTE_US) === 0 || kind === FETCH) return false;
  const bits = words[S_PKRU] >>> (((attributes >>> ATTRIBUTE_KEY_SHIFT) & 15) << 1);
  if ((bits & 1) !== 0) return true;
  return (bits & 2) !== 0 && kind === WRITE && (privilege === USER || (words[S_CR0] & CR0_WP) !== 0);
}

function set(words: Int32Array, privilege: number, kind: number, mask: number): void {
  words[S_RIGHTS + privilege * 3 + kind] = mask;
}
