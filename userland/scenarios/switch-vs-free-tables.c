/*
 * scenario: switch-vs-free-tables
 * about: a core leaves an address space while another one frees its page tables
 * races: C28
 * litmus: 70
 * cores: 2
 * tasks: 3
 * check: I4 I2 I3
 *
 * A process shares core 1 with thread 1, and they take turns. As long as the core walks the old root it must be in
 * the mask, or it is not told that the tables go.
 */
#include "scenario.h"

#define TURNS 3

static void unmap(void)
{
	unmap_pages(0, 2);
}

static void switch_away(void)
{
	for (unsigned i = 0; i < TURNS; i++)
		sys_sched_yield();
}

static void take_turns(void)
{
	for (unsigned i = 1; i < TURNS; i++)
		sys_sched_yield();
}

SCENARIO_THREADS({unmap, 0}, {switch_away, 1, .touches = TOUCH(0)});

void setup(void)
{
	scenario_process(take_turns, 1);
	provide(0, 2, 1);
}

int check(void)
{
	uint64_t value;
	return try_load(WORD(0), &value) ? 0 : 1;
}
