/*
 * scenario: fault-vs-mmap
 * about: a store faults while another thread maps memory elsewhere
 * races: A31
 * cores: 2
 * tasks: 2
 * check: I4 I13
 *
 * The writer does not concern the fault, but may make it give up after it has taken a page; the page must be given
 * back.
 */
#include "scenario.h"

static void fault(void)
{
	*WORD(1) = 1;
}

static void map(void)
{
	map_pages(64, 1, PROT_NONE);
}

SCENARIO_THREADS({fault, 0}, {map, 1});

void setup(void)
{
	provide(0, 2, 0);
	*WORD(0) = 1;
}

int check(void)
{
	return *WORD(1) == 1 ? 0 : 1;
}
