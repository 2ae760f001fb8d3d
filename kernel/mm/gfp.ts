/** Allocation flags (include/linux/gfp.h): what an allocation may do to get its memory. */

/** May wait for memory: run the out-of-memory killer and sleep. */
export const GFP_DIRECT_RECLAIM: number = 1 << 0;
/** The page is zeroed. */
export const GFP_ZERO: number = 1 << 1;
/** Failure is expected and handled: no report. */
export const GFP_NOWARN: number = 1 << 2;
/** May dip into the reserve. */
export const GFP_HIGH: number = 1 << 3;

export const GFP_KERNEL: number = GFP_DIRECT_RECLAIM;
/** For contexts that must not sleep; fails when there is no memory at hand. */
export const GFP_NOWAIT: number = GFP_NOWARN;
export const GFP_ATOMIC: number = GFP_HIGH;
/** A page of a user mapping. */
export const GFP_HIGHUSER: number = GFP_KERNEL;
