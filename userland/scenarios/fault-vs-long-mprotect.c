/*
 * scenario: fault-vs-long-mprotect
 * about: a store faults in the middle of three mappings that another thread makes read-only in one call
 * races: A03
 * litmus: 78
 * cores: 2
 * tasks: 2
 * check: I1
 *
 * The writer treats one mapping after the other under one lock, and waits after the first for the other core's flush. An
 * attempt that begins there has an odd count, and finds it unchanged as long as the writer is busy with the third.
 */
#include "scenario.h"

static void fault(void)
{
	try_store(WORD(1), 1);
}

static void protect(void)
{
	protect_pages(0, 5, PROT_READ);
}

SCENARIO_THREADS({fault, 0}, {protect, 1});

void setup(void)
{
	provide(0, 5, 0);
	require(protect_pages(1, 2, READ_WRITE | PROT_EXEC) == 0);
	*WORD(0) = 1;
	*WORD(2) = 1;
	*WORD(3) = 1;
	*WORD(4) = 1;
}

int check(void)
{
	return try_store(WORD(1), 2) ? 0 : 1;
}
