/*
 * mmap2 [THREADS] [ROUNDS] [REGION_KIB]
 * The second mmap micro-loop. will-it-scale's mmap2 maps and unmaps a separate file per task; without files,
 * each thread maps and unmaps private anonymous memory in a window of its own, at a fixed address, and
 * writes the first and the last page. Neighbouring windows touch, so that VMAs merge and split across
 * threads. THREADS defaults to the CPUs (2..16), thread i on the i-th CPU; ROUNDS to 256 in all; REGION_KIB to 64.
 * Checks: the kernel maps exactly where it is told, and fresh memory is zero.
 * Output: threads, rounds, region. Status 0.
 */
#include "program.h"

const char program_name[] = "mmap2";

static unsigned long rounds, region;
static char *windows;
static struct barrier start_line;

static void run(struct thread *self)
{
	char *window = windows + self->index * region;
	thread_pin(self->index);
	barrier_wait(&start_line);
	for (unsigned long round = 0; round < rounds; round++) {
		long address = sys_mmap(window, region, READ_WRITE, ANONYMOUS | MAP_FIXED_NOREPLACE);
		check(address == (long)window, "mmap at %p returned %lx", (void *)window, address);
		volatile uint64_t *first = page_word(window, 0), *last = page_word(window, region / page_size() - 1);
		check(*first == 0 && *last == 0, "fresh memory reads %lx and %lx", *first, *last);
		*first = *last = round + 1;
		check(*first == round + 1, "the first page reads %lx instead of %lx", *first, round + 1);
		unmap(window, region);
	}
}

int main(int argc, char **argv)
{
	unsigned threads = (unsigned)argument(argc, argv, 1, "threads", default_threads(), 1, MAX_THREADS);
	rounds = argument(argc, argv, 2, "rounds", 256 / threads, 1, 1UL << 32);
	region = argument(argc, argv, 3, "region KiB", 64, 4, 1UL << 20) << 10;
	region = (region + page_size() - 1) & -page_size();
	arguments_end(argc, argv, 3);
	start_line.count = threads + 1;
	/* The threads' stacks must exist before the windows are free, or they would be mapped there. */
	windows = map(threads * region);
	struct thread *all[MAX_THREADS];
	for (unsigned i = 0; i < threads; i++)
		all[i] = thread_create(run, i, 0);
	unmap(windows, threads * region);
	barrier_wait(&start_line);
	for (unsigned i = 0; i < threads; i++)
		thread_join(all[i], 0);
	printf("mmap2: %u threads x %lu rounds of mmap, two stores and munmap of %lu KiB\n", threads, rounds,
	       region >> 10);
	return 0;
}
