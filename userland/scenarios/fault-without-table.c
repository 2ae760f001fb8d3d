/*
 * scenario: fault-without-table
 * about: a store faults where there is no page table, in a region that another thread unmaps
 * races: A10
 * litmus: 77
 * cores: 2
 * tasks: 2
 * check: I1 I2 I13
 *
 * The mapping spans two page tables, and only the first exists. A fault without mmap_lock may not make the second:
 * if it comes after free_pgtables() nobody frees it, and the table above, in which it is linked, may be gone.
 */
#include "scenario.h"

#define BORDER TABLE_PAGES /* the first page of the second table */

static void fault(void)
{
	try_store(WORD(BORDER), 1);
}

static void unmap(void)
{
	unmap_pages(BORDER - 2, 4);
}

SCENARIO_THREADS({fault, 0}, {unmap, 1});

void setup(void)
{
	provide(BORDER - 2, 4, 0);
	*WORD(BORDER - 1) = 1;
}

int check(void)
{
	uint64_t value;
	return try_load(WORD(BORDER - 1), &value) && try_load(WORD(BORDER), &value) ? 0 : 1;
}
