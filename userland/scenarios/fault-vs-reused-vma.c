/*
 * scenario: fault-vs-reused-vma
 * about: a store faults in a mapping whose VMA is freed and used again for another one
 * races: A14
 * litmus: 80
 * cores: 2
 * tasks: 2
 * check: I1 I11
 *
 * The second mapping gets the VMA object that munmap has just freed, unless a grace period keeps it: the fault
 * then reads one mapping's address and another one's rights. Page 8 keeps the page table alive.
 */
#include "scenario.h"

static void fault(void)
{
	try_store(WORD(1), 1);
}

static void remap(void)
{
	unmap_pages(0, 2);
	map_pages(16, 1, PROT_READ);
}

SCENARIO_THREADS({fault, 0}, {remap, 1});

void setup(void)
{
	provide(0, 2, 0);
	provide(8, 1, 1);
	*WORD(0) = 1;
}

int check(void)
{
	uint64_t value;
	if (!try_load(WORD(1), &value))
		return 1;
	return *WORD(16) == 0 && try_store(WORD(16), 1) ? 0 : 2;
}
