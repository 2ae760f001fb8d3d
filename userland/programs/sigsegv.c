/*
 * sigsegv [THREADS] [ROUNDS]
 * A SIGSEGV handler that verifies everything it is told. Every thread makes accesses that must fault: load
 * and store where nothing is mapped, store to a read-only page, load from a PROT_NONE page, accesses that
 * begin on a page with all rights and end on one with none, the null page, the kernel's half, a non-canonical
 * address, and a call into a page that is not executable. Defaults: the CPUs (2..16), 4 rounds.
 * Checks: si_signo, si_code and si_addr; in the ucontext the PC, SP, general registers, flags, fault syndrome
 * and signal mask; the stack's alignment and that the frame spares the red zone; that registers the handler
 * changes arrive changed, and all others unchanged; that an access repeated after mprotect succeeds.
 * Output: threads, rounds, faults handled. Status 0.
 */
#include "program.h"

const char program_name[] = "sigsegv";

enum remedy { SKIP, ALLOW, RETURN };

struct expectation {
	const char *what;
	uintptr_t address; /* of the access, and si_addr unless the address is not canonical */
	uintptr_t pc;
	int code;
	enum arch_access access;
	enum arch_mapping mapping;
	enum remedy remedy;
	void *allow; /* the page to make writable, for ALLOW */
	uint64_t registers[ARCH_PROBE_REGISTERS];
	int is_probe; /* the access is one of the register probe */
	unsigned handled;
};

static struct expectation expectations[MAX_THREADS];
static unsigned long rounds;

static void check_registers(struct expectation *e, struct ucontext *uc)
{
	for (unsigned i = 0; i < ARCH_PROBE_REGISTERS; i++) {
		uint64_t *slot = arch_context_register(uc, i);
		check(*slot == e->registers[i], "%s: %s is %lx in the ucontext instead of %lx", e->what,
		      arch_register_name(i), *slot, e->registers[i]);
	}
	const char *wrong = arch_check_probe_flags(uc);
	check(!wrong, "%s: %s", e->what, wrong);
}

static void on_fault(int signal, struct siginfo *info, struct ucontext *uc)
{
	struct thread *self = thread_self();
	struct expectation *e = &expectations[self->index];
	uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
	uintptr_t pc = arch_context_pc(uc);
	int is_addressless = e->mapping == ARCH_MAPPING_NONCANONICAL;

	check(signal == SIGSEGV && info->signo == SIGSEGV, "%s: signal %d, si_signo %d", e->what, signal, info->signo);
	check(info->code == e->code, "%s: si_code %d instead of %d (address %p, pc %lx)", e->what, info->code, e->code,
	      info->fault.address, pc);
	check((uintptr_t)info->fault.address == (is_addressless ? 0 : e->address), "%s: si_addr %p instead of %lx",
	      e->what, info->fault.address, e->address);
	check(pc == e->pc, "%s: the pc is %lx instead of %lx", e->what, pc, e->pc);
	const char *wrong = arch_check_fault(uc, e->address, e->access, e->mapping);
	check(!wrong, "%s: %s", e->what, wrong);
	check(uc->mask == 1UL << (SIGUSR1 - 1), "%s: the saved signal mask is %lx", e->what, uc->mask);
	check(frame % 16 == 0, "%s: the handler's stack is not aligned: %lx", e->what, frame);
	check((uintptr_t)(uc + 1) <= arch_context_sp(uc) - ARCH_RED_ZONE && frame < (uintptr_t)uc,
	      "%s: the frame %p does not lie below the stack pointer %lx", e->what, (void *)uc, arch_context_sp(uc));

	if (e->is_probe) {
		check_registers(e, uc);
		for (unsigned i = e->handled % 3; i < ARCH_PROBE_REGISTERS; i += 3)
			*arch_context_register(uc, i) = e->registers[i] = ~e->registers[i];
	}
	e->handled++;
	switch (e->remedy) {
	case SKIP:
		arch_context_set_pc(uc, e->access == ARCH_ACCESS_STORE ? (uintptr_t)arch_probe_store_next
									: (uintptr_t)arch_probe_load_next);
		break;
	case ALLOW: {
		long result = sys_mprotect(e->allow, page_size(), READ_WRITE);
		check(result == 0, "%s: mprotect in the handler returned %ld", e->what, result);
		break;
	}
	case RETURN:
		arch_context_return(uc);
		break;
	}
}

/* Makes the access at `at` with patterns in the registers; the fault must name `named`. */
static void probe(const char *what, uintptr_t at, uintptr_t named, int code, enum arch_access access,
		  enum arch_mapping mapping, void *allow)
{
	struct expectation *e = &expectations[thread_self()->index];
	uint64_t before[ARCH_PROBE_REGISTERS], after[ARCH_PROBE_REGISTERS];
	unsigned handled = e->handled;
	for (unsigned i = 0; i < ARCH_PROBE_REGISTERS; i++)
		e->registers[i] = before[i] = thread_random();
	e->what = what;
	e->address = named;
	e->code = code;
	e->access = access;
	e->mapping = mapping;
	e->is_probe = 1;
	e->remedy = allow ? ALLOW : SKIP;
	e->allow = allow;
	if (access == ARCH_ACCESS_STORE) {
		e->pc = (uintptr_t)arch_probe_store_pc;
		arch_probe_store((void *)at, before, after);
	} else {
		e->pc = (uintptr_t)arch_probe_load_pc;
		arch_probe_load((void *)at, before, after);
	}
	check(e->handled == handled + 1, "%s: %u signals for one access", what, e->handled - handled);
	for (unsigned i = 0; i < ARCH_PROBE_REGISTERS; i++)
		check(after[i] == e->registers[i], "%s: %s is %lx after the handler instead of %lx", what,
		      arch_register_name(i), after[i], e->registers[i]);
}

