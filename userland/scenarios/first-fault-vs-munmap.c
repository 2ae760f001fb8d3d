/*
 * scenario: first-fault-vs-munmap
 * about: the first store to a mapping looks at neighbours while another thread unmaps both
 * races: A26
 * litmus: 77
 * cores: 2
 * tasks: 2
 * check: I1 I9 I11
 *
 * Page 1 has a VMA of its own, since its rights differ, and no anon_vma yet; it could share that of page 0.
 * Looking for one means to read the VMA and its neighbours, and that takes mmap_lock, or they may be freed
 * meanwhile.
 */
#include "scenario.h"

static void fault(void)
{
	try_store(WORD(1), 1);
}

static void unmap(void)
{
	unmap_pages(0, 2);
}

SCENARIO_THREADS({fault, 0}, {unmap, 1});

void setup(void)
{
	provide(0, 3, 0);
	require(protect_pages(1, 1, READ_WRITE | PROT_EXEC) == 0);
	*WORD(0) = 1;
}

int check(void)
{
	uint64_t value;
	return try_load(WORD(0), &value) && try_load(WORD(1), &value) ? 0 : 1;
}
