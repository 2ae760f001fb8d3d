/*
 * scenario: lazy-vs-free-tables
 * about: a core goes idle with an address space whose page tables another thread frees
 * races: C09
 * cores: 2
 * tasks: 2
 * check: I4 I2 I3
 *
 * Thread 1 loads from the region and sleeps: its core keeps the root and may walk it by itself at any time. A
 * flush that frees tables may not leave it out.
 */
#include "scenario.h"

static void unmap(void)
{
	unmap_pages(0, 2);
}

static void load(void)
{
	uint64_t value;
	try_load(WORD(0), &value);
}

SCENARIO_THREADS({unmap, 0}, {load, 1, SCENARIO_SLEEPS});

void setup(void)
{
	provide(0, 2, 1);
}

int check(void)
{
	uint64_t value;
	return try_load(WORD(0), &value) ? 0 : 1;
}
