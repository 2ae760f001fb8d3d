/*
 * scenario: fault-without-table
 * about: a store faults where there is no page table, in a part that another thread unmaps
 * races: A10
 * litmus: 77
 * cores: 2
 * tasks: 2
 * check: I1 I13
 *
 * The mapping spans two page tables, and only the first exists. A fault without mmap_lock may not make the second:
 * it would come after free_pgtables(), and nobody frees it.
 */
#include "scenario.h"

static void fault(void)
{
	try_store(WORD(TABLE_PAGES), 1);
}

static void unmap(void)
{
	unmap_pages(TABLE_PAGES, 2);
}

SCENARIO_THREADS({fault, 0}, {unmap, 1});

void setup(void)
{
	provide(0, TABLE_PAGES + 2, 0);
	*WORD(0) = 1;
}

int check(void)
{
	uint64_t value;
	return try_load(WORD(TABLE_PAGES), &value) ? 0 : 1;
}
