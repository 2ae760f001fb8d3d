/*
 * scenario: switch-vs-discard
 * about: a core leaves an address space and loads it again around a flush of another core
 * races: C11 C27
 * litmus: 70
 * cores: 2
 * tasks: 3
 * check: I4 I3
 *
 * A process shares core 1 with thread 1, and they take turns. On the way back to the thread the core must either
 * be in the mask when the flush looks, or see its generation.
 */
#include "scenario.h"

#define TURNS 3

static volatile int is_discarded;
static int stale;

static void discard(void)
{
	advise_pages(0, 1, MADV_DONTNEED);
	is_discarded = 1;
}

static void switch_and_load(void)
{
	for (unsigned i = 0; i < TURNS; i++) {
		sys_sched_yield();
		if (is_discarded && *WORD(0))
			stale = 1;
	}
}

static void take_turns(void)
{
	for (unsigned i = 1; i < TURNS; i++)
		sys_sched_yield();
}

SCENARIO_THREADS({discard, 0}, {switch_and_load, 1, .touches = TOUCH(0)});

void setup(void)
{
	scenario_process(take_turns, 1);
	provide(0, 1, 1);
}

int check(void)
{
	return !stale && *WORD(0) == 0 ? 0 : 1;
}
