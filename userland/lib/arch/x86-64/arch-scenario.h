/* x86-64: what the scenarios need from the architecture beyond arch.h. */
#pragma once

#include "arch.h"

/*
 * clone() with these flags; the child runs run(argument) on a stack that arch_scenario_stack() has prepared.
 * `child_tid` is for CLONE_CHILD_SETTID. Result: its pid, or -errno. The child's first instruction has the symbol
 * scenario_thread; it reaches run() without touching memory.
 */
long arch_scenario_clone(unsigned long flags, void *stack, void (*run)(void), const void *argument,
			 const volatile void *child_tid);

/* The stack that ends at `end`, such that run() returns to `then`, and that to `last`; where RSP is to begin. */
static inline void *arch_scenario_stack(char *end, void (*then)(void), void (*last)(void))
{
	void (**top)(void) = (void *)(end - 24); /* aligned as after a call */
	top[0] = then;
	top[1] = last;
	return top;
}

/*
 * Accesses that may take SIGSEGV. R11 says where to go on, and it is the address right behind the access, so that
 * the handler can tell such an access from any other instruction; RAX becomes 1 on a fault.
 */
static inline int arch_attempt_load(const volatile void *address, uint64_t *value)
{
	uint64_t loaded = 0;
	long faulted = 0;
	__asm__ volatile("leaq 1f(%%rip), %%r11\n\t"
			 "movq (%2), %0\n"
			 "1:"
			 : "+r"(loaded), "+a"(faulted)
			 : "r"(address)
			 : "r11", "memory");
	*value = loaded;
	return (int)faulted;
}

static inline int arch_attempt_store(volatile void *address, uint64_t value)
{
	long faulted = 0;
	__asm__ volatile("leaq 1f(%%rip), %%r11\n\t"
			 "movq %2, (%1)\n"
			 "1:"
			 : "+a"(faulted)
			 : "r"(address), "r"(value)
			 : "r11", "memory");
	return (int)faulted;
}

static inline int arch_attempt_add(volatile void *address, uint64_t value)
{
	long faulted = 0;
	__asm__ volatile("leaq 1f(%%rip), %%r11\n\t"
			 "lock addq %2, (%1)\n"
			 "1:"
			 : "+a"(faulted)
			 : "r"(address), "r"(value)
			 : "r11", "memory", "cc");
	return (int)faulted;
}

/* The handler's half: true if the context is at such an access; it then goes on behind it. */
static inline int arch_attempt_failed(struct ucontext *uc)
{
	uint64_t next = uc->context.r11;
	if (next - uc->context.rip - 1 >= 15)
		return 0;
	uc->context.rip = next;
	uc->context.rax = 1;
	return 1;
}
