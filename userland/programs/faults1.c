/*
 * faults1 [THREADS] [ROUNDS] [REGION_KIB]
 * will-it-scale's page_fault1 with threads: each maps a private anonymous region, writes one word of every
 * page, and unmaps it. THREADS defaults to the CPUs (2..16), thread i on the i-th CPU; REGION_KIB to 512;
 * ROUNDS to what gives about 2048 faults in all.
 * Checks: every page is zero where it was not written and holds what its own thread wrote.
 * Output: threads, rounds, pages per region, pages touched. Status 0.
 */
#include "program.h"

const char program_name[] = "faults1";

static struct barrier start_line;
static unsigned long rounds, region;

static void run(struct thread *self)
{
	size_t page = page_size();
	thread_pin(self->index);
	barrier_wait(&start_line);
	for (unsigned long round = 0; round < rounds; round++) {
		char *base = map(region);
		for (char *p = base; p < base + region; p += page) {
			volatile uint64_t *word = (volatile uint64_t *)p;
			uint64_t tag = (uint64_t)(uintptr_t)p ^ ((uint64_t)self->index << 56) ^ round;
			word[0] = tag;
			if (word[0] != tag || word[1] != 0)
				fail("thread %u: page %p reads %lx %lx instead of %lx 0", self->index, (void *)p,
				     word[0], word[1], tag);
		}
		unmap(base, region);
	}
	self->result[0] = rounds * (region / page);
}

int main(int argc, char **argv)
{
	unsigned threads = (unsigned)argument(argc, argv, 1, "threads", default_threads(), 1, MAX_THREADS);
	region = argument(argc, argv, 3, "region KiB", 512, 4, 1UL << 20) << 10;
	region = (region + page_size() - 1) & -page_size();
	unsigned long pages = region / page_size();
	unsigned long round_faults = threads * pages;
	rounds = argument(argc, argv, 2, "rounds", round_faults < 2048 ? 2048 / round_faults : 1, 1, 1UL << 32);
	arguments_end(argc, argv, 3);

	uint64_t sum[4] = {0};
	start_line.count = threads;
	threads_run(threads, run, 0, sum);
	check(sum[0] == threads * rounds * pages, "%lu pages touched", sum[0]);
	printf("faults1: %u threads x %lu rounds x %lu pages: %lu pages touched\n", threads, rounds, pages, sum[0]);
	return 0;
}
