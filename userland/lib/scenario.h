/*
 * A scenario is a small concurrent program for exhaustive or random exploration. It defines setup(), one
 * function per thread (SCENARIO_THREADS) and check(); the rest is in scenario.c:
 *
 *   main()            pins thread 0 to core 0, runs setup(), clones the other threads and sends each to its core
 *   scenario_thread   the first user instruction of every other thread and process
 *   scenario_begin()  called by thread 0 when every thread is on its way to its core; then it goes on as thread 0
 *   scenario_park()   where a thread ends up when its function returns: it waits for scenario_phase
 *   scenario_phase    whoever runs the scenario stores 1 here when every thread has parked; then thread 0 wakes
 *                     the others, waits for the processes, runs check() and exits with what that returned: 0, or
 *                     what is wrong (1 to 63)
 *
 * Every access of a thread function counts, since each is a moment at which another core may come in between. So
 * there is no output, no thread-local storage and no call of the library there: system calls and the accesses below
 * are inline, and a function that keeps its values in registers touches no stack. Code, data and stacks that a
 * thread needs are present before scenario_begin().
 *
 * With the argument `native` nobody else is needed: the threads are let go together and phase is set by
 * thread 0. That is how checks are tried on any Linux: NAME native [SEED].
 */
#pragma once

#include "arch-scenario.h"
#include "linux.h"
#include "syscalls.h"

/* ---- what a scenario defines ---- */

void setup(void);
int check(void);

struct scenario_thread {
	void (*run)(void);
	unsigned core;
	enum { SCENARIO_SPINS, SCENARIO_SLEEPS } parks; /* a thread that shares its core sleeps in any case */
	volatile void *touches; /* a word that the kernel stores to on that core before the thread begins */
};
extern const struct scenario_thread scenario_threads[];
extern const unsigned scenario_thread_count;

/*
 * The threads as {function, core}, thread 0 first; it has core 0 for itself. With `.parks = SCENARIO_SLEEPS` the core
 * is idle when the function has returned. With `.touches = TOUCH(page)` the core begins with a writable translation of
 * that page; core 0 has those that setup() has used.
 */
#define SCENARIO_THREADS(...) \
	const struct scenario_thread scenario_threads[] = {__VA_ARGS__}; \
	const unsigned scenario_thread_count = sizeof scenario_threads / sizeof *scenario_threads

#define SCENARIO_MAX_THREADS 6
#define SCENARIO_MAX_PROCESSES 4

/* ---- what it may use ---- */

extern volatile uint32_t scenario_phase;

/* The seed of scenarios that derive what they do from one; not 0. Whoever runs them may store another before the start. */
extern volatile uint64_t scenario_seed;

/* Where a thread or process waits for the phase: spinning in user mode, or asleep so that others may have its core. */
void scenario_park(void);
void scenario_park_asleep(void);

/*
 * For setup(): forks a process that executes run() on `core`, behind the threads of that core. It begins as threads do,
 * in scenario_thread; when run() returns it sleeps until the phase has come, and ends. Pages that the parent writes after
 * the fork are its own, but the variables of a scenario are shared memory. A process that only keeps its copy of
 * the memory is scenario_process(scenario_park, a core of its own). Result: the pid.
 */
int scenario_process(void (*run)(void), unsigned core);

/* What a thread's fork() is followed by, so that the child has its turn on that core: it must sleep or end then. */
static inline void let_child_run(void)
{
	sys_sched_yield();
}

/* Ends the process at once; for errors of the scenario itself, and for what must not happen. */
#define SCENARIO_BROKEN 64 /* setup() did not get what it needs */
#define SCENARIO_FAULT 65 /* SIGSEGV outside try_load() and try_store(), or a child that was killed */

static inline void require(int condition)
{
	if (__builtin_expect(!condition, 0))
		sys_exit_group(SCENARIO_BROKEN);
}

/* ---- memory: pages are numbered from an area that shares no page table with program or stack ---- */

#define PAGE 4096UL
#define AREA 0x40000000UL
#define TABLE_PAGES 512UL /* pages under one table of the lowest level */

#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define READ_WRITE (PROT_READ | PROT_WRITE)

/* The address of a page, and its first word. */
#define ADDRESS(page) ((void *)(AREA + (page)*PAGE))
#define WORD(page) ((volatile uint64_t *)(AREA + (page)*PAGE))
#define TOUCH(page) ((volatile void *)(AREA + (page)*PAGE + PAGE - 8)) /* the last one, which nobody else uses */

/* The calls on `count` pages from page `first`, and their results. */
static inline long map_pages(unsigned long first, unsigned long count, int prot)
{
	return sys_mmap(ADDRESS(first), count * PAGE, prot, ANONYMOUS | MAP_FIXED);
}

static inline long unmap_pages(unsigned long first, unsigned long count)
{
	return sys_munmap(ADDRESS(first), count * PAGE);
}

static inline long protect_pages(unsigned long first, unsigned long count, int prot)
{
	return sys_mprotect(ADDRESS(first), count * PAGE, prot);
}

static inline long advise_pages(unsigned long first, unsigned long count, int advice)
{
	return sys_madvise(ADDRESS(first), count * PAGE, advice);
}

static inline long move_pages(unsigned long first, unsigned long count, unsigned long to)
{
	return sys_mremap(ADDRESS(first), count * PAGE, count * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, ADDRESS(to));
}

/* For setup(): pages that are mapped for reading and writing, and hold value + page number if `value` is not 0. */
static inline void provide(unsigned long first, unsigned long count, uint64_t value)
{
	require(map_pages(first, count, READ_WRITE) == (long)ADDRESS(first));
	for (unsigned long page = first; value && page < first + count; page++)
		*WORD(page) = value + page;
}

/* ---- accesses that may take SIGSEGV: 0, or 1 if they did ---- */

static inline int try_load(const volatile void *address, uint64_t *value)
{
	return arch_attempt_load(address, value);
}

static inline int try_store(volatile void *address, uint64_t value)
{
	return arch_attempt_store(address, value);
}

/* One atomic read-modify-write. */
static inline int try_add(volatile void *address, uint64_t value)
{
	return arch_attempt_add(address, value);
}
