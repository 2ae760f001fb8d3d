/**
 * Sites in the kernel text from which kernel code touches user memory. A site has an address (where the core comes back
 * after a handled fault) and a fixup (where it comes back when the fault could not be handled); the exception table
 * pairs them. The numbers are neutral; the architecture places the stubs.
 */
export const SITE_COPY_TO_USER = 0;
export const SITE_COPY_FROM_USER = 1;
export const SITE_CLEAR_USER = 2;
export const SITE_GET_USER = 3;
export const SITE_PUT_USER = 4;
export const SITE_STRNCPY_FROM_USER = 5;
export const SITE_STRNLEN_USER = 6;
export const SITE_FUTEX_CMPXCHG = 7;
export const SITE_FUTEX_OP = 8;

/** Names for backtraces, by site. */
export const SITE_NAMES: readonly string[] = [
  "copy_to_user",
  "copy_from_user",
  "clear_user",
  "get_user",
  "put_user",
  "strncpy_from_user",
  "strnlen_user",
  "futex_atomic_cmpxchg_inatomic",
  "arch_futex_atomic_op_inuser",
];
