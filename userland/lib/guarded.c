#include "guarded.h"

#include "print.h"
#include "syscalls.h"
#include "thread.h"

static void on_fault(int signal, struct siginfo *info, struct ucontext *uc)
{
	(void)signal;
	uintptr_t pc = arch_context_pc(uc);
	for (const uintptr_t *site = arch_guarded_pcs; site != arch_guarded_pcs_end; site++) {
		if (*site != pc)
			continue;
		struct thread *self = thread_self();
		self->fault.address = info->fault.address;
		self->fault.code = info->code;
		self->fault.is_write = arch_context_is_write(uc);
		self->fault.is_key_fault = arch_context_is_key_fault(uc);
		self->fault.pkey = info->code == SEGV_PKUERR ? info->fault.pkey : 0;
		arch_context_set_pc(uc, (uintptr_t)arch_guarded_fixup);
		return;
	}
	fail("unexpected SIGSEGV: si_code %d, address %p, pc %p", info->code, info->fault.address, (void *)pc);
}

void guarded_install(void)
{
	struct sigaction action = {
		.handler = (void *)on_fault,
		.flags = SA_SIGINFO | SA_NODEFER | ARCH_SA_FLAGS,
		.restorer = arch_signal_return,
	};
	long result = sys_rt_sigaction(SIGSEGV, &action, 0);
	check(result == 0, "rt_sigaction(SIGSEGV) returned %ld", result);
}

/* A fault must name the address that was accessed, and the access that was made. */
static int checked(int faulted, const volatile void *address, int is_write)
{
	if (!faulted)
		return 0;
	struct thread *self = thread_self();
	check(self->fault.code == SI_KERNEL || self->fault.address == address,
	      "SIGSEGV names address %p for an access to %p", self->fault.address, (void *)address);
	check(self->fault.code == SI_KERNEL || self->fault.is_write == is_write,
	      "SIGSEGV on a %s says that it was a %s", is_write ? "write" : "read",
	      self->fault.is_write ? "write" : "read");
	return 1;
}

int try_load(const volatile void *address, uint64_t *value)
{
	return checked(arch_try_load((const uint64_t *)address, value), address, 0);
}

int try_store(volatile void *address, uint64_t value)
{
	return checked(arch_try_store((uint64_t *)address, value), address, 1);
}

int try_add(volatile void *address, uint64_t value)
{
	int faulted = arch_try_add((uint64_t *)address, value);
#ifdef ARCH_ADD_LOADS_FIRST
	return checked(faulted, address, thread_self()->fault.is_write);
#else
	return checked(faulted, address, 1);
#endif
}
