/*
 * scenario: slot-reuse
 * about: three processes take turns on a core with two context slots
 * races: C12
 * cores: 2
 * tasks: 4
 * machine: stress
 * check: I7 I4
 *
 * Each has its own page at one address. Whoever gets a slot that another one had must not find the other's
 * translation under its tag.
 */
#include "scenario.h"

static int is_foreign;

static void nothing(void)
{
}

/* Looks at the page before and after the others have had their turn. */
static inline int sees_only(uint64_t own)
{
	if (*WORD(0) != own)
		return 0;
	sys_sched_yield();
	return *WORD(0) == own;
}

static void thread(void)
{
	if (!sees_only(3))
		is_foreign = 1;
}

static void first_process(void)
{
	if (!sees_only(1))
		is_foreign = 2;
}

static void second_process(void)
{
	if (!sees_only(2))
		is_foreign = 3;
}

SCENARIO_THREADS({nothing, 0}, {thread, 1});

void setup(void)
{
	provide(0, 1, 1);
	scenario_process(first_process, 1);
	*WORD(0) = 2;
	scenario_process(second_process, 1);
	*WORD(0) = 3;
}

int check(void)
{
	return *WORD(0) == 3 ? is_foreign : 4;
}
