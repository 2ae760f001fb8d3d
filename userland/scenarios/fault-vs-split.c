/*
 * scenario: fault-vs-split
 * about: a store faults in a mapping whose lower end another thread splits off
 * races: A16
 * cores: 2
 * tasks: 2
 * check: I4 I9
 *
 * The VMA that keeps page 1 changes vm_start and then vm_pgoff. Whoever takes one from before and one from after
 * gives the new page a wrong index, and the reverse map does not find its entry.
 */
#include "scenario.h"

static void fault(void)
{
	*WORD(1) = 1;
}

static void protect(void)
{
	protect_pages(0, 1, PROT_READ);
}

SCENARIO_THREADS({fault, 0}, {protect, 1});

void setup(void)
{
	provide(0, 4, 0);
	*WORD(3) = 3;
}

int check(void)
{
	if (*WORD(1) != 1 || *WORD(3) != 3)
		return 1;
	return try_store(WORD(0), 1) ? 0 : 2;
}
