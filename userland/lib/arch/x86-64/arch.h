/*
 * x86-64: what the library and the programs need from the architecture.
 * An architecture folder provides this header, numbers.h and the assembly files; nothing else of
 * userland/ names a register, an instruction or a layout that differs between architectures.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "numbers.h"

#define ARCH_NAME "x86_64" /* the machine field of uname */

/* mmap gives addresses below 2^47; with 5 levels a hint leads above. */
#define ARCH_DEFAULT_ADDRESS_BITS 47
#define ARCH_HIGHEST_ADDRESS_BITS 56

/* System call: number in RAX, arguments in RDI RSI RDX R10 R8 R9; RCX and R11 are overwritten. */
static inline long arch_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/* A hint that this core is waiting for another one. */
static inline void arch_pause(void)
{
	__asm__ volatile("pause" ::: "memory");
}

/* The thread pointer lives in FS; the word that it points at holds its own address. */
static inline void *arch_thread_pointer(void)
{
	void *pointer;
	__asm__ volatile("movq %%fs:0, %0" : "=r"(pointer));
	return pointer;
}

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004

static inline long arch_set_thread_pointer(void *pointer)
{
	return arch_syscall(SYS_arch_prctl, ARCH_SET_FS, (long)pointer, 0, 0, 0, 0);
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

#define ARCH_SA_FLAGS 0x04000000UL /* SA_RESTORER: mandatory on x86-64 */
#define ARCH_MINSIGSTKSZ 2048
#define ARCH_RED_ZONE 128 /* bytes below the stack pointer that a frame must spare */

/* The function that a handler returns to: rt_sigreturn. */
void arch_signal_return(void);

struct arch_context {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t error_code, trap_number, old_mask, cr2;
	void *fpstate;
	uint64_t reserved[8];
};

struct ucontext {
	uint64_t flags;
	struct ucontext *link;
	struct {
		void *sp;
		int flags;
		size_t size;
	} stack;
	struct arch_context context;
	uint64_t mask;
};

static inline uintptr_t arch_context_pc(const struct ucontext *uc)
{
	return uc->context.rip;
}

static inline void arch_context_set_pc(struct ucontext *uc, uintptr_t pc)
{
	uc->context.rip = pc;
}

static inline uintptr_t arch_context_sp(const struct ucontext *uc)
{
	return uc->context.rsp;
}

/* True if a store faulted, false for a load or fetch: from the syndrome in the context. */
static inline int arch_context_is_write(const struct ucontext *uc)
{
	return (uc->context.error_code >> 1) & 1;
}

/* What the frame of a SIGSEGV must say, checked by arch_check_fault(). */
enum arch_access { ARCH_ACCESS_LOAD, ARCH_ACCESS_STORE, ARCH_ACCESS_FETCH };
enum arch_mapping {
	ARCH_MAPPING_NONE, /* nothing mapped, or no access at all: the table entry is not present */
	ARCH_MAPPING_PRESENT, /* present, but without the right */
	ARCH_MAPPING_KERNEL, /* the kernel's half, where Linux always reports "present" */
	ARCH_MAPPING_NONCANONICAL,
};

/*
 * The syndrome in the frame (vector, error code, CR2), the segments and the system flags, against what the
 * program knows. Returns a description of the first mismatch, or NULL.
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
int arch_try_add(uint64_t *address, uint64_t value); /* atomic: one locked instruction, whose fault is a write */

/* The PCs that may fault in the three functions above, and the PC at which they then go on. */
extern const uintptr_t arch_guarded_pcs[];
extern const uintptr_t arch_guarded_pcs_end[];
void arch_guarded_fixup(void);

/* ---- the register probe (programs/sigsegv.c) ---- */

/* The number of general registers that can be given a pattern around a faulting access. */
#define ARCH_PROBE_REGISTERS 13

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

/* An address that no page table can map (not canonical with 4 or 5 levels): SI_KERNEL without an address. */
#define ARCH_NONCANONICAL 0x8000123456789000UL

/* The first address of the kernel's half, with 4 and with 5 levels. */
#define ARCH_KERNEL_ADDRESS 0xffff800000000000UL

/* ---- other faults: each function does nothing but take one, at the PC given ---- */

#define ARCH_ILLEGAL_CODE ILL_ILLOPN
void arch_illegal(void); /* SIGILL */
extern const char arch_illegal_pc[];

#define ARCH_HAS_DIVIDE_FAULT 1
void arch_divide(void); /* by zero: SIGFPE, FPE_INTDIV */
extern const char arch_divide_pc[];

/* The errors of arch_prctl(), and that it gives back what was set. NULL, or what is wrong. */
const char *arch_check_thread_pointer_calls(void *unmapped);

/* ---- protection keys: two bits per key, access disable and write disable (SDM vol. 3, 4.6.2) ---- */

#define ARCH_HAS_PKEYS 1

/* True if the CPU says that the key denied the access; the page was present then. */
static inline int arch_context_is_key_fault(const struct ucontext *uc)
{
	return (uc->context.error_code >> 5) & 1;
}

/* Instruction fetches are not checked against the key. */
#define ARCH_FETCH_IGNORES_PKEYS 1

/* Call only after pkey_alloc() has succeeded: without CR4.PKE both instructions are #UD. */
static inline uint32_t arch_pkey_rights_register(void)
{
	uint32_t eax, edx;
	__asm__ volatile("rdpkru" : "=a"(eax), "=d"(edx) : "c"(0));
	return eax;
}

static inline unsigned arch_pkey_get(int pkey)
{
	return (arch_pkey_rights_register() >> (2 * pkey)) & 3;
}

static inline void arch_pkey_set(int pkey, unsigned rights)
{
	uint32_t value = arch_pkey_rights_register();
	value = (value & ~(3U << (2 * pkey))) | (rights << (2 * pkey));
	__asm__ volatile("wrpkru" ::"a"(value), "c"(0), "d"(0) : "memory");
}
