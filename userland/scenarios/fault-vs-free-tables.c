/*
 * scenario: fault-vs-free-tables
 * about: a store faults in a region that another thread unmaps, page tables and all
 * races: A02 A11 A12
 * litmus: 77
 * cores: 2
 * tasks: 2
 * check: I1 I2
 *
 * Nothing else is mapped in the region's table, nor in the table above it, so munmap frees both. Page 0 is
 * present: the fault at page 1 finds the tables and must not touch them once they are gone.
 */
#include "scenario.h"

static void fault(void)
{
	try_store(WORD(1), 1);
}

static void unmap(void)
{
	unmap_pages(0, 2);
}

SCENARIO_THREADS({fault, 0}, {unmap, 1});

void setup(void)
{
	provide(0, 2, 0);
	*WORD(0) = 1;
}

int check(void)
{
	uint64_t value;
	return try_load(WORD(0), &value) && try_load(WORD(1), &value) ? 0 : 1;
}
