/*
 * signals [ROUNDS]
 * Signals beyond SIGSEGV: masks and pending signals, nesting, sa_mask, SA_NODEFER, SA_RESETHAND, alternate
 * stacks (also for a thread that overflows its own), tgkill between threads, system calls interrupted and
 * restarted, registers across asynchronous delivery, traps, and the deaths that no handler can prevent.
 * ROUNDS (default 8) is the number of asynchronous signals sent.
 * Checks: who runs, in which order, on which stack, with which siginfo; wait statuses of killed children.
 * Output: one line. Status 0.
 */
#include "program.h"

const char program_name[] = "signals";

#define BIT(signal) (1UL << ((signal) - 1))
#define ALT_SIZE (32UL * 1024)

static char log_text[32];
static volatile unsigned log_length; /* handlers change it while a system call of this file is made */
static uintptr_t handler_frame;
static int process;

static void note(char c)
{
	if (log_length < sizeof log_text - 1)
		log_text[log_length++] = c;
	log_text[log_length] = 0;
}

static void expect_log(const char *what, const char *expected)
{
	check(strcmp(log_text, expected) == 0, "%s: the order was \"%s\" instead of \"%s\"", what, log_text, expected);
	log_length = 0;
	log_text[0] = 0;
}

static void handle(int signal, void *handler, uint64_t flags, uint64_t mask)
{
	struct sigaction action = {
		.handler = handler,
		.flags = flags | SA_SIGINFO | ARCH_SA_FLAGS,
		.restorer = arch_signal_return,
		.mask = mask,
	};
	long result = sys_rt_sigaction(signal, &action, 0);
	check(result == 0, "rt_sigaction(%d) returned %ld", signal, result);
}

static void set_mask(uint64_t mask)
{
	long result = sys_rt_sigprocmask(SIG_SETMASK, &mask, 0);
	check(result == 0, "rt_sigprocmask returned %ld", result);
}

static uint64_t get_mask(void)
{
	uint64_t mask = 0;
	long result = sys_rt_sigprocmask(SIG_BLOCK, 0, &mask);
	check(result == 0, "rt_sigprocmask returned %ld", result);
	return mask;
}

static void raise(int signal)
{
	long result = sys_tgkill(process, (int)sys_gettid(), signal);
	check(result == 0, "tgkill(%d) returned %ld", signal, result);
}

static void pause_shortly(void)
{
	struct timespec time = {0, 50000};
	sys_nanosleep(&time, 0);
}

/* ---- order ---- */

static void on_small(int signal, struct siginfo *info, struct ucontext *uc)
{
	(void)uc;
	check(info->signo == signal && info->code == SI_TKILL, "si_signo %d, si_code %d for signal %d by tgkill",
	      info->signo, info->code, signal);
	check(info->sender.pid == process, "si_pid %d instead of %d", info->sender.pid, process);
	note(signal == SIGUSR1 ? '1' : '2');
}

static void on_nesting(int signal, struct siginfo *info, struct ucontext *uc)
{
	(void)info;
	(void)uc;
	check(get_mask() & BIT(signal), "a signal is not blocked in its own handler");
	note('<');
	raise(SIGUSR2);
	note('-');
	raise(signal); /* blocked now: comes after this handler */
	note('>');
	handle(SIGUSR1, on_small, 0, 0);
}

static unsigned depth;

static void on_recursion(int signal, struct siginfo *info, struct ucontext *uc)
{
	(void)info;
	(void)uc;
	check(!(get_mask() & BIT(signal)), "SA_NODEFER: the signal is blocked in its handler");
	note('(');
	if (++depth < 4)
		raise(signal);
	note(')');
}

