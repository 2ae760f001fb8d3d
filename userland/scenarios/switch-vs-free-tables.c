/*
 * scenario: switch-vs-free-tables
 * about: a core leaves an address space while another one frees its page tables
 * races: C28
 * litmus: 70
 * cores: 2
 * tasks: 3
 * check: I4 I2 I3
 *
 * A process shares core 1 with thread 1. As long as the core walks the old root it must be in the mask, or it is
 * not told that the tables go.
 */
#include "scenario.h"

static void unmap(void)
{
	unmap_pages(0, 2);
}

static void load_and_switch(void)
{
	uint64_t value;
	try_load(WORD(0), &value);
	sys_sched_yield();
}

static void sleep_at_once(void)
{
}

SCENARIO_THREADS({unmap, 0}, {load_and_switch, 1});

void setup(void)
{
	scenario_process(sleep_at_once, 1);
	provide(0, 2, 1);
}

int check(void)
{
	uint64_t value;
	return try_load(WORD(0), &value) ? 0 : 1;
}
