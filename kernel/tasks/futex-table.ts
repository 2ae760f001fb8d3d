/**
 * The hash table of futexes (kernel/futex/core.c). A bucket has a lock and a count of waiters in guest RAM; the queue of
 * its waiters is plain data that the lock guards. Nobody is lost: a waiter counts itself, takes the lock, reads the
 * user's word and queues itself under it; a waker has stored the word before it reads the count.
 */
import { type LockClass, lockClass } from "../locking/index.ts";
import { type I32Field, type KPtr, kptrOf, NULL, StructLayout } from "../struct.ts";

/** What two threads must agree on to meet at one futex. */
export interface FutexKey {
  /** mm_struct for private memory, the object for shared memory. */
  readonly space: KPtr;
  /** Address of the page, or index of the page in the object; int32 halves. */
  readonly pageLo: number;
  readonly pageHi: number;
  /** Offset in the page, with FUT_OFF_* bits: private and shared keys never match each other. */
  readonly offset: number;
}

/** Key bits beside the offset (FUT_OFF_INODE, FUT_OFF_MMSHARED). */
export const FUT_OFF_INODE = 1;
export const FUT_OFF_MMSHARED = 2;

export interface FutexWaiter {
  readonly pid: number;
  key: FutexKey;
  readonly bitset: number;
  /** The bucket on whose queue it is; -1 once it was woken. */
  bucket: number;
}

/** A power of two. */
export const FUTEX_BUCKETS = 256;
const BUCKET = new StructLayout("futex_hash_bucket");
/** Tasks that wait, or are about to look whether they must. */
export const bucketWaiters: I32Field = BUCKET.i32("waiters", "atomic");
export const bucketLock: I32Field = BUCKET.i32("lock", "lock word");
/** A cache line each. */
const BUCKET_BYTES = 64;
export const FUTEX_TABLE_BYTES: number = FUTEX_BUCKETS * BUCKET_BYTES;

export const FUTEX_LOCK: LockClass = lockClass({
  name: "futex_hash_bucket->lock",
  rank: 60,
  context: "process",
  kind: "spin",
  guards: "waiters of a bucket",
});

export class FutexTable {
  /** The buckets, FUTEX_TABLE_BYTES of zeroed guest RAM. */
  base: KPtr = NULL;
  readonly queues: FutexWaiter[][] = Array.from({ length: FUTEX_BUCKETS }, () => []);

  bucketAt(index: number): KPtr {
    return kptrOf(this.base + index * BUCKET_BYTES);
  }

  lockAt(index: number): KPtr {
    return kptrOf(bucketLock.at(this.bucketAt(index)));
  }

  /** No task waits while a machine is saved. */
  restore(base: KPtr): void {
    this.base = base;
    for (const queue of this.queues) if (queue.length !== 0) queue.length = 0;
  }
}

/** The bucket of a key. */
export function bucketOf(key: FutexKey): number {
  let hash = Math.imul(key.pageLo >>> 12, 0x9e37_79b1) ^ Math.imul(key.pageHi, 0x85eb_ca6b);
  hash = Math.imul(hash ^ (key.space >>> 6) ^ (key.offset << 7), 0xc2b2_ae35);
  return (hash >>> 16) & (FUTEX_BUCKETS - 1);
}

export function sameKey(a: FutexKey, b: FutexKey): boolean {
  return a.space === b.space && a.pageLo === b.pageLo && a.pageHi === b.pageHi && a.offset === b.offset;
}
