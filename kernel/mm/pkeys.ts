/** Memory protection keys: pkey_alloc(2), pkey_free(2), the execute-only key (arch/x86/mm/pkeys.c, mm/mprotect.c). */
import type { Context, Work } from "../context.ts";
import { EINVAL, ENOSPC } from "../errno.ts";
import type { KPtr } from "../struct.ts";
import { memoryOf } from "./memory.ts";
import { mmExecuteOnlyPkey, mmPkeyMap } from "./mm-struct.ts";
import { mmapWriteLock, mmapWriteUnlock } from "./mmap-lock.ts";

export const PKEY_DISABLE_ACCESS = 1;
export const PKEY_DISABLE_WRITE = 2;
const PKEY_ACCESS_MASK: number = PKEY_DISABLE_ACCESS | PKEY_DISABLE_WRITE;

/** mm_pkey_is_allocated(): by the user, so not the execute-only key. Locks: mmap_lock. */
export function pkeyIsAllocated(k: Context, mm: KPtr, key: number): boolean {
  if (key < 0 || key >= memoryOf(k).mmu.pkeys) return false;
  if (key === mmExecuteOnlyPkey.get(k.ram, mm)) return false;
  return ((mmPkeyMap.get(k.ram, mm) >>> key) & 1) !== 0;
}

/** mm_pkey_alloc(): the lowest free key, or -1. Locks: mmap_lock for write. */
function takePkey(k: Context, mm: KPtr): number {
  const map = mmPkeyMap.get(k.ram, mm);
  for (let key = 0; key < memoryOf(k).mmu.pkeys; key++) {
    if (((map >>> key) & 1) !== 0) continue;
    mmPkeyMap.set(k.ram, mm, map | (1 << key));
    return key;
  }
  return -1;
}

/** pkey_alloc(flags, rights): the key, -EINVAL, or -ENOSPC. */
export function* pkeyAlloc(k: Context, flags: number, rights: number): Work<number> {
  if (flags !== 0 || (rights & ~PKEY_ACCESS_MASK) !== 0) return -EINVAL;
  const mm = k.task!.mm;
  yield* mmapWriteLock(k, mm);
  const key = takePkey(k, mm);
  if (key >= 0) memoryOf(k).mmu.setKeyRights(k, key, rights);
  yield* mmapWriteUnlock(k, mm);
  return key < 0 ? -ENOSPC : key;
}

/** pkey_free(key): 0 or -EINVAL. Mappings keep the key. */
export function* pkeyFree(k: Context, key: number): Work<number> {
  const mm = k.task!.mm;
  yield* mmapWriteLock(k, mm);
  const isAllocated = pkeyIsAllocated(k, mm, key);
  if (isAllocated) mmPkeyMap.set(k.ram, mm, mmPkeyMap.get(k.ram, mm) & ~(1 << key));
  yield* mmapWriteUnlock(k, mm);
  return isAllocated ? 0 : -EINVAL;
}

/** execute_only_pkey(): the key whose data accesses are off, made at first use; -1: none. Locks: mmap_lock for write. */
export function executeOnlyPkey(k: Context, mm: KPtr): number {
  const m = memoryOf(k);
  let key = mmExecuteOnlyPkey.get(k.ram, mm);
  if (key < 0) {
    key = takePkey(k, mm);
    if (key < 0) return -1;
    mmExecuteOnlyPkey.set(k.ram, mm, key);
  } else if (!m.mmu.keyPermits(k, key, "read")) {
    return key;
  }
  m.mmu.setKeyRights(k, key, PKEY_DISABLE_ACCESS);
  return key;
}
