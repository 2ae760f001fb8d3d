/*
 * scenario: fault-vs-munmap
 * about: a store faults in a page that another thread unmaps, page table and all
 * races: A01 A02 A03 A11
 * litmus: 77
 * cores: 2
 * tasks: 2
 * check: I1
 *
 * The area's two pages have a table for themselves. The first is present, so that the fault at the second finds
 * table and anon_vma and commits without mmap_lock; munmap frees the table.
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
