/*
 * scenario: lazy-vs-free-tables
 * about: a core goes idle with an address space whose page tables another thread frees
 * races: C09
 * cores: 2
 * tasks: 2
 * check: I4 I2 I3
 *
 * Core 1 has used the region and goes idle: it keeps the root and may walk it by itself at any time. A flush that
 * frees tables may not leave it out.
 */
#include "scenario.h"

static void unmap(void)
{
	unmap_pages(0, 2);
}

static void go_idle(void)
{
}

SCENARIO_THREADS({unmap, 0}, {go_idle, 1, .parks = SCENARIO_SLEEPS, .touches = TOUCH(0)});

void setup(void)
{
	provide(0, 2, 1);
}

int check(void)
{
	uint64_t value;
	return try_load(WORD(0), &value) ? 0 : 1;
}
