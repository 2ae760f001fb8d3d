/*
 * scenario: fault-vs-map-fixed
 * about: a store faults in a new mapping while another core still reads the one it replaces
 * races: C22
 * cores: 3
 * tasks: 3
 * check: I7 I1
 *
 * mmap with MAP_FIXED unmaps what was there. No fault may be served in the new mapping before the old page has
 * left every TLB, or two cores see two pages at one address.
 */
#include "scenario.h"

static int went_back;

static void load(void)
{
	uint64_t first = *WORD(0);
	uint64_t second = *WORD(0);
	if (first != 1 && second == 1)
		went_back = 1;
}

static void replace(void)
{
	map_pages(0, 1, READ_WRITE);
}

static void fault(void)
{
	try_store(WORD(0), 2);
}

SCENARIO_THREADS({load, 0}, {replace, 1}, {fault, 2});

void setup(void)
{
	provide(0, 1, 1);
	provide(8, 1, 1);
}

int check(void)
{
	return !went_back && *WORD(0) != 1 ? 0 : 1;
}