static void order(void)
{
	handle(SIGUSR1, on_small, 0, 0);
	handle(SIGUSR2, on_small, 0, 0);
	raise(SIGUSR1);
	expect_log("a signal to itself", "1");

	set_mask(BIT(SIGUSR1) | BIT(SIGUSR2));
	raise(SIGUSR2);
	raise(SIGUSR1);
	raise(SIGUSR1); /* not queued twice */
	expect_log("blocked signals", "");
	set_mask(0);
	/* Both are pending: the lower number is taken first, so its handler is entered below the other one. */
	check(log_length == 2, "unblocking delivered \"%s\"", log_text);
	expect_log("two pending signals", "21");

	uint64_t all = ~0UL;
	set_mask(all);
	check(get_mask() == (all & ~(BIT(SIGKILL) | BIT(SIGSTOP))), "the mask with everything blocked is %lx", get_mask());
	set_mask(0);

	handle(SIGUSR1, on_nesting, 0, 0);
	raise(SIGUSR1);
	expect_log("nested handlers", "<2->1");
	handle(SIGUSR1, on_nesting, 0, BIT(SIGUSR2));
	raise(SIGUSR1);
	check(log_length == 5 && memcmp(log_text, "<->", 3) == 0, "sa_mask: \"%s\"", log_text);
	expect_log("sa_mask", "<->21");

	handle(SIGUSR1, on_recursion, SA_NODEFER, 0);
	raise(SIGUSR1);
	expect_log("SA_NODEFER", "(((())))");

	handle(SIGUSR1, on_small, SA_RESETHAND, 0);
	raise(SIGUSR1);
	expect_log("SA_RESETHAND", "1");
	struct sigaction action;
	long result = sys_rt_sigaction(SIGUSR1, 0, &action);
	check(result == 0 && action.handler == SIG_DFL, "SA_RESETHAND left the handler %p", action.handler);
}

/* ---- alternate stacks ---- */

static void on_alternate(int signal, struct siginfo *info, struct ucontext *uc)
{
	(void)signal;
	(void)info;
	struct stack now, other = {uc, 0, ALT_SIZE};
	handler_frame = (uintptr_t)__builtin_frame_address(0);
	long result = sys_sigaltstack(0, &now);
	check(result == 0 && (now.flags & SS_ONSTACK), "sigaltstack in the handler: %ld, flags %x", result, now.flags);
	check(uc->stack.sp == now.sp && uc->stack.size == now.size, "uc_stack is %p, %zu", uc->stack.sp, uc->stack.size);
	result = sys_sigaltstack(&other, 0);
	check(result == -EPERM, "sigaltstack while the stack is in use returned %ld", result);
	note('a');
}

static void alternate(void)
{
	char *memory = map(ALT_SIZE);
	struct stack stack = {memory, 0, ALT_SIZE}, old;
	long result = sys_sigaltstack(&stack, &old);
	check(result == 0 && old.flags == SS_DISABLE, "sigaltstack returned %ld, old flags %x", result, old.flags);
	handle(SIGUSR1, on_alternate, SA_ONSTACK, 0);
	raise(SIGUSR1);
	expect_log("alternate stack", "a");
	check(handler_frame >= (uintptr_t)memory && handler_frame < (uintptr_t)memory + ALT_SIZE,
	      "the handler ran at %lx, outside of the alternate stack", handler_frame);
	stack.flags = SS_DISABLE;
	result = sys_sigaltstack(&stack, &old);
	check(result == 0 && old.sp == memory && old.flags == 0, "sigaltstack(SS_DISABLE) returned %ld, old flags %x",
	      result, old.flags);
	unmap(memory, ALT_SIZE);
}

static void on_overflow(int signal, struct siginfo *info, struct ucontext *uc)
{
	(void)signal;
	struct thread *self = thread_self();
	uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
	struct stack *stack = self->argument;
	check(frame - (uintptr_t)stack->sp < stack->size, "overflow: the handler ran at %lx", frame);
	check(info->code == SEGV_ACCERR, "overflow: si_code %d", info->code);
	check(arch_context_sp(uc) - (uintptr_t)self->stack < 1UL << 20, "overflow: the stack pointer is %lx",
	      arch_context_sp(uc));
	self->result[0] = 1;
	sys_exit(0); /* there is nothing to return to */
}

static __attribute__((noinline)) uint64_t recurse_for_ever(volatile uint64_t *above)
{
	volatile uint64_t frame[64];
	frame[0] = *above + 1;
	if (frame[0] == 0)
		return 0;
	return recurse_for_ever(frame) + frame[0];
}

static void overflow(struct thread *self)
{
	struct stack *stack = self->argument;
	long result = sys_sigaltstack(stack, 0);
	check(result == 0, "sigaltstack in a thread returned %ld", result);
	volatile uint64_t zero = 0;
	self->result[1] = recurse_for_ever(&zero);
}

static void overflow_thread(void)
{
	struct stack stack = {map(ALT_SIZE), 0, ALT_SIZE};
	uint64_t sum[4] = {0};
	handle(SIGSEGV, on_overflow, SA_ONSTACK, 0);
	threads_run(1, overflow, &stack, sum);
	check(sum[0] == 1, "a thread that overflowed its stack did not reach the handler");
	unmap(stack.sp, ALT_SIZE);
}

