/*
 * scenario: fault-vs-map-fixed
 * about: a store faults in a new mapping while another core still reads the one it replaces
 * races: C22
 * cores: 3
 * tasks: 3
 * check: I7 I1
 *
 * mmap with MAP_FIXED unmaps what was there. No fault may be served in the new mapping before the old page has
 * left every TLB, or two cores see two pages at one address. Once a store has succeeded, in the old page or the
 * new one, nobody may load what was there before.
 */
#include "scenario.h"

static volatile int is_stored;
static int is_stale;

static void replace(void)
{
	map_pages(0, 1, READ_WRITE);
}

static void fault(void)
{
	*WORD(0) = 2;
	is_stored = 1;
}

static void load(void)
{
	if (is_stored && *WORD(0) == 1)
		is_stale = 1;
}

SCENARIO_THREADS({replace, 0}, {fault, 1}, {load, 2, .touches = TOUCH(0)});

void setup(void)
{
	provide(0, 1, 1);
	provide(8, 1, 1);
}

int check(void)
{
	return !is_stale && *WORD(0) != 1 ? 0 : 1;
}
