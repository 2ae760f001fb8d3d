/*
 * scenario: two-stack-growths
 * about: two threads make one stack grow by different amounts
 * races: A17
 * cores: 2
 * tasks: 2
 * check: I4 I9
 *
 * Both stores lie below the stack. Whoever comes second may find that it has grown far enough already, or must
 * grow it from where the first one left it.
 */
#include "scenario.h"

#define STACK_PAGE 300

static void grow_far(void)
{
	*WORD(STACK_PAGE - 4) = 1;
}

static void grow_near(void)
{
	*WORD(STACK_PAGE - 2) = 2;
}

SCENARIO_THREADS({grow_far, 0}, {grow_near, 1});

void setup(void)
{
	long result = sys_mmap(ADDRESS(STACK_PAGE), PAGE, READ_WRITE, ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN);
	require(result == (long)ADDRESS(STACK_PAGE));
	*WORD(STACK_PAGE) = 3;
}

int check(void)
{
	if (*WORD(STACK_PAGE - 4) != 1 || *WORD(STACK_PAGE - 2) != 2 || *WORD(STACK_PAGE) != 3)
		return 1;
	return *WORD(STACK_PAGE - 3) == 0 ? 0 : 2;
}