/* ---- other threads ---- */

static struct {
	uint32_t phase; /* what the other thread has reached */
	uint32_t word;
	unsigned received;
	unsigned index; /* of the thread whose handler ran last */
	long result;
	uint32_t stop;
} remote;

static void on_remote(int signal, struct siginfo *info, struct ucontext *uc)
{
	(void)signal;
	(void)info;
	(void)uc;
	remote.index = thread_self()->index;
	__atomic_add_fetch(&remote.received, 1, __ATOMIC_RELEASE);
}

static void sleeper(struct thread *self)
{
	(void)self;
	__atomic_store_n(&remote.phase, 1, __ATOMIC_RELEASE);
	do
		remote.result = sys_futex(&remote.word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, 0);
	while (remote.result == 0 && __atomic_load_n(&remote.word, __ATOMIC_ACQUIRE) == 0);
	__atomic_store_n(&remote.phase, 2, __ATOMIC_RELEASE);
}

/* The next value of a computation that any damaged register would spoil. */
static __attribute__((noinline)) uint64_t churn(uint64_t seed)
{
	uint64_t a = seed, b = ~seed, c = seed * 3, d = seed ^ 0x5555, e = seed + 7, f = seed << 3;
	for (unsigned i = 0; i < 200; i++) {
		a += b ^ (c >> 7);
		b = (b << 13 | b >> 51) + d;
		c ^= e * 0x9e3779b97f4a7c15UL;
		d -= f + i;
		e = (e << 5 | e >> 59) ^ a;
		f += c & d;
	}
	return a ^ b ^ c ^ d ^ e ^ f;
}

static void churner(struct thread *self)
{
	uint64_t expected = churn(42);
	__atomic_store_n(&remote.phase, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&remote.stop, __ATOMIC_ACQUIRE)) {
		uint64_t value = churn(42);
		check(value == expected, "a computation under signals gave %lx instead of %lx", value, expected);
		self->result[0]++;
		if (self->result[0] % 16 == 0)
			sys_sched_yield();
	}
}

static void wait_phase(uint32_t phase)
{
	while (__atomic_load_n(&remote.phase, __ATOMIC_ACQUIRE) != phase)
		pause_shortly();
}

static void send(struct thread *thread, int signal)
{
	unsigned before = __atomic_load_n(&remote.received, __ATOMIC_ACQUIRE);
	long result = sys_tgkill(process, thread->tid, signal);
	check(result == 0, "tgkill to a thread returned %ld", result);
	while (__atomic_load_n(&remote.received, __ATOMIC_ACQUIRE) == before)
		pause_shortly();
	check(remote.index == thread->index, "a signal for thread %u ran in thread %u", thread->index, remote.index);
}

static void interrupted(void)
{
	memset(&remote, 0, sizeof remote);
	handle(SIGUSR1, on_remote, 0, 0);
	struct thread *thread = thread_create(sleeper, 1, 0);
	wait_phase(1);
	/* The first signals may come before the thread sleeps; one that comes later ends the sleep. */
	while (__atomic_load_n(&remote.phase, __ATOMIC_ACQUIRE) != 2) {
		sys_tgkill(process, thread->tid, SIGUSR1);
		pause_shortly();
	}
	check(remote.result == -EINTR, "an interrupted FUTEX_WAIT returned %ld", remote.result);
	thread_join(thread, 0);
}

static void restarted(unsigned long rounds)
{
	memset(&remote, 0, sizeof remote);
	handle(SIGUSR1, on_remote, SA_RESTART, 0);
	struct thread *thread = thread_create(sleeper, 1, 0);
	wait_phase(1);
	for (unsigned long i = 0; i < rounds; i++)
		send(thread, SIGUSR1);
	check(__atomic_load_n(&remote.phase, __ATOMIC_ACQUIRE) == 1, "SA_RESTART: FUTEX_WAIT returned %ld", remote.result);
	__atomic_store_n(&remote.word, 1, __ATOMIC_RELEASE);
	sys_futex(&remote.word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0);
	thread_join(thread, 0);
	check(remote.result == 0 || remote.result == -EAGAIN, "SA_RESTART: FUTEX_WAIT returned %ld", remote.result);
}

