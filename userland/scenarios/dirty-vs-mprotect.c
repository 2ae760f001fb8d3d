/*
 * scenario: dirty-vs-mprotect
 * about: a store sets the dirty bit of a page that another thread makes read-only
 * races: C18
 * cores: 2
 * tasks: 2
 * check: I4 I5
 *
 * The page is shared and only read so far: its entry is writable and clean. mprotect must not write back an entry
 * that it read before the walker has set the dirty bit.
 */
#include "scenario.h"

static int faulted;

static void store(void)
{
	faulted = try_store(WORD(0), 1);
}

static void protect(void)
{
	protect_pages(0, 1, PROT_READ);
}

SCENARIO_THREADS({store, 0}, {protect, 1});

void setup(void)
{
	uint64_t value;
	long result = sys_mmap(ADDRESS(0), PAGE, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED);
	require(result == (long)ADDRESS(0));
	try_load(WORD(0), &value);
}

int check(void)
{
	if (*WORD(0) != (uint64_t)!faulted)
		return 1;
	return try_store(WORD(0), 2) ? 0 : 2;
}
