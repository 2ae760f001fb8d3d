/*
 * scenario: rollover-vs-switch
 * about: a core switches to an address space while another core begins a new generation of ASIDs
 * races: C13
 * cores: 3
 * tasks: 5
 * machine: stress
 * check: I7
 *
 * There are four ASIDs. When core 1 has looked at its next address space's id and core 2 begins a new generation, what
 * core 1 runs just then keeps its ASID, and the one that it is about to run loses it to the process that core 2 has made
 * room for. That process comes to core 1 afterwards, and must not find there what the other one left.
 */
#include "scenario.h"

static int is_foreign;

static inline void look(uint64_t own)
{
	if (*WORD(0) != own)
		is_foreign = (int)own;
}

static void nothing(void)
{
}

/* Begins on core 1, and leaves it to the second process when that has been there. */
static void first_process(void)
{
	sys_sched_yield();
}

static void second_process(void)
{
	sys_sched_yield();
	look(2);
	sys_sched_yield();
}

static void third_process(void)
{
	sys_sched_yield();
}

/* Goes to core 1 when it has had its turn on core 2. */
static void fourth_process(void)
{
	uint64_t mask = 1UL << 1;
	sys_sched_setaffinity(0, sizeof mask, &mask);
	look(4);
}

SCENARIO_THREADS({nothing, 0});

void setup(void)
{
	provide(0, 1, 1);
	scenario_process(first_process, 1);
	*WORD(0) = 2;
	scenario_process(second_process, 1);
	*WORD(0) = 3;
	scenario_process(third_process, 2);
	*WORD(0) = 4;
	scenario_process(fourth_process, 2);
	*WORD(0) = 5;
}

int check(void)
{
	return *WORD(0) == 5 ? is_foreign : 6;
}
