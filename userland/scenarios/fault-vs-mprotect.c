/*
 * scenario: fault-vs-mprotect
 * about: a store faults in a page that another thread makes read-only
 * races: A01 A04
 * litmus: 78
 * cores: 2
 * tasks: 2
 * check: I1 I4
 *
 * The fault decides by the rights that it saw. If it installs its entry after mprotect has passed over the table,
 * the page stays writable. Page 0 is present, so that mprotect has something to flush and waits for the other
 * core.
 */
#include "scenario.h"

static int faulted;

static void fault(void)
{
	faulted = try_store(WORD(1), 1);
}

static void protect(void)
{
	protect_pages(0, 2, PROT_READ);
}

SCENARIO_THREADS({fault, 0}, {protect, 1});

void setup(void)
{
	provide(0, 2, 0);
	*WORD(0) = 1;
}

int check(void)
{
	if (*WORD(1) != (uint64_t)!faulted)
		return 1;
	return try_store(WORD(1), 2) ? 0 : 2;
}
