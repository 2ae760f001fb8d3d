/*
 * mmap1 [THREADS] [ROUNDS] [REGION_KIB]
 * will-it-scale's mmap1 with threads: each maps and unmaps a private anonymous region (128 MiB unless told)
 * and never touches it. THREADS defaults to the CPUs (2..16), thread i on the i-th CPU; ROUNDS to 256 in all.
 * Checks: addresses are page-aligned, and two regions that are mapped at the same time never overlap.
 * Output: threads, rounds, region. Status 0.
 */
#include "program.h"

const char program_name[] = "mmap1";

static unsigned threads;
static unsigned long rounds, region;
static struct barrier start_line;
static unsigned long mapped[MAX_THREADS]; /* set while the thread's region is mapped, else 0 */

static void run(struct thread *self)
{
	thread_pin(self->index);
	barrier_wait(&start_line);
	for (unsigned long round = 0; round < rounds; round++) {
		unsigned long address = (unsigned long)map(region);
		check(address % page_size() == 0, "mmap returned the unaligned address %lx", address);
		__atomic_store_n(&mapped[self->index], address, __ATOMIC_SEQ_CST);
		for (unsigned i = 0; i < threads; i++) {
			unsigned long other = __atomic_load_n(&mapped[i], __ATOMIC_SEQ_CST);
			if (i != self->index && other && address < other + region && other < address + region)
				fail("threads %u and %u both have %lx..%lx", self->index, i, address, address + region);
		}
		__atomic_store_n(&mapped[self->index], 0, __ATOMIC_SEQ_CST);
		unmap((void *)address, region);
	}
}

int main(int argc, char **argv)
{
	threads = (unsigned)argument(argc, argv, 1, "threads", default_threads(), 1, MAX_THREADS);
	rounds = argument(argc, argv, 2, "rounds", 256 / threads, 1, 1UL << 32);
	region = argument(argc, argv, 3, "region KiB", 128UL << 10, 4, 1UL << 30) << 10;
	region = (region + page_size() - 1) & -page_size();
	arguments_end(argc, argv, 3);
	start_line.count = threads;
	threads_run(threads, run, 0, 0);
	printf("mmap1: %u threads x %lu rounds of mmap and munmap of %lu KiB: no overlap\n", threads, rounds,
	       region >> 10);
	return 0;
}
