/*
 * scenario: fork-vs-stores
 * about: two threads store to one page while a third forks
 * races: A21
 * litmus: 76
 * cores: 3
 * tasks: 3
 * check: I6 I4
 *
 * fork has made the entry read-only, but core 2 still has a writable translation until the flush. If core 1 may
 * break copy-on-write before that, the store of core 2 lands in the old page after it was copied, and is lost. The child
 * then sees it, too: it loads the word twice.
 */
#include "scenario.h"

static int child_saw_change;

static void fork_once(void)
{
	if (arch_clone_process(SIGCHLD) != 0) {
		let_child_run();
		return;
	}
	uint64_t first = WORD(0)[2];
	if (WORD(0)[2] != first)
		child_saw_change = 1;
	scenario_park_asleep();
	sys_exit_group(0);
}

static void store_fresh(void)
{
	WORD(0)[1] = 1;
}

static void store_stale(void)
{
	WORD(0)[2] = 1;
}

SCENARIO_THREADS({fork_once, 0}, {store_fresh, 1}, {store_stale, 2, .touches = TOUCH(0)});

void setup(void)
{
	provide(0, 1, 1);
}

int check(void)
{
	if (child_saw_change)
		return 2;
	return WORD(0)[0] == 1 && WORD(0)[1] == 1 && WORD(0)[2] == 1 ? 0 : 1;
}
