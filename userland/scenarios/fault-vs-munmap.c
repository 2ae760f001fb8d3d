/*
 * scenario: fault-vs-munmap
 * about: a store faults in a page that another thread unmaps
 * races: A01 A03 A04
 * litmus: 77
 * cores: 2
 * tasks: 2
 * check: I1
 *
 * Page 0 is present, so that the fault at page 1 finds table and anon_vma and commits without mmap_lock. A fault
 * that checks too early installs an entry behind the writer's pass over the table.
 */
#include "scenario.h"

static void fault(void)
{
	try_store(WORD(1), 1);
}

static void unmap(void)
{
	unmap_pages(1, 1);
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
	if (*WORD(0) != 1)
		return 1;
	return try_load(WORD(1), &value) ? 0 : 2;
}
