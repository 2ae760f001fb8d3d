/*
 * storm [THREADS] [ROUNDS] [OWN_PAGES] [SHARED_PAGES]
 * A fault storm: in every round each thread touches a fresh region of its own, half of the pages by a read
 * first (zero page, then an upgrade), and every page of a fresh region that all share, starting at a
 * different place each. Defaults: the CPUs (2..16), 2 rounds, 32 and 64 pages.
 * Checks: fresh memory is zero; own pages hold what their thread wrote; the shared pages count one
 * atomic increment per thread, so no store was lost and all threads saw the same frame.
 * Output: threads, rounds, pages. Status 0.
 */
#include "program.h"

const char program_name[] = "storm";

static struct {
	unsigned threads;
	unsigned long rounds, own_pages, shared_pages;
	char *region;
	struct barrier barrier;
} storm;

static void touch_own(struct thread *self, unsigned long round)
{
	char *own = map(storm.own_pages * page_size());
	for (size_t i = 0; i < storm.own_pages; i++) {
		volatile uint64_t *word = page_word(own, i);
		if (i & 1)
			check(word[0] == 0, "thread %u: fresh page %zu reads %lx", self->index, i, word[0]);
		word[0] = (round << 32) + (self->index << 16) + i + 1;
		check(word[1] == 0, "thread %u: page %zu is not zero behind the store: %lx", self->index, i, word[1]);
	}
	for (size_t i = 0; i < storm.own_pages; i++) {
		uint64_t expected = (round << 32) + (self->index << 16) + i + 1;
		check(*page_word(own, i) == expected, "thread %u: page %zu reads %lx instead of %lx", self->index, i,
		      *page_word(own, i), expected);
	}
	unmap(own, storm.own_pages * page_size());
}

static void touch_shared(struct thread *self)
{
	size_t start = self->index * storm.shared_pages / storm.threads;
	for (size_t i = 0; i < storm.shared_pages; i++)
		__atomic_fetch_add(page_word(storm.region, (start + i) % storm.shared_pages), 1, __ATOMIC_RELAXED);
}

static void run(struct thread *self)
{
	size_t size = storm.shared_pages * page_size();
	for (unsigned long round = 0; round < storm.rounds; round++) {
		if (self->index == 0)
			storm.region = map(size);
		barrier_wait(&storm.barrier);
		touch_own(self, round);
		touch_shared(self);
		barrier_wait(&storm.barrier);
		if (self->index != 0)
			continue;
		for (size_t i = 0; i < storm.shared_pages; i++)
			check(*page_word(storm.region, i) == storm.threads,
			      "round %lu: shared page %zu counts %lu of %u threads", round, i,
			      *page_word(storm.region, i), storm.threads);
		unmap(storm.region, size);
	}
}

int main(int argc, char **argv)
{
	storm.threads = (unsigned)argument(argc, argv, 1, "threads", default_threads(), 1, MAX_THREADS);
	storm.rounds = argument(argc, argv, 2, "rounds", 2, 1, 1UL << 32);
	storm.own_pages = argument(argc, argv, 3, "own pages", 32, 1, 65536);
	storm.shared_pages = argument(argc, argv, 4, "shared pages", 64, 1, 65536);
	arguments_end(argc, argv, 4);
	storm.barrier.count = storm.threads;
	threads_run(storm.threads, run, 0, 0);
	printf("storm: %u threads x %lu rounds x (%lu own + %lu shared pages): every store found\n", storm.threads,
	       storm.rounds, storm.own_pages, storm.shared_pages);
	return 0;
}
