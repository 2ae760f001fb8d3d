/*
 * scenario: two-faults
 * about: two threads store to different words of one untouched page
 * litmus: 79
 * cores: 2
 * tasks: 2
 * check: I4 I7 I13
 *
 * Both faults allocate a page and one of them must let go of its own: whoever installs second checks the entry again
 * under the page-table lock. A store is lost otherwise.
 */
#include "scenario.h"

static void first(void)
{
	WORD(1)[0] = 1;
}

static void second(void)
{
	WORD(1)[1] = 2;
}

SCENARIO_THREADS({first, 0}, {second, 1});

void setup(void)
{
	provide(0, 2, 0);
	*WORD(0) = 1;
}

int check(void)
{
	return WORD(1)[0] == 1 && WORD(1)[1] == 2 ? 0 : 1;
}
