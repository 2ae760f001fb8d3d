/*
 * scenario: random
 * about: two to four threads map, unmap, protect, move, discard, fork and store in a few pages, as a seed says
 * cores: 4
 * tasks: 4
 * check: I4 I1 I7
 * seeded: yes
 *
 * All work on eight pages where anything may happen to anybody, and each on a page of its own, of which it knows at
 * every moment what it holds: what was stored last, or zero once it was discarded. A thread keeps what it knows in
 * registers until it ends. Seeds 0 to 3 modulo 4 let two, two, three and four threads work.
 */
#include "scenario.h"

#define THREADS 4
#define COMMON_PAGES 8
#define OWN_PAGE(thread) (16 + 2 * (thread)) /* it moves between this one and the next */

/* What went wrong, as the value of enum failure; what the threads leave in their pages, and where. */
static volatile int failure;
static uint64_t left[THREADS];
static unsigned long place[THREADS];

enum failure { OWN_VALUE = 1, OWN_DISCARD, OWN_PROTECT, OWN_UNPROTECT, OWN_MOVE, CHILD_VALUE, CHILD_STORE, AT_THE_END };

static inline uint64_t next_random(uint64_t x)
{
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static inline void store_own(unsigned long page, uint64_t value)
{
	*WORD(page) = value;
	if (*WORD(page) != value)
		failure = OWN_VALUE;
}

static inline void discard_own(unsigned long page)
{
	advise_pages(page, 1, MADV_DONTNEED);
	if (*WORD(page) != 0)
		failure = OWN_DISCARD;
}

static inline void protect_own(unsigned long page, uint64_t value)
{
	protect_pages(page, 1, PROT_READ);
	if (!try_store(WORD(page), value + 1))
		failure = OWN_PROTECT;
	protect_pages(page, 1, READ_WRITE);
	if (*WORD(page) != value)
		failure = OWN_UNPROTECT;
}

/* The child sees the page as it was at the fork, and the parent does not see the child's store. */
static inline void fork_once(unsigned long page, uint64_t value)
{
	if (arch_clone_process(SIGCHLD) != 0) {
		let_child_run();
		return;
	}
	if (*WORD(page) != value)
		failure = CHILD_VALUE;
	*WORD(page) = ~value;
	if (*WORD(page) != ~value)
		failure = CHILD_STORE;
	scenario_park_asleep();
	sys_exit_group(0);
}

/* What may happen to pages that are nobody's own. */
static inline void disturb(uint64_t x)
{
	unsigned long first = (x >> 8) % COMMON_PAGES;
	unsigned long count = 1 + (x >> 16) % 3;
	uint64_t value;
	if (first + count > COMMON_PAGES)
		count = 1;
	switch ((x >> 24) % 9) {
	case 0:
		map_pages(first, count, READ_WRITE);
		break;
	case 1:
		unmap_pages(first, count);
		break;
	case 2:
		protect_pages(first, count, PROT_READ);
		break;
	case 3:
		protect_pages(first, count, READ_WRITE);
		break;
	case 4:
		move_pages(first, 1, (x >> 32) % COMMON_PAGES);
		break;
	case 5:
		advise_pages(first, count, (x >> 32) % 2 ? MADV_DONTNEED : MADV_FREE);
		break;
	case 6:
		try_load(WORD(first), &value);
		break;
	case 7:
		try_add(WORD(first), 1);
		break;
	default:
		try_store(WORD(first), x);
	}
}

static __attribute__((noinline)) void work(unsigned index)
{
	uint64_t x = next_random((scenario_seed + 1) * (2 * index + 0x9e3779b97f4a7c15UL));
	unsigned long page = OWN_PAGE(index);
	uint64_t value = index;
	unsigned forks = 1;
	unsigned count = index >= 2 && scenario_seed % 4 < index ? 0 : 1 + (x >> 60) % 4;
	for (; count; count--) {
		x = next_random(x);
		switch (x % 16) {
		case 0:
		case 1:
		case 2:
			store_own(page, value = x);
			break;
		case 3:
			discard_own(page);
			value = 0;
			break;
		case 4:
			protect_own(page, value);
			break;
		case 5:
			if (move_pages(page, 1, page ^ 1) != (long)ADDRESS(page ^ 1))
				failure = OWN_MOVE;
			page ^= 1;
			break;
		case 6:
			if (forks)
				fork_once(page, value);
			forks = 0;
			break;
		default:
			disturb(x);
		}
		if (*WORD(page) != value)
			failure = OWN_VALUE;
	}
	left[index] = value;
	place[index] = page;
}

static void thread_0(void)
{
	work(0);
}

static void thread_1(void)
{
	work(1);
}

static void thread_2(void)
{
	work(2);
}

static void thread_3(void)
{
	work(3);
}

SCENARIO_THREADS({thread_0, 0}, {thread_1, 1}, {thread_2, 2}, {thread_3, 3});

void setup(void)
{
	provide(0, COMMON_PAGES, 1);
	for (unsigned index = 0; index < THREADS; index++) {
		provide(OWN_PAGE(index), 1, 0);
		*WORD(OWN_PAGE(index)) = index;
	}
}

int check(void)
{
	uint64_t value;
	for (unsigned index = 0; index < THREADS && !failure; index++)
		if (*WORD(place[index]) != left[index] || !try_load(WORD(place[index] ^ 1), &value))
			failure = AT_THE_END;
	return failure;
}
