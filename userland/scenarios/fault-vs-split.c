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

static void split(void)
{
	advise_pages(1, 3, MADV_DONTFORK);
}

SCENARIO_THREADS({fault, 0}, {split, 1});

void setup(void)
{
	provide(0, 4, 0);
	*WORD(3) = 3;
}

int check(void)
{
	return *WORD(1) == 1 && *WORD(3) == 3 ? 0 : 1;
}
