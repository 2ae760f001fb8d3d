/*
 * scenario: load-vs-discard
 * about: a thread loads a page that another one discards
 * races: C07 C14-ishst C14-ish C14-local
 * cores: 2
 * tasks: 2
 * check: I4 I3
 *
 * The page may go back to the allocator only after it has left the TLB of the loading core.
 */
#include "scenario.h"

static int went_back;

static void load(void)
{
	uint64_t first = *WORD(0);
	uint64_t second = *WORD(0);
	if (second > first)
		went_back = 1;
}

static void discard(void)
{
	advise_pages(0, 1, MADV_DONTNEED);
}

SCENARIO_THREADS({load, 0}, {discard, 1});

void setup(void)
{
	provide(0, 1, 1);
}

int check(void)
{
	return !went_back && *WORD(0) == 0 ? 0 : 1;
}
