/* TPIDR_EL0, which programs write themselves, and TPIDRRO_EL0, which only the kernel writes. */
#include "arch.h"

static uint64_t thread_pointer_read_only(void)
{
	uint64_t value;
	__asm__ volatile("mrs %0, tpidrro_el0" : "=r"(value));
	return value;
}

const char *arch_check_thread_pointer_calls(void *unmapped)
{
	(void)unmapped;
	void *own = arch_thread_pointer();
	arch_set_thread_pointer((void *)0x0123456789abcdefUL);
	long result = arch_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	void *kept = arch_thread_pointer();
	arch_set_thread_pointer(own);
	if (result != 0)
		return "sched_yield does not return 0";
	if (kept != (void *)0x0123456789abcdefUL)
		return "TPIDR_EL0 does not hold what was written to it";
	if (thread_pointer_read_only() != 0)
		return "TPIDRRO_EL0 of a 64-bit program is not 0";
	return 0;
}
