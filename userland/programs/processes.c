/*
 * processes
 * What parents and children learn of each other. Single-threaded processes.
 * Checks: wait statuses of children that exit, are killed, stop and continue; siginfo of SIGCHLD; children that nobody
 * has to wait for; exit signals other than SIGCHLD; memory shared by CLONE_VFORK; orphans get a new parent; process
 * groups; sleeps that signals interrupt or that go on after them; sigsuspend; one-shot handlers; a futex and a
 * robust lock in memory that processes share.
 * Output: one line. Status 0.
 */
#include "program.h"

const char program_name[] = "processes";

#define MILLISECOND 1000000L

static struct {
	unsigned count;
	int signal, code, pid, status;
} volatile seen;

static struct shared {
	uint32_t word, ready;
	int parent;
	struct {
		void *next;
		long offset;
		void *pending;
	} robust;
	struct {
		void *next;
		uint32_t word;
	} lock;
} *shared;

static void on_signal(int signal, struct siginfo *info, struct ucontext *uc)
{
	(void)uc;
	seen.signal = signal;
	seen.code = info->code;
	seen.pid = info->sender.pid;
	seen.status = info->sender.status;
	seen.count++;
}

static void handle(int signal, void *handler, unsigned long flags)
{
	struct sigaction action = {
		.handler = handler,
		.flags = SA_SIGINFO | ARCH_SA_FLAGS | flags,
		.restorer = arch_signal_return,
	};
	long result = sys_rt_sigaction(signal, &action, 0);
	check(result == 0, "rt_sigaction(%d) returned %ld", signal, result);
}

static int start(void (*run)(void), unsigned long flags)
{
	long pid = arch_clone_process(flags);
	check(!is_error(pid), "clone returned %ld", pid);
	if (pid == 0) {
		run();
		sys_exit_group(99);
	}
	return (int)pid;
}

static void expect_status(const char *what, int pid, int options, int expected)
{
	int status = -1;
	long result;
	/* SIGCHLD of a child that stops or goes on may come while this one waits for its end. */
	do
		result = sys_wait4(pid, &status, options);
	while (result == -EINTR);
	check(result == pid, "%s: wait4 returned %ld instead of %d", what, result, pid);
	/* Bit 7 says whether a core was dumped; that is the host's choice. */
	check(((status ^ expected) & ~0x80) == 0, "%s: wait status %x instead of %x", what, (unsigned)status, (unsigned)expected);
}

static void sleep_ms(long milliseconds)
{
	struct timespec time = {0, milliseconds * MILLISECOND};
	long result = sys_nanosleep(&time, 0);
	check(result == 0, "nanosleep returned %ld", result);
}

static void leave_with_7(void)
{
	sys_exit_group(7);
}

static void wait_for_ever(void)
{
	uint64_t none = 0;
	for (;;)
		sys_rt_sigsuspend(&none);
}

