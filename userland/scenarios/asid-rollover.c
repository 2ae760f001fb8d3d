/*
 * scenario: asid-rollover
 * about: five address spaces take turns on a core while another core stays with one of them
 * races: C13a C13b C13c C13d
 * cores: 2
 * tasks: 6
 * machine: stress
 * check: I7 I4 I3
 *
 * With few ASIDs nearly every turn begins a new generation of them. Nobody may find what another one's address space
 * left under its ASID, and the flush of a discarded page must name the ASID under which core 0 still has it, however
 * many generations have passed since it was given that.
 */
#include "scenario.h"

static int is_foreign;
static int went_back;

/* Looks at the page before and after the others have had their turn. */
static inline void take_turns(uint64_t own)
{
	for (int turn = 0; turn < 3; turn++) {
		if (*WORD(0) != own)
			is_foreign = (int)own;
		sys_sched_yield();
	}
}

/* Core 0 stays with the address space, and has both pages in its TLB. */
static void stay(void)
{
	uint64_t last = *WORD(1);
	for (int load = 0; load < 4; load++) {
		uint64_t value = *WORD(1);
		if (value > last)
			went_back = 1;
		last = value;
	}
}

static void discard(void)
{
	take_turns(5);
	advise_pages(1, 1, MADV_DONTNEED);
}

static void first_process(void)
{
	take_turns(1);
}

static void second_process(void)
{
	take_turns(2);
}

static void third_process(void)
{
	take_turns(3);
}

static void fourth_process(void)
{
	take_turns(4);
}

SCENARIO_THREADS({stay, 0}, {discard, 1});

void setup(void)
{
	provide(0, 2, 1);
	scenario_process(first_process, 1);
	*WORD(0) = 2;
	scenario_process(second_process, 1);
	*WORD(0) = 3;
	scenario_process(third_process, 1);
	*WORD(0) = 4;
	scenario_process(fourth_process, 1);
	*WORD(0) = 5;
	*WORD(1) = 5;
}

int check(void)
{
	if (*WORD(0) != 5 || went_back)
		return 6;
	return *WORD(1) == 0 ? is_foreign : 7;
}
