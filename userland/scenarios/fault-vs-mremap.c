/*
 * scenario: fault-vs-mremap
 * about: a store faults at the place to which another thread moves a page
 * races: A22
 * cores: 2
 * tasks: 2
 * check: I1 I13
 *
 * The page moves from 0 to 8. A fault that sees the new VMA before its entry has arrived installs a page of its
 * own, which is overwritten; what was stored in it is lost, and so is the page. Page 9 shares the table, as does
 * page 0.
 */
#include "scenario.h"

static int faulted;

static void fault(void)
{
	faulted = try_store(&WORD(8)[1], 2);
}

static void move(void)
{
	move_pages(0, 1, 8);
}

SCENARIO_THREADS({fault, 0}, {move, 1});

void setup(void)
{
	provide(0, 1, 1);
	provide(9, 1, 1);
}

int check(void)
{
	uint64_t value;
	if (WORD(8)[0] != 1 || !try_load(WORD(0), &value))
		return 1;
	return WORD(8)[1] == (faulted ? 0 : 2) ? 0 : 2;
}
