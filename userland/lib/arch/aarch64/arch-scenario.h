/* AArch64: what the scenarios need from the architecture beyond arch.h. */
#pragma once

#include "arch.h"

/*
 * clone() with these flags; the child runs run(argument) on a stack that arch_scenario_stack() has prepared.
 * `child_tid` is for CLONE_CHILD_SETTID. Result: its pid, or -errno. The child's first instruction has the symbol
 * scenario_thread; it reaches run() without touching memory.
 */
long arch_scenario_clone(unsigned long flags, void *stack, void (*run)(void), const void *argument,
			 const volatile void *child_tid);

/* The stack that ends at `end`, such that run() returns to `then`, and that to `last`; where SP is to begin. */
static inline void *arch_scenario_stack(char *end, void (*then)(void), void (*last)(void))
{
	void (**top)(void) = (void *)(end - 16);
	top[0] = then;
	top[1] = last;
	return top;
}

/*
 * Accesses that may take SIGSEGV. X16 says where to go on, and it is the address right behind the access, so that
 * the handler can tell such an access from any other instruction; X17 becomes 1 on a fault.
 */
static inline int arch_attempt_load(const volatile void *address, uint64_t *value)
{
	uint64_t loaded = 0;
	register long faulted __asm__("x17") = 0;
	__asm__ volatile("adr x16, 1f\n\t"
			 "ldr %0, [%2]\n"
			 "1:"
			 : "+&r"(loaded), "+r"(faulted)
			 : "r"(address)
			 : "x16", "memory");
	*value = loaded;
	return (int)faulted;
}

static inline int arch_attempt_store(volatile void *address, uint64_t value)
{
	register long faulted __asm__("x17") = 0;
	__asm__ volatile("adr x16, 1f\n\t"
			 "str %2, [%1]\n"
			 "1:"
			 : "+r"(faulted)
			 : "r"(address), "r"(value)
			 : "x16", "memory");
	return (int)faulted;
}

/* The load may fault, and the store. */
static inline int arch_attempt_add(volatile void *address, uint64_t value)
{
	uint64_t sum;
	uint32_t failed;
	register long faulted __asm__("x17") = 0;
	__asm__ volatile("adr x16, 2f\n"
			 "1:\tldaxr %1, [%3]\n\t"
			 "add %1, %1, %4\n\t"
			 "stlxr %w2, %1, [%3]\n\t"
			 "cbnz %w2, 1b\n"
			 "2:"
			 : "+r"(faulted), "=&r"(sum), "=&r"(failed)
			 : "r"(address), "r"(value)
			 : "x16", "memory");
	return (int)faulted;
}

/* The handler's half: true if the context is at such an access; it then goes on behind it. */
static inline int arch_attempt_failed(struct ucontext *uc)
{
	uint64_t next = uc->context.x[16];
	if (next - uc->context.pc - 4 > 12)
		return 0;
	uc->context.pc = next;
	uc->context.x[17] = 1;
	return 1;
}