static void ends(void)
{
	expect_status("exit", start(leave_with_7, SIGCHLD), 0, 7 << 8);

	handle(SIGCHLD, on_signal, 0);
	int pid = start(leave_with_7, SIGCHLD);
	while (!seen.count)
		sys_sched_yield();
	check(seen.signal == SIGCHLD && seen.code == CLD_EXITED && seen.pid == pid && seen.status == 7,
	      "SIGCHLD of an exit: si_code %d, si_pid %d, si_status %d", seen.code, seen.pid, seen.status);
	expect_status("exit with a handler", pid, 0, 7 << 8);

	pid = start(wait_for_ever, SIGCHLD);
	long result = sys_wait4(pid, 0, WNOHANG);
	check(result == 0, "wait4(WNOHANG) for a child that lives returned %ld", result);
	sys_kill(pid, SIGKILL);
	expect_status("SIGKILL", pid, 0, SIGKILL);
	check(seen.count == 2 && seen.code == CLD_KILLED && seen.status == SIGKILL,
	      "SIGCHLD of a kill: si_code %d, si_status %d", seen.code, seen.status);

	pid = start(wait_for_ever, SIGCHLD);
	sys_kill(pid, SIGSTOP);
	expect_status("SIGSTOP", pid, WUNTRACED, SIGSTOP << 8 | 0x7f);
	result = sys_wait4(pid, 0, WUNTRACED | WNOHANG);
	check(result == 0, "a stop is reported twice: wait4 returned %ld", result);
	sys_kill(pid, SIGHUP);
	result = sys_wait4(pid, 0, WNOHANG);
	check(result == 0, "a stopped process took SIGHUP: wait4 returned %ld", result);
	sys_kill(pid, SIGCONT);
	expect_status("SIGHUP after SIGCONT", pid, 0, SIGHUP);

	pid = start(wait_for_ever, SIGCHLD);
	seen.code = 0;
	sys_kill(pid, SIGSTOP);
	expect_status("another SIGSTOP", pid, WUNTRACED, SIGSTOP << 8 | 0x7f);
	while (seen.code != CLD_STOPPED)
		sys_sched_yield();
	result = sys_wait4(pid, 0, WCONTINUED | WNOHANG);
	check(result == 0, "a stopped process was continued: wait4 returned %ld", result);
	sys_kill(pid, SIGCONT);
	expect_status("SIGCONT", pid, WCONTINUED, 0xffff);
	result = sys_wait4(pid, 0, WCONTINUED | WNOHANG);
	check(result == 0, "a continuation is reported twice: wait4 returned %ld", result);
	while (seen.code != CLD_CONTINUED)
		sys_sched_yield();
	check(seen.pid == pid && seen.status == SIGCONT, "SIGCHLD of SIGCONT: si_pid %d, si_status %d", seen.pid, seen.status);
	sys_kill(pid, SIGKILL);
	expect_status("SIGKILL after SIGCONT", pid, 0, SIGKILL);

	handle(SIGCHLD, SIG_IGN, 0);
	start(leave_with_7, SIGCHLD);
	result = sys_wait4(-1, 0, 0);
	check(result == -ECHILD, "SIGCHLD ignored: wait4 returned %ld", result);
	handle(SIGCHLD, SIG_DFL, 0);
}

static void clones(void)
{
	int pid = start(leave_with_7, 0);
	long result = sys_wait4(pid, 0, 0);
	check(result == -ECHILD, "wait4 found a child without exit signal: %ld", result);
	expect_status("no exit signal", pid, WCLONE, 7 << 8);
	expect_status("another exit signal", start(leave_with_7, SIGCONT), WALL, 7 << 8);

	volatile uint32_t *word = &shared->word;
	*word = 0;
	long child = arch_clone_process(CLONE_VM | CLONE_VFORK | SIGCHLD);
	if (child == 0) {
		*word = 42;
		sys_exit_group(3);
	}
	check(*word == 42, "CLONE_VFORK came back before the child had ended");
	expect_status("CLONE_VFORK", (int)child, 0, 3 << 8);
}

static void orphan(void)
{
	while (!__atomic_load_n(&shared->ready, __ATOMIC_ACQUIRE))
		sys_sched_yield();
	__atomic_store_n(&shared->parent, (int)sys_getppid(), __ATOMIC_RELEASE);
	sys_exit_group(0);
}

static void leave_orphan(void)
{
	start(orphan, SIGCHLD);
	sys_exit_group(0);
}

static void own_group(void)
{
	check(sys_setpgid(0, 0) == 0, "setpgid failed");
	__atomic_store_n(&shared->ready, 1, __ATOMIC_RELEASE);
	wait_for_ever();
}

static void family(void)
{
	shared->ready = 0;
	int pid = start(leave_orphan, SIGCHLD);
	expect_status("a parent of an orphan", pid, 0, 0);
	__atomic_store_n(&shared->ready, 1, __ATOMIC_RELEASE);
	int parent;
	while (!(parent = __atomic_load_n(&shared->parent, __ATOMIC_ACQUIRE)))
		sys_sched_yield();
	check(parent != pid, "an orphan still has the parent that ended");
	sys_wait4(-1, 0, WNOHANG); /* if the orphan is this process's now */

	shared->ready = 0;
	pid = start(own_group, SIGCHLD);
	while (!__atomic_load_n(&shared->ready, __ATOMIC_ACQUIRE))
		sys_sched_yield();
	sys_kill(-pid, SIGUSR2);
	expect_status("a signal to a process group", pid, 0, SIGUSR2);
}

static int main_process;

static void send_soon(void)
{
	sleep_ms(2);
	sys_kill(main_process, SIGUSR1);
	sys_exit_group(0);
}

static void sleep_long(void)
{
	sleep_ms(20);
	sys_exit_group(0);
}