static void asynchronous(unsigned long rounds)
{
	memset(&remote, 0, sizeof remote);
	handle(SIGUSR1, on_remote, 0, 0);
	struct thread *thread = thread_create(churner, 1, 0);
	wait_phase(1);
	for (unsigned long i = 0; i < rounds; i++)
		send(thread, SIGUSR1);
	__atomic_store_n(&remote.stop, 1, __ATOMIC_RELEASE);
	thread_join(thread, 0);
}

/* ---- traps ---- */

static const char *trap_pc;
static int trap_code;

static void on_trap(int signal, struct siginfo *info, struct ucontext *uc)
{
	check(info->signo == signal && info->code == trap_code, "signal %d: si_signo %d, si_code %d instead of %d", signal,
	      info->signo, info->code, trap_code);
	check(info->fault.address == trap_pc && arch_context_pc(uc) == (uintptr_t)trap_pc,
	      "signal %d: si_addr %p, pc %lx instead of %p", signal, info->fault.address, arch_context_pc(uc),
	      (const void *)trap_pc);
	note(signal == SIGILL ? 'i' : 'f');
	arch_context_return(uc);
}

static void traps(void)
{
	handle(SIGILL, on_trap, 0, 0);
	trap_pc = arch_illegal_pc;
	trap_code = ARCH_ILLEGAL_CODE;
	arch_illegal();
	expect_log("an undefined instruction", "i");
#ifdef ARCH_HAS_DIVIDE_FAULT
	handle(SIGFPE, on_trap, 0, 0);
	trap_pc = arch_divide_pc;
	trap_code = FPE_INTDIV;
	arch_divide();
	expect_log("a division by zero", "f");
#endif
}

/* ---- deaths ---- */

static void store_to_null(void)
{
	int *volatile pointer = 0;
	*(volatile int *)pointer = 0;
}

static void die_blocked(void)
{
	set_mask(BIT(SIGSEGV));
	store_to_null();
}

static void die_ignored(void)
{
	struct sigaction ignore = {.handler = SIG_IGN, .flags = ARCH_SA_FLAGS, .restorer = arch_signal_return};
	sys_rt_sigaction(SIGSEGV, &ignore, 0);
	store_to_null();
}

static void die_in_handler(void)
{
	handle(SIGUSR1, on_small, SA_ONSTACK, 0);
	struct stack stack = {map(ALT_SIZE), 0, ALT_SIZE};
	sys_sigaltstack(&stack, 0);
	long result = sys_mprotect(stack.sp, ALT_SIZE, PROT_NONE); /* no frame can be written */
	check(result == 0, "mprotect returned %ld", result);
	raise(SIGUSR1);
}

static void die_by_default(void)
{
	struct sigaction standard = {.handler = SIG_DFL, .flags = ARCH_SA_FLAGS, .restorer = arch_signal_return};
	sys_rt_sigaction(SIGUSR2, &standard, 0);
	raise(SIGUSR2);
}

static void die_killed(void)
{
	set_mask(~0UL);
	raise(SIGKILL);
}

static void child_dies(const char *what, void (*die)(void), int signal)
{
	long pid = arch_clone_process(SIGCHLD);
	check(!is_error(pid), "fork returned %ld", pid);
	if (pid == 0) {
		process = (int)sys_getpid();
		die();
		sys_exit_group(99);
	}
	int status = 0;
	long result = sys_wait4((int)pid, &status, 0);
	check(result == pid, "wait4 returned %ld instead of %ld", result, pid);
	/* Bit 7 says whether a core was dumped; that is the host's choice. */
	check((status & ~0x80) == signal, "%s: wait status %x instead of %x", what, (unsigned)status, (unsigned)signal);
}

int main(int argc, char **argv)
{
	unsigned long rounds = argument(argc, argv, 1, "rounds", 8, 1, 1UL << 32);
	arguments_end(argc, argv, 1);
	process = (int)sys_getpid();
	order();
	alternate();
	overflow_thread();
	interrupted();
	restarted(rounds);
	asynchronous(rounds);
	traps();
	child_dies("SIGSEGV while blocked", die_blocked, SIGSEGV);
	child_dies("SIGSEGV while ignored", die_ignored, SIGSEGV);
	child_dies("no room for the frame", die_in_handler, SIGSEGV);
	child_dies("SIGUSR2 by default", die_by_default, SIGUSR2);
	child_dies("SIGKILL while blocked", die_killed, SIGKILL);
	printf("signals: order, stacks, %lu signals between threads, restarts, traps and deaths as they must be\n",
	       3 * rounds);
	return 0;
}