static void call(const char *what, void *target, int code, enum arch_mapping mapping)
{
	struct expectation *e = &expectations[thread_self()->index];
	unsigned handled = e->handled;
	e->what = what;
	e->pc = e->address = (uintptr_t)target;
	e->code = code;
	e->access = ARCH_ACCESS_FETCH;
	e->mapping = mapping;
	e->is_probe = 0;
	e->remedy = RETURN;
	((void (*)(void))target)();
	check(e->handled == handled + 1, "%s: %u signals for one call", what, e->handled - handled);
}

static void all_accesses(unsigned long round)
{
	size_t page = page_size(), offset = (round * 8) % (page - 8);
	/* Page 0: data; page 1: no access; page 2: read-only. No hole, or another thread's mmap would fill it. */
	char *base = map(3 * page);
	uintptr_t none = (uintptr_t)base + page, fixed = none + page;
	volatile uint64_t *word = page_word(base, 2);
	*page_word(base, 0) = 1;
	word[offset / 8] = ~0UL;
	long result = sys_mprotect(base + page, page, PROT_NONE);
	check(result == 0, "mprotect(PROT_NONE) returned %ld", result);
	result = sys_mprotect(base + 2 * page, page, PROT_READ);
	check(result == 0, "mprotect(PROT_READ) returned %ld", result);

	probe("load from a PROT_NONE page", none + offset, none + offset, SEGV_ACCERR, ARCH_ACCESS_LOAD,
	      ARCH_MAPPING_NONE, 0);
	probe("store to a PROT_NONE page", none + offset, none + offset, SEGV_ACCERR, ARCH_ACCESS_STORE,
	      ARCH_MAPPING_NONE, 0);
	probe("load into a PROT_NONE page", none - 3, none, SEGV_ACCERR, ARCH_ACCESS_LOAD, ARCH_MAPPING_NONE, 0);
	probe("store into a PROT_NONE page", none - 5, none, SEGV_ACCERR, ARCH_ACCESS_STORE, ARCH_MAPPING_NONE, 0);
	probe("store to a read-only page", fixed + offset, fixed + offset, SEGV_ACCERR, ARCH_ACCESS_STORE,
	      ARCH_MAPPING_PRESENT, 0);
	check(word[offset / 8] == ~0UL, "a store that faulted has changed the page: %lx", word[offset / 8]);
	probe("store to a page made writable", fixed + offset, fixed + offset, SEGV_ACCERR, ARCH_ACCESS_STORE,
	      ARCH_MAPPING_PRESENT, base + 2 * page);
	check(word[offset / 8] == 0, "a store repeated after mprotect has left %lx", word[offset / 8]);
	call("call into a page without PROT_EXEC", base, SEGV_ACCERR, ARCH_MAPPING_PRESENT);
	probe("load from the null page", offset, offset, SEGV_MAPERR, ARCH_ACCESS_LOAD, ARCH_MAPPING_NONE, 0);
	probe("store to the null page", offset, offset, SEGV_MAPERR, ARCH_ACCESS_STORE, ARCH_MAPPING_NONE, 0);
	call("call of address 16", (void *)16, SEGV_MAPERR, ARCH_MAPPING_NONE);
	probe("load from the kernel's half", ARCH_KERNEL_ADDRESS + offset, ARCH_KERNEL_ADDRESS + offset, SEGV_MAPERR,
	      ARCH_ACCESS_LOAD, ARCH_MAPPING_KERNEL, 0);
	probe("store to the kernel's half", ARCH_KERNEL_ADDRESS + offset, ARCH_KERNEL_ADDRESS + offset, SEGV_MAPERR,
	      ARCH_ACCESS_STORE, ARCH_MAPPING_KERNEL, 0);
#ifdef ARCH_NONCANONICAL
	probe("load from a non-canonical address", ARCH_NONCANONICAL + offset, ARCH_NONCANONICAL + offset, SI_KERNEL,
	      ARCH_ACCESS_LOAD, ARCH_MAPPING_NONCANONICAL, 0);
	probe("store to a non-canonical address", ARCH_NONCANONICAL + offset, ARCH_NONCANONICAL + offset, SI_KERNEL,
	      ARCH_ACCESS_STORE, ARCH_MAPPING_NONCANONICAL, 0);
#endif
	unmap(base, 3 * page);
}

static void run(struct thread *self)
{
	uint64_t mask = 1UL << (SIGUSR1 - 1);
	long result = sys_rt_sigprocmask(SIG_SETMASK, &mask, 0);
	check(result == 0, "rt_sigprocmask returned %ld", result);
	for (unsigned long round = 0; round < rounds; round++)
		all_accesses(round);
	self->result[0] = expectations[self->index].handled;
}

int main(int argc, char **argv)
{
	unsigned threads = (unsigned)argument(argc, argv, 1, "threads", default_threads(), 1, MAX_THREADS);
	rounds = argument(argc, argv, 2, "rounds", 4, 1, 1UL << 32);
	arguments_end(argc, argv, 2);
	struct sigaction action = {
		.handler = (void *)on_fault,
		.flags = SA_SIGINFO | ARCH_SA_FLAGS,
		.restorer = arch_signal_return,
	};
	long result = sys_rt_sigaction(SIGSEGV, &action, 0);
	check(result == 0, "rt_sigaction(SIGSEGV) returned %ld", result);
	uint64_t sum[4] = {0};
	threads_run(threads, run, 0, sum);
	printf("sigsegv: %u threads x %lu rounds: %lu faults, every siginfo and ucontext correct\n", threads, rounds,
	       sum[0]);
	return 0;
}
