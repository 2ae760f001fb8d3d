/*
 * scenario: walks-vs-free-tables
 * about: loads walk page tables, one fault after another, which another thread unmaps and frees
 * races: A13
 * litmus: 77
 * cores: 2
 * tasks: 2
 * check: I1 I2
 *
 * Each load is the first one of its page, so each faults and walks. A table may be freed only when no walk that
 * has found it is still going on, whether or not there is memory to note that it is to be freed. One table goes: a
 * page that stays keeps the one above it.
 */
#include "scenario.h"

#define PAGES 4

static void walk(void)
{
	uint64_t value;
	for (unsigned long page = 1; page < PAGES; page++)
		if (try_load(WORD(page), &value))
			return;
}

static void unmap(void)
{
	unmap_pages(0, PAGES);
}

SCENARIO_THREADS({walk, 0}, {unmap, 1});

void setup(void)
{
	provide(0, PAGES, 0);
	provide(TABLE_PAGES, 1, 1);
	*WORD(0) = 1;
}

int check(void)
{
	uint64_t value;
	return try_load(WORD(0), &value) && try_load(WORD(1), &value) ? 0 : 1;
}
