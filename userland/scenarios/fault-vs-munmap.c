/*
 * scenario: fault-vs-munmap
 * about: a store faults in a page that another thread unmaps
 * races: A01 A04 A05
 * litmus: 77
 * cores: 2
 * tasks: 2
 * check: I1
 *
 * Pages 0 and 2 are present, so that the fault at page 1 finds table and anon_vma and commits without mmap_lock. A
 * fault that checks too early installs an entry behind the writer's pass over the table: the writer waits there until
 * the other core has flushed page 0, and a fault that has interrupts off goes on first.
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
	provide(0, 3, 0);
	*WORD(0) = 1;
	*WORD(2) = 1;
}

int check(void)
{
	uint64_t value;
	if (*WORD(2) != 1)
		return 1;
	return try_load(WORD(0), &value) && try_load(WORD(1), &value) ? 0 : 2;
}
