/*
 * scenario: fault-vs-two-writers
 * about: a store faults in a page that one writer protects while another writer is leaving
 * races: A05-late
 * litmus: 78
 * cores: 3
 * tasks: 3
 * check: I1 I4
 *
 * Two writers follow each other under mmap_lock. A count that turns even only after the lock was released is
 * turned again by the first writer while the second is inside, and a fault believes that nobody is.
 */
#include "scenario.h"

static void protect_other(void)
{
	protect_pages(8, 1, PROT_READ);
}

static void protect(void)
{
	protect_pages(0, 2, PROT_READ);
}

static void fault(void)
{
	try_store(WORD(1), 1);
}

SCENARIO_THREADS({protect_other, 0}, {protect, 1}, {fault, 2});

void setup(void)
{
	provide(0, 3, 0);
	provide(8, 1, 0);
	*WORD(0) = 1;
}

int check(void)
{
	return try_store(WORD(1), 2) ? 0 : 1;
}
