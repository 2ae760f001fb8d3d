/*
 * scenario: asid-rollover
 * about: five address spaces take turns on a core while another core stays with one of them
 * races: C13a C13b C13c C13d
 * cores: 2
 * tasks: 6
 * machine: stress
 * check: I7
 *
 * With few ASIDs nearly every turn begins a new generation of them. Nobody may find what another one's address space
 * left under its ASID. And when a store gives page 1, which a process shares, a copy in its place, the flush must name
 * the ASID under which core 0 still has the old one, however many generations have passed since it was given that.
 */
#include "scenario.h"

static int is_foreign;
static int went_back;

static volatile uint32_t gate;

/* Looks at the page, and lets the others have their turn. */
static inline void take_turn(uint64_t own)
{
	if (*WORD(0) != own)
		is_foreign = (int)own;
	sys_sched_yield();
}

/* One turn, and when everybody has had one, another. */
static inline void come_again(uint64_t own)
{
	take_turn(own);
	sys_futex(&gate, FUTEX_WAIT, 0, 0);
	take_turn(own);
}

/* Core 0 stays with the address space, and has both pages in its TLB. */
static void stay(void)
{
	uint64_t last = *WORD(1);
	for (int load = 0; load < 4; load++) {
		uint64_t value = *WORD(1);
		if (value < last)
			went_back = 1;
		last = value;
	}
}

static void copy(void)
{
	take_turn(5);
	take_turn(5);
	gate = 1;
	sys_futex(&gate, FUTEX_WAKE, 3, 0);
	take_turn(5);
	take_turn(5);
	*WORD(1) = 6;
}

/* For a while this one and the storing thread have the core for themselves. */
static void first_process(void)
{
	for (int turn = 0; turn < 5; turn++)
		take_turn(1);
}

static void second_process(void)
{
	come_again(2);
}

static void third_process(void)
{
	come_again(3);
}

static void fourth_process(void)
{
	come_again(4);
}

SCENARIO_THREADS({stay, 0}, {copy, 1});

void setup(void)
{
	provide(0, 2, 1);
	scenario_process(first_process, 1);
	*WORD(0) = 2;
	scenario_process(second_process, 1);
	*WORD(0) = 3;
	scenario_process(third_process, 1);
	*WORD(0) = 4;
	*WORD(1) = 5;
	scenario_process(fourth_process, 1);
	*WORD(0) = 5;
}

int check(void)
{
	if (*WORD(0) != 5 || went_back)
		return 6;
	return *WORD(1) == 6 ? is_foreign : 7;
}
