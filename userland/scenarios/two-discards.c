/*
 * scenario: two-discards
 * about: two threads discard the same page
 * races: C04
 * cores: 2
 * tasks: 2
 * check: I4
 *
 * The second discard may find the entry empty already, while the first has not flushed yet. It must not return
 * before the old page has left the TLB of its core.
 */
#include "scenario.h"

static uint64_t left;

static void discard_and_load(void)
{
	advise_pages(0, 1, MADV_DONTNEED);
	left = *WORD(0);
}

static void discard(void)
{
	advise_pages(0, 1, MADV_DONTNEED);
}

SCENARIO_THREADS({discard_and_load, 0}, {discard, 1});

void setup(void)
{
	provide(0, 1, 1);
}

int check(void)
{
	return left == 0 && *WORD(0) == 0 ? 0 : 1;
}
