/*
 * AArch64: what the library and the programs need from the architecture.
 * An architecture folder provides this header, numbers.h and the assembly files; nothing else of
 * userland/ names a register, an instruction or a layout that differs between architectures.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "numbers.h"

#define ARCH_NAME "aarch64" /* the machine field of uname */

/* mmap gives addresses below 2^48; with 52-bit translation a hint leads above. */
#define ARCH_DEFAULT_ADDRESS_BITS 48
#define ARCH_HIGHEST_ADDRESS_BITS 52

/* System call: number in X8, arguments in X0 … X5; the kernel keeps every register but X0. */
static inline long arch_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

/* A hint that this core is waiting for another one. */
static inline void arch_pause(void)
{
	__asm__ volatile("yield" ::: "memory");
}

/* The thread pointer is TPIDR_EL0. */
static inline void *arch_thread_pointer(void)
{
	void *pointer;
	__asm__ volatile("mrs %0, tpidr_el0" : "=r"(pointer));
	return pointer;
}

static inline long arch_set_thread_pointer(void *pointer)
{
	__asm__ volatile("msr tpidr_el0, %0" ::"r"(pointer) : "memory");
	return 0;
}

/*
 * clone() of a thread whose stack ends at `stack_top` (16-byte aligned). The child calls
 * thread_entry(thread_pointer) and does not return. Result: the child's tid, or -errno.
 */
long arch_clone_thread(unsigned long flags, void *stack_top, int *tid, void *thread_pointer);

/* clone() without a new stack: 0 in the child, its pid in the parent, or -errno. */
static inline long arch_clone_process(unsigned long flags)
{
	return arch_syscall(SYS_clone, (long)flags, 0, 0, 0, 0, 0);
}

/* ---- signals: the frame that the kernel leaves on the stack (asm/sigcontext.h, asm/ucontext.h) ---- */

#define ARCH_SA_FLAGS 0x04000000UL /* SA_RESTORER: else the return goes through the vDSO */
#define ARCH_MINSIGSTKSZ 5120
#define ARCH_RED_ZONE 0

/* The function that a handler returns to: rt_sigreturn. */
void arch_signal_return(void);

struct arch_context {
	uint64_t fault_address;
	uint64_t x[31];
	uint64_t sp, pc, pstate;
	uint8_t reserved[4096] __attribute__((aligned(16))); /* records: FPSIMD, the syndrome */
};

struct ucontext {
	uint64_t flags;
	struct ucontext *link;
	struct {
		void *sp;
		int flags;
		size_t size;
	} stack;
	uint64_t mask;
	uint8_t unused[1024 / 8 - sizeof(uint64_t)];
	struct arch_context context;
};
_Static_assert(offsetof(struct ucontext, context) == 176, "uc_mcontext");
_Static_assert(offsetof(struct arch_context, reserved) == 288, "__reserved");

static inline uintptr_t arch_context_pc(const struct ucontext *uc)
{
	return uc->context.pc;
}

static inline void arch_context_set_pc(struct ucontext *uc, uintptr_t pc)
{
	uc->context.pc = pc;
}

static inline uintptr_t arch_context_sp(const struct ucontext *uc)
{
	return uc->context.sp;
}

/* True if a store faulted, false for a load or fetch: from the syndrome in the context. */
int arch_context_is_write(const struct ucontext *uc);

/* What the frame of a SIGSEGV must say, checked by arch_check_fault(). */
enum arch_access { ARCH_ACCESS_LOAD, ARCH_ACCESS_STORE, ARCH_ACCESS_FETCH };
enum arch_mapping {
	ARCH_MAPPING_NONE, /* nothing mapped, or no access at all: the table entry is not valid */
	ARCH_MAPPING_PRESENT, /* valid, but without the right */
	ARCH_MAPPING_KERNEL, /* the kernel's half, of which Linux tells nothing */
	ARCH_MAPPING_NONCANONICAL, /* not here: these are ordinary translation faults */
};

/*
 * The syndrome in the frame (ESR_EL1, FAR_EL1) and PSTATE, against what the program knows. Returns a
 * description of the first mismatch, or NULL.
 */
const char *arch_check_fault(const struct ucontext *uc, uintptr_t address, enum arch_access access,
			     enum arch_mapping mapping);

/* The arithmetic flags that the register probe sets before its access. NULL, or the mismatch. */
const char *arch_check_probe_flags(const struct ucontext *uc);

/* Makes the interrupted context return from the function that it has just called. */
void arch_context_return(struct ucontext *uc);

/* ---- guarded accesses: 0, or 1 if the access took SIGSEGV (see lib/guarded.h) ---- */

int arch_try_load(const uint64_t *address, uint64_t *value);
int arch_try_store(uint64_t *address, uint64_t value);
int arch_try_add(uint64_t *address, uint64_t value); /* atomic: load-exclusive and store-exclusive */

/* arch_try_add() loads first: where it may not even load, its fault says that it was a read. */
#define ARCH_ADD_LOADS_FIRST 1

/* The PCs that may fault in the three functions above, and the PC at which they then go on. */
extern const uintptr_t arch_guarded_pcs[];
extern const uintptr_t arch_guarded_pcs_end[];
void arch_guarded_fixup(void);

/* ---- the register probe (programs/sigsegv.c) ---- */

/* The number of general registers that can be given a pattern around a faulting access. */
#define ARCH_PROBE_REGISTERS 29

/*
 * Loads `in` into the probe registers, does one 8-byte access to `address`, and stores the
 * registers' values to `out`. The access is a load into, or a store from, a register outside the set.
 */
void arch_probe_load(const void *address, const uint64_t *in, uint64_t *out);
void arch_probe_store(void *address, const uint64_t *in, uint64_t *out);
extern const char arch_probe_load_pc[], arch_probe_store_pc[];
extern const char arch_probe_load_next[], arch_probe_store_next[];

/* The context's slot of probe register `index`, and the register's name. */
uint64_t *arch_context_register(struct ucontext *uc, unsigned index);
const char *arch_register_name(unsigned index);

/* The first address of the kernel's half with 48 bits. */
#define ARCH_KERNEL_ADDRESS 0xffff000000000000UL

/* ---- other faults: each function does nothing but take one, at the PC given ---- */

#define ARCH_ILLEGAL_CODE ILL_ILLOPC
void arch_illegal(void); /* SIGILL */
extern const char arch_illegal_pc[];

/* TPIDR_EL0 keeps what is written to it, TPIDRRO_EL0 is 0. NULL, or what is wrong. */
const char *arch_check_thread_pointer_calls(void *unmapped);

/* No protection keys: a fault is never one of theirs. */
static inline int arch_context_is_key_fault(const struct ucontext *uc)
{
	(void)uc;
	return 0;
}