static void sleeps(void)
{
	handle(SIGUSR1, on_signal, 0);
	int pid = start(send_soon, SIGCHLD);
	struct timespec request = {10, 0}, left = {-1, -1};
	long result = sys_nanosleep(&request, &left);
	check(result == -EINTR, "an interrupted nanosleep returned %ld", result);
	check(left.tv_sec == 9 && left.tv_nsec > 0, "an interrupted nanosleep left %ld s, %ld ns", left.tv_sec, left.tv_nsec);
	expect_status("the sender", pid, 0, 0);

	/* A stop, and SIGCHLD that is ignored by default, do not end a sleep. */
	pid = start(sleep_long, SIGCHLD);
	int other = start(leave_with_7, SIGCHLD);
	sleep_ms(2);
	sys_kill(pid, SIGSTOP);
	sleep_ms(2);
	sys_kill(pid, SIGCONT);
	expect_status("a sleep that was stopped", pid, 0, 0);
	expect_status("a child that ended during a sleep", other, 0, 7 << 8);

	uint64_t usr1 = 1UL << (SIGUSR1 - 1), none = 0, now = 0;
	seen.count = 0;
	sys_rt_sigprocmask(SIG_BLOCK, &usr1, 0);
	sys_kill(main_process, SIGUSR1);
	sys_rt_sigpending(&now);
	check(now == usr1 && seen.count == 0, "a blocked signal: pending %lx, handled %u times", now, seen.count);
	result = sys_rt_sigsuspend(&none);
	check(result == -EINTR && seen.count == 1, "rt_sigsuspend returned %ld after %u signals", result, seen.count);
	sys_rt_sigprocmask(SIG_UNBLOCK, &usr1, &now);
	check(now == usr1, "rt_sigsuspend left the mask %lx", now);

	handle(SIGUSR2, on_signal, SA_RESETHAND);
	sys_kill(main_process, SIGUSR2);
	struct sigaction action;
	sys_rt_sigaction(SIGUSR2, 0, &action);
	check(seen.signal == SIGUSR2 && action.handler == SIG_DFL, "SA_RESETHAND left the handler");
}

static void wait_for_word(void)
{
	while (!__atomic_load_n(&shared->word, __ATOMIC_ACQUIRE))
		sys_futex(&shared->word, FUTEX_WAIT, 0, 0);
	sys_exit_group(0);
}

static void die_with_lock(void)
{
	shared->robust.next = &shared->lock;
	shared->lock.next = &shared->robust;
	shared->robust.offset = (long)offsetof(struct shared, lock.word) - (long)offsetof(struct shared, lock);
	shared->lock.word = (uint32_t)sys_gettid();
	long result = sys_set_robust_list(&shared->robust, sizeof shared->robust);
	check(result == 0, "set_robust_list returned %ld", result);
	sys_exit_group(0);
}

static void shared_words(void)
{
	shared->word = 0;
	int pid = start(wait_for_word, SIGCHLD);
	sleep_ms(2);
	__atomic_store_n(&shared->word, 1, __ATOMIC_RELEASE);
	sys_futex(&shared->word, FUTEX_WAKE, 1, 0);
	expect_status("a futex between processes", pid, 0, 0);

	expect_status("the owner of a robust lock", start(die_with_lock, SIGCHLD), 0, 0);
	check(shared->lock.word == FUTEX_OWNER_DIED, "a robust lock of a dead owner holds %x", shared->lock.word);
}

/* Whoever starts a program may have signals ignored (nohup) or blocked; both are inherited. */
static void start_from_defaults(void)
{
	static const int used[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, SIGCONT};
	uint64_t none = 0;
	for (size_t i = 0; i < sizeof used / sizeof *used; i++)
		handle(used[i], SIG_DFL, 0);
	sys_rt_sigprocmask(SIG_SETMASK, &none, 0);
}

int main(int argc, char **argv)
{
	arguments_end(argc, argv, 0);
	start_from_defaults();
	main_process = (int)sys_getpid();
	long result = sys_mmap(0, sizeof *shared, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS);
	check(!is_error(result), "mmap returned %ld", result);
	shared = (struct shared *)result;
	ends();
	clones();
	family();
	sleeps();
	shared_words();
	printf("processes: ends, stops, orphans, groups, sleeps and shared words are as they must be\n");
	return 0;
}
