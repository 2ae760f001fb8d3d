/** The public face of kernel/mm/. */
export { brk } from "./brk.ts";
export { duplicateMm } from "./fork.ts";
export { madvise } from "./madvise.ts";
export { Memory, type MemoryOptions, memoryOf } from "./memory.ts";
export { allocateMm, dropUsersOfMm, exitMm, grabUsersOfMm, mmUsersOf } from "./mm-lifetime.ts";
export {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_GROWSDOWN,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_STACK,
  mmapAnonymous,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "./mmap.ts";
export { mprotect } from "./mprotect.ts";
export { mremap, type RemapRequest } from "./mremap.ts";
export { munmap } from "./munmap.ts";
export { pkeyAlloc, pkeyFree } from "./pkeys.ts";
export { type SharedPlace, sharedObjectAt } from "./shared-place.ts";
