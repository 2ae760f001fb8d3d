/*
 * scenario: two-copies
 * about: two threads store to different words of one page that is shared with a process
 * races: no-pte-same C15
 * litmus: 79
 * cores: 3
 * tasks: 3
 * check: I4 I6 I13
 *
 * Both faults copy the page, and only one copy may be installed: the other thread checks the entry again under the
 * page-table lock. Otherwise the second copy buries the first one's store.
 */
#include "scenario.h"

static void first(void)
{
	WORD(0)[1] = 1;
}

static void second(void)
{
	WORD(0)[2] = 2;
}

SCENARIO_THREADS({first, 0}, {second, 1});

void setup(void)
{
	provide(0, 1, 3);
	scenario_process(scenario_park, 2);
}

int check(void)
{
	return WORD(0)[0] == 3 && WORD(0)[1] == 1 && WORD(0)[2] == 2 ? 0 : 1;
}
