/*
 * scenario: switch-vs-discard
 * about: a core leaves an address space and loads it again around a flush of another core
 * races: C11 C27
 * litmus: 70
 * cores: 2
 * tasks: 3
 * check: I4 I3
 *
 * A process shares core 1 with thread 1 and does nothing but sleep. On the way back the core must either be in the
 * mask when the flush looks, or see its generation.
 */
#include "scenario.h"

static volatile int is_discarded;
static int stale;

static void discard(void)
{
	advise_pages(0, 1, MADV_DONTNEED);
	is_discarded = 1;
}

static void load_switch_load(void)
{
	uint64_t value;
	try_load(WORD(0), &value);
	sys_sched_yield();
	if (is_discarded && *WORD(0))
		stale = 1;
}

static void sleep_at_once(void)
{
}

SCENARIO_THREADS({discard, 0}, {load_switch_load, 1});

void setup(void)
{
	scenario_process(sleep_at_once, 1);
	provide(0, 1, 1);
}

int check(void)
{
	return !stale && *WORD(0) == 0 ? 0 : 1;
}
