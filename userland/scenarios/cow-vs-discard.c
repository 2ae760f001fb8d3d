/*
 * scenario: cow-vs-discard
 * about: a thread's own small flush overtakes the flush of a page that another one discards
 * races: C10
 * cores: 3
 * tasks: 3
 * check: I4
 *
 * Page 1 maps the zero page, so the store to it flushes one page with a generation of its own. The loading core
 * may then not take that flush for the one before, which page 0 waits for. A process shares page 0, so that it is
 * not freed and nothing but the stale load is wrong.
 */
#include "scenario.h"

static volatile int is_discarded;
static int stale;

static void store_and_load(void)
{
	*WORD(1) = 1;
	if (is_discarded && *WORD(0))
		stale = 1;
}

static void discard(void)
{
	advise_pages(0, 1, MADV_DONTNEED);
	is_discarded = 1;
}

SCENARIO_THREADS({store_and_load, 0}, {discard, 1});

void setup(void)
{
	uint64_t value;
	provide(0, 2, 0);
	*WORD(0) = 1;
	scenario_process(scenario_park, 2);
	try_load(WORD(0), &value);
	try_load(WORD(1), &value);
}

int check(void)
{
	return !stale && *WORD(0) == 0 && *WORD(1) == 1 ? 0 : 1;
}
