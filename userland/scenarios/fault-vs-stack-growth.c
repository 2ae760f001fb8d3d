/*
 * scenario: fault-vs-stack-growth
 * about: a store faults in a stack that another thread's store makes grow
 * races: A17
 * cores: 2
 * tasks: 2
 * check: I4 I9
 *
 * Growing changes vm_start and then vm_pgoff. If it does so under the read lock no count tells the fault that its
 * copy of the VMA is torn.
 */
#include "scenario.h"

#define STACK_PAGE 300

static void fault(void)
{
	*WORD(STACK_PAGE + 1) = 1;
}

static void grow(void)
{
	*WORD(STACK_PAGE - 2) = 2;
}

SCENARIO_THREADS({fault, 0}, {grow, 1});

void setup(void)
{
	long result = sys_mmap(ADDRESS(STACK_PAGE), 4 * PAGE, READ_WRITE, ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN);
	require(result == (long)ADDRESS(STACK_PAGE));
	*WORD(STACK_PAGE + 3) = 3;
}

int check(void)
{
	if (*WORD(STACK_PAGE + 1) != 1 || *WORD(STACK_PAGE - 2) != 2 || *WORD(STACK_PAGE + 3) != 3)
		return 1;
	return *WORD(STACK_PAGE - 1) == 0 ? 0 : 2;
}
