/**
 * What kernel steps cost, in core cycles. They stand for the instructions that a compiled kernel would execute; the
 * cost of memory accesses, traps and invalidations as such belongs to the machine profile. Magnitudes follow
 * published micro-benchmarks of x86-64 servers (uncontended locked operation about 20 cycles, a plain cached access 4,
 * SYSCALL entry and exit about 100, CR3 write about 200); they are constants of the cost model, not measurements.
 */

/** A marked plain load or store (READ_ONCE, WRITE_ONCE). */
export const COST_ACCESS = 4;
/** A locked read-modify-write of a cached line. */
export const COST_ATOMIC = 20;
/** One attempt on a lock word. */
export const COST_LOCK = 20;
export const COST_UNLOCK = 4;
/** CLI, STI, a change of the soft mask. */
export const COST_IRQ_MASK = 3;
/** Register save and restore, stack switch, entry checks: interrupt or exception, in and out. */
export const COST_TRAP_ENTRY = 60;
export const COST_TRAP_EXIT = 60;
/** The same for a system call. */
export const COST_SYSCALL_ENTRY = 40;
export const COST_SYSCALL_EXIT = 40;
/** STAC or CLAC, together with the checks of a user-copy helper. */
export const COST_USER_ACCESS = 10;
/** One chunk of a user copy (at most USER_CHUNK_BYTES). */
export const COST_USER_CHUNK = 8;
/** A page-table entry load or store. */
export const COST_PTE = 6;
/** Clearing or copying one 4 KiB page. */
export const COST_CLEAR_PAGE = 250;
export const COST_COPY_PAGE = 500;
/** Writing the interrupt command register. */
export const COST_IPI_SEND = 100;
/** End-of-interrupt. */
export const COST_IPI_ACK = 25;
/** Picking a task and switching registers and stack, without the address space. */
export const COST_CONTEXT_SWITCH = 300;
/** Programming the local timer. */
export const COST_TIMER = 50;
/** Preparing one deferred callback. */
export const COST_CALLBACK = 20;
/** A function call's worth of straight-line kernel code. */
export const COST_STEP = 10;
