#include "thread.h"

#include "memory.h"
#include "print.h"
#include "syscalls.h"

#define PAGE 4096UL
#define STACK (64UL * 1024)
#define GUARD (64UL * 1024) /* a multiple of every architecture's page size */

static struct {
	uint64_t words[16]; /* 1024 CPUs */
} allowed;

struct thread *thread_self(void)
{
	return arch_thread_pointer();
}

void thread_start(struct thread *thread, unsigned index)
{
	thread->self = thread;
	thread->index = index;
	thread->random = (index + 1) * 0x9e3779b97f4a7c15UL;
}

/* The first C code of a new thread, on its own stack; called by arch_clone_thread(). */
_Noreturn void thread_entry(struct thread *thread)
{
	thread->run(thread);
	sys_exit(0);
}

struct thread *thread_create(void (*run)(struct thread *), unsigned index, void *argument)
{
	long stack = sys_mmap(0, GUARD + STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
	check(!is_error(stack), "thread stack: mmap returned %ld", stack);
	long guard = sys_mprotect((void *)stack, GUARD, PROT_NONE);
	check(guard == 0, "thread stack: mprotect returned %ld", guard);

	struct thread *thread = (void *)((stack + GUARD + STACK - sizeof *thread) & -64UL);
	thread_start(thread, index);
	thread->run = run;
	thread->argument = argument;
	thread->stack = (void *)stack;
	long tid = arch_clone_thread(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
					     CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
				     thread, (int *)&thread->tid, thread);
	check(!is_error(tid), "clone returned %ld", tid);
	return thread;
}

void thread_join(struct thread *thread, uint64_t result[4])
{
	int tid;
	/* The kernel wakes this word as a shared futex, so the wait must not be private. */
	while ((tid = __atomic_load_n(&thread->tid, __ATOMIC_ACQUIRE)) != 0)
		sys_futex(&thread->tid, FUTEX_WAIT, (uint32_t)tid, 0);
	if (result)
		for (unsigned i = 0; i < 4; i++)
			result[i] = thread->result[i];
	long freed = sys_munmap(thread->stack, GUARD + STACK);
	check(freed == 0, "thread stack: munmap returned %ld", freed);
}

void threads_run(unsigned count, void (*run)(struct thread *), void *argument, uint64_t sum[4])
{
	struct thread *threads[MAX_THREADS];
	for (unsigned i = 0; i < count; i++)
		threads[i] = thread_create(run, i, argument);
	for (unsigned i = 0; i < count; i++) {
		uint64_t result[4];
		thread_join(threads[i], result);
		for (unsigned j = 0; sum && j < 4; j++)
			sum[j] += result[j];
	}
}

static unsigned read_allowed(void)
{
	unsigned count = 0;
	long size = sys_sched_getaffinity(0, sizeof allowed, &allowed);
	check(size > 0 && size % 8 == 0, "sched_getaffinity returned %ld", size);
	for (long i = 0; i < size / 8; i++)
		for (uint64_t word = allowed.words[i]; word; word &= word - 1)
			count++;
	check(count > 0, "sched_getaffinity: no CPU in the mask");
	return count;
}

unsigned cpu_count(void)
{
	return read_allowed();
}

unsigned default_threads(void)
{
	unsigned count = cpu_count();
	return count < 2 ? 2 : count > 16 ? 16 : count;
}

void thread_pin(unsigned index)
{
	static unsigned cpus; /* every thread computes the same value, so the race is harmless */
	unsigned count = __atomic_load_n(&cpus, __ATOMIC_ACQUIRE);
	if (!count) {
		count = read_allowed();
		__atomic_store_n(&cpus, count, __ATOMIC_RELEASE);
	}
	unsigned skip = index % count;
	for (unsigned cpu = 0; cpu < 64 * 16; cpu++) {
		if (!(allowed.words[cpu / 64] >> (cpu % 64) & 1) || skip--)
			continue;
		uint64_t mask[16];
		memset(mask, 0, sizeof mask);
		mask[cpu / 64] = 1UL << (cpu % 64);
		long result = sys_sched_setaffinity(0, sizeof mask, mask);
		check(result == 0, "sched_setaffinity(cpu %u) returned %ld", cpu, result);
		return;
	}
}

uint64_t thread_random(void)
{
	struct thread *self = thread_self();
	uint64_t x = self->random;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	self->random = x;
	return x * 0x2545f4914f6cdd1dUL;
}
