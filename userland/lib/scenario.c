#include "scenario.h"

#include "memory.h"

#define HOT __attribute__((section(".text.scenario"), noinline))
#define STACK (2 * PAGE) /* the upper page has room for a signal frame */

volatile uint32_t scenario_phase;
volatile uint64_t scenario_seed = 1;

static char stacks[SCENARIO_MAX_THREADS + SCENARIO_MAX_PROCESSES][STACK]
	__attribute__((section(".bss.stacks"), aligned(4096)));

extern char scenario_data[], scenario_data_end[];

const char program_name[] = "scenario";

/* Processes that wait on core 0 until the threads are on their way. */
static struct {
	int pid;
	unsigned core;
} processes[SCENARIO_MAX_PROCESSES];
static unsigned process_count;

/* For runs without anybody who sets the phase. */
static int is_native;
static volatile uint32_t native_go;
static uint32_t native_parked;

static void send_to(int tid, unsigned core)
{
	uint64_t mask = 1UL << core;
	long result = sys_sched_setaffinity(tid, sizeof mask, &mask);
	require(result == 0 || (is_native && result == -EINVAL));
}

static void on_fault(int signal, struct siginfo *info, struct ucontext *uc)
{
	(void)signal;
	(void)info;
	if (!arch_attempt_failed(uc))
		sys_exit_group(SCENARIO_FAULT);
}

static void install_handler(void)
{
	struct sigaction action = {
		.handler = (void *)on_fault,
		.flags = SA_SIGINFO | SA_NODEFER | ARCH_SA_FLAGS,
		.restorer = arch_signal_return,
	};
	require(sys_rt_sigaction(SIGSEGV, &action, 0) == 0);
}

/* The end of a thread that has its core for itself, of thread 0, and of processes that only keep their memory. */
HOT void scenario_park(void)
{
	while (!scenario_phase)
		arch_pause();
}

/* The end of a thread whose core has other tasks. */
HOT void scenario_park_asleep(void)
{
	while (!scenario_phase)
		sys_futex(&scenario_phase, FUTEX_WAIT, 0, 0);
}

HOT void scenario_begin(void)
{
	__asm__ volatile("" ::: "memory");
}

static void leave(void)
{
	sys_exit(0);
}

/* Some time, different for each thread and seed. */
static void linger(unsigned index)
{
	uint64_t x = (scenario_seed + index) * 0x9e3779b97f4a7c15UL;
	for (unsigned count = (x >> 40) % 2048; count; count--)
		arch_pause();
}

static void native_entry(const struct scenario_thread *thread)
{
	while (!native_go)
		arch_pause();
	linger((unsigned)(thread - scenario_threads));
	thread->run();
	__atomic_add_fetch(&native_parked, 1, __ATOMIC_RELEASE);
}

/* A stack on which run() returns to `then`, and that to `last`; where the stack pointer is to begin. */
static void *prepare_stack(unsigned index, void (*then)(void), void (*last)(void))
{
	return arch_scenario_stack(stacks[index] + STACK, then, last);
}

/* It begins on core 0, which is busy, and does not run before it is sent away. */
int scenario_process(void (*run)(void), unsigned core)
{
	require(process_count < SCENARIO_MAX_PROCESSES);
	void *stack = prepare_stack(SCENARIO_MAX_THREADS + process_count, scenario_park_asleep, leave);
	long pid = arch_scenario_clone(SIGCHLD, stack, run, 0, 0);
	require(pid > 0);
	processes[process_count].pid = (int)pid;
	processes[process_count++].core = core;
	return (int)pid;
}

static int shares_core(unsigned index)
{
	unsigned core = scenario_threads[index].core;
	for (unsigned i = 0; i < scenario_thread_count; i++)
		if (i != index && scenario_threads[i].core == core)
			return 1;
	for (unsigned i = 0; i < process_count; i++)
		if (processes[i].core == core)
			return 1;
	return 0;
}

static void start_thread(unsigned index)
{
	const struct scenario_thread *thread = &scenario_threads[index];
	int sleeps = thread->parks == SCENARIO_SLEEPS || shares_core(index);
	void *stack = prepare_stack(index, sleeps ? scenario_park_asleep : scenario_park, leave);
	void (*run)(void) = is_native ? (void (*)(void))native_entry : thread->run;
	unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
	if (thread->touches)
		flags |= CLONE_CHILD_SETTID;
	long tid = arch_scenario_clone(flags, stack, run, thread, thread->touches);
	require(tid > 0);
	send_to((int)tid, thread->core);
}

/* Every child leaves when the phase has come; the first exit status that is not 0, or 0. */
static int reap(void)
{
	int failure = 0;
	for (;;) {
		int status = 0;
		long pid = sys_wait4(-1, &status, WALL);
		if (pid == -EINTR)
			continue;
		if (pid < 0)
			return failure;
		if (!failure)
			failure = status & 0x7f ? SCENARIO_FAULT : status >> 8 & 0xff;
	}
}

/*
 * Makes the page of all variables shared memory: children report in it and wait for the same phase, and it is not
 * copied on write when a thread forks.
 */
static void share_data(void)
{
	size_t length = (size_t)(scenario_data_end - scenario_data);
	require(length <= PAGE);
	memcpy(stacks, scenario_data, length);
	long result = sys_mmap(scenario_data, PAGE, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED);
	require(result == (long)scenario_data);
	memcpy(scenario_data, stacks, length);
}

static uint64_t number(const char *digits)
{
	uint64_t value = 0;
	for (; *digits >= '0' && *digits <= '9'; digits++)
		value = value * 10 + (uint64_t)(*digits - '0');
	return value;
}

int main(int argc, char **argv)
{
	share_data();
	is_native = argc > 1;
	if (argc > 2 && number(argv[2]))
		scenario_seed = number(argv[2]);
	send_to(0, 0);
	install_handler();
	setup();
	require(scenario_thread_count <= SCENARIO_MAX_THREADS && scenario_threads[0].core == 0 && !shares_core(0));
	for (unsigned i = 1; i < scenario_thread_count; i++)
		start_thread(i);
	for (unsigned i = 0; i < process_count; i++)
		send_to(processes[i].pid, processes[i].core);
	scenario_phase = 0; /* its page is present and writable, whatever setup() has forked */

	scenario_begin();
	if (is_native) {
		native_go = 1;
		linger(0);
	}
	scenario_threads[0].run();
	if (is_native) {
		while (__atomic_load_n(&native_parked, __ATOMIC_ACQUIRE) + 1 < scenario_thread_count)
			arch_pause();
		scenario_phase = 1;
	}
	scenario_park();
	sys_futex(&scenario_phase, FUTEX_WAKE, 0x7fffffff, 0);
	int failure = reap();
	return failure ? failure : check();
}
