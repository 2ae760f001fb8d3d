/*
 * scenario: mremap-vs-remove
 * about: a page moves while one core stores to its old address and another process frees it
 * races: C01
 * litmus: 72
 * cores: 3
 * tasks: 3
 * check: I4 I3
 *
 * The page is shared memory, so that a process can take it away without this one's mmap_lock: it finds the entry at
 * the new address, where nobody has used it yet, and sees nothing to flush at the old one. The move must have flushed
 * that before it let go of the page-table lock.
 */
#include "scenario.h"

static void move(void)
{
	move_pages(0, 1, 8);
}

static void store(void)
{
	try_store(WORD(0), 2);
}

static void remove(void)
{
	advise_pages(0, 1, MADV_REMOVE);
}

SCENARIO_THREADS({move, 0}, {store, 1, .touches = TOUCH(0)});

void setup(void)
{
	long result = sys_mmap(ADDRESS(0), PAGE, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED);
	require(result == (long)ADDRESS(0));
	*WORD(0) = 1;
	provide(9, 1, 1);
	scenario_process(remove, 2);
}

int check(void)
{
	uint64_t value;
	if (!try_load(WORD(0), &value))
		return 1;
	return *WORD(8) <= 2 ? 0 : 2;
}
