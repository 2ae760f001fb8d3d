/**
 * The kernel function in which an event happens, read from the host's call stack, which a replay can afford. A name is
 * that of the source, whether the code is bundled or not: no class, no number that a bundler appended, no frame of a
 * generator's machinery.
 */

/** Functions that only pass an event on: their callers say more. */
const PLUMBING: ReadonlySet<string> = new Set([
  // Whoever watches.
  "together",
  "event",
  "access",
  "range",
  // Locks.
  "lockAcquired",
  "lockReleased",
  "releaseInner",
  "lockGranted",
  "lockContended",
  "downRead",
  "downReadAcquire",
  "downReadTrylock",
  "downWrite",
  "downWriteAcquire",
  "upRead",
  "upWrite",
  "spinAcquire",
  "spinTrylock",
  "spinLock",
  "spinLockSlow",
  "spinUnlock",
  "spinLockIrqsave",
  "spinUnlockIrqrestore",
  "percpuDownReadTrylock",
  "percpuUpRead",
  "mmapReadLock",
  "mmapReadTrylock",
  "mmapReadUnlock",
  "mmapWriteLock",
  "mmapWriteLockKillable",
  "mmapWriteLockNested",
  "mmapWriteUnlock",
  "mmapWriteDowngrade",
  "mmuNotifierTrylock",
  "mmuNotifierUnlock",
  "lockPte",
  "mapLockByPoints",
  // Barriers.
  "dsb",
  "publishStores",
  "awaitAll",
  // Memory.
  "get",
  "set",
  "add",
  "delete",
  "has",
  "word",
  "read",
  "read32",
  "read64",
  "write32",
  "write64",
  "writeU64",
  "seqRead",
  "seqChanged",
  "seqUnchanged",
  "seqWriteBegin",
  "seqWriteEnd",
  "setPteAt",
  "free",
  "freeOrder",
  "putPage",
  "dropPage",
  "allocate",
  "allocateOrder",
  "tryAllocate",
  "tryAllocateZeroed",
  "flushRange",
  "queue",
  "callRcu",
  "afterWriteLock",
  "beforeWriteUnlock",
  "count",
  // Around all handlers.
  "run",
  "advance",
  "syscall",
]);

/** Whose functions are none of the kernel's. */
const OWNERS: ReadonlySet<string> = new Set(["Object", "StoryRecorder", "Recording"]);

/** Frames that are looked at: deep enough for the deepest path of the kernel. */
const FRAMES = 32;

/** The innermost function that is no plumbing, or "". */
export function kernelFunction(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES;
  const lines = (new Error().stack ?? "").split("\n");
  Error.stackTraceLimit = limit;
  for (const line of lines) {
    const name = functionOf(line);
    if (name !== null && !PLUMBING.has(name)) return name;
  }
  return "";
}

/** Name of a frame's function in the source; null: none of the kernel's. */
export function functionOf(line: string): string | null {
  const match = /^\s*at (?:async )?(?:([\w$#]+)\.)?([\w$#]+)(?: \[as \w+\])? \((.*)\)$/.exec(line);
  if (match === null) return null;
  const [, owner = "", name = "", place = ""] = match;
  // Objects without a class are tables of handlers and observers; private methods are parts of what is named.
  if (OWNERS.has(owner) || name.startsWith("#") || name === "kernelFunction") return null;
  if (owner === "Generator" || place.includes("<anonymous>") || name === "next") return null;
  return line.includes(".next (") ? null : name.replace(/\$\d+$/, "");
}
