/*
 * scenario: fault-vs-merge
 * about: a store faults in a mapping that another thread makes one with its neighbour
 * races: A14
 * cores: 2
 * tasks: 2
 * check: I4 I11
 *
 * mprotect gives pages 2 and 3 the rights of 0 and 1. Their VMA is taken into the other one and freed before the writer
 * comes to the page table, so a fault that has found that VMA and still reads it reads what is left of it.
 */
#include "scenario.h"

static void fault(void)
{
	*WORD(2) = 2;
}

static void protect(void)
{
	protect_pages(2, 2, READ_WRITE | PROT_EXEC);
}

SCENARIO_THREADS({fault, 0}, {protect, 1});

void setup(void)
{
	provide(0, 4, 0);
	*WORD(3) = 3;
	require(protect_pages(0, 2, READ_WRITE | PROT_EXEC) == 0);
}

int check(void)
{
	return *WORD(2) == 2 && *WORD(3) == 3 && *WORD(0) == 0 ? 0 : 1;
}
