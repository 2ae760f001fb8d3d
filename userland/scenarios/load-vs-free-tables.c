/*
 * scenario: load-vs-free-tables
 * about: a thread loads from a region that another one unmaps, page tables and all
 * races: C08 early-ack
 * cores: 2
 * tasks: 2
 * check: I4 I2 I3
 *
 * The loading core has the tables in its walk caches. They may be freed only after it has dropped them, not when
 * it has merely been told to.
 */
#include "scenario.h"

static int went_back;

static void load(void)
{
	uint64_t value;
	int first = try_load(WORD(0), &value);
	if (!try_load(WORD(0), &value) && first)
		went_back = 1;
}

static void unmap(void)
{
	unmap_pages(0, 2);
}

SCENARIO_THREADS({load, 0}, {unmap, 1});

void setup(void)
{
	provide(0, 2, 1);
}

int check(void)
{
	uint64_t value;
	return !went_back && try_load(WORD(0), &value) ? 0 : 1;
}
