/*
 * scenario: cow-vs-cow-flush
 * about: two threads break copy-on-write of two pages under one page table
 * races: A07
 * cores: 3
 * tasks: 3
 * check: I4 I10
 *
 * A process shares both pages. Whoever replaces its entry first flushes the other core while it holds the
 * page-table lock; the other core must not wait for that lock with interrupts off.
 */
#include "scenario.h"

static void first(void)
{
	*WORD(0) = 1;
}

static void second(void)
{
	*WORD(1) = 2;
}

SCENARIO_THREADS({first, 0}, {second, 1});

void setup(void)
{
	provide(0, 2, 100);
	scenario_process(scenario_park, 2);
}

int check(void)
{
	return *WORD(0) == 1 && *WORD(1) == 2 ? 0 : 1;
}
