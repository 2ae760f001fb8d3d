/*
 * scenario: lazy-return
 * about: a core sleeps through a flush and comes back to the same address space
 * races: C09
 * litmus: 71
 * cores: 2
 * tasks: 2
 * check: I4
 *
 * A flush that keeps the tables leaves idle cores out. When the thread wakes its core must see that it missed one,
 * although the address space was loaded all the time.
 */
#include "scenario.h"

static volatile uint32_t is_discarded;
static int stale;

static void discard(void)
{
	advise_pages(0, 1, MADV_DONTNEED);
	is_discarded = 1;
	sys_futex(&is_discarded, FUTEX_WAKE, 1, 0);
}

static void sleep_and_load(void)
{
	do {
		sys_futex(&is_discarded, FUTEX_WAIT, 0, 0);
	} while (!is_discarded);
	if (*WORD(0))
		stale = 1;
}

SCENARIO_THREADS({discard, 0}, {sleep_and_load, 1, .touches = TOUCH(0)});

void setup(void)
{
	provide(0, 1, 1);
}

int check(void)
{
	return !stale && *WORD(0) == 0 ? 0 : 1;
}
