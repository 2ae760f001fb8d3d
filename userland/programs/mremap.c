/*
 * mremap [THREADS] [ROUNDS] [PAGES]
 * mremap under load. One thread moves a region to and fro between two windows; the others add to its words
 * through both windows and count the additions that did not fault. Then, alone: grow, shrink, MREMAP_DONTUNMAP.
 * Defaults: the CPUs (2..16), 32 rounds, 8 pages; every thread is bound to a CPU.
 * Checks: after the call has returned the old window gives SIGSEGV with SEGV_MAPERR and the new one holds the
 * contents; in the end the words hold exactly the additions that were counted, so no store was lost.
 * Output: threads, rounds, pages. Status 0. Standard error: how many additions went through and faulted.
 */
#include "program.h"

const char program_name[] = "mremap";

#define BATCH 8 /* accesses between two calls of sched_yield */

static struct {
	unsigned threads;
	unsigned long rounds, pages;
	char *window[2];
	uint32_t stop;
	struct barrier start_line;
} region;

static uint64_t mark(size_t page)
{
	return 0x6d61726b00000000UL + page;
}

static void writer(struct thread *self)
{
	thread_pin(self->index);
	barrier_wait(&region.start_line);
	for (unsigned long pass = 0; pass < 16 * region.rounds; pass++) {
		if (__atomic_load_n(&region.stop, __ATOMIC_ACQUIRE))
			break;
		for (unsigned i = 0; i < BATCH; i++) {
			uint64_t random = thread_random();
			if (!try_add(page_word(region.window[random >> 32 & 1], random % region.pages), 1)) {
				self->result[0]++;
				continue;
			}
			check(self->fault.code == SEGV_MAPERR, "a page that moved away gives si_code %d", self->fault.code);
			self->result[1]++;
		}
		sys_sched_yield();
	}
}

static void move(unsigned long round)
{
	char *from = region.window[round & 1], *to = region.window[~round & 1];
	size_t size = region.pages * page_size(), probe = round % region.pages;
	uint64_t value;
	long result = sys_mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	check(result == (long)to, "round %lu: mremap to %p returned %lx", round, (void *)to, result);
	check(try_load(page_word(from, probe), &value), "round %lu: the old address still reads %lx", round, value);
	check(thread_self()->fault.code == SEGV_MAPERR, "the old address gives si_code %d", thread_self()->fault.code);
	for (size_t i = 0; i < region.pages; i++)
		check(page_word(to, i)[1] == mark(i), "round %lu: page %zu holds %lx behind the move", round, i,
		      page_word(to, i)[1]);
}

/* Sizes and MREMAP_DONTUNMAP, with no other thread in the region. */
static void resize(void)
{
	size_t page = page_size();
	char *base = map(4 * page);
	for (size_t i = 0; i < 4; i++)
		*page_word(base, i) = mark(i);

	long grown = sys_mremap(base, 4 * page, 16 * page, MREMAP_MAYMOVE, 0);
	check(!is_error(grown), "mremap from 4 to 16 pages returned %ld", grown);
	for (size_t i = 0; i < 16; i++) {
		uint64_t expected = i < 4 ? mark(i) : 0;
		check(*page_word((void *)grown, i) == expected, "grown page %zu reads %lx", i, *page_word((void *)grown, i));
	}
	long shrunk = sys_mremap((void *)grown, 16 * page, 2 * page, 0, 0);
	check(shrunk == grown, "mremap from 16 to 2 pages returned %lx instead of %lx", shrunk, grown);
	uint64_t value;
	check(try_load(page_word((void *)shrunk, 2), &value), "read %lx behind the end of a mapping that shrank", value);

	long moved = sys_mremap((void *)shrunk, 2 * page, 2 * page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	check(!is_error(moved) && moved != shrunk, "mremap(MREMAP_DONTUNMAP) returned %ld", moved);
	for (size_t i = 0; i < 2; i++) {
		check(*page_word((void *)moved, i) == mark(i), "moved page %zu reads %lx", i, *page_word((void *)moved, i));
		check(*page_word((void *)shrunk, i) == 0, "page %zu, moved away, reads %lx", i, *page_word((void *)shrunk, i));
	}
	unmap((void *)shrunk, 2 * page);
	unmap((void *)moved, 2 * page);
}

int main(int argc, char **argv)
{
	region.threads = (unsigned)argument(argc, argv, 1, "threads", default_threads(), 2, MAX_THREADS);
	region.rounds = argument(argc, argv, 2, "rounds", 32, 1, 1UL << 40);
	region.pages = argument(argc, argv, 3, "pages", 8, 1, 4096);
	arguments_end(argc, argv, 3);

	guarded_install();
	size_t size = region.pages * page_size();
	region.window[0] = map(2 * size);
	region.window[1] = region.window[0] + size;
	region.start_line.count = region.threads;
	for (size_t i = 0; i < region.pages; i++)
		page_word(region.window[0], i)[1] = mark(i);
	struct thread *writers[MAX_THREADS];
	for (unsigned i = 1; i < region.threads; i++)
		writers[i] = thread_create(writer, i, 0);
	unmap(region.window[1], size);
	thread_pin(0);
	barrier_wait(&region.start_line);
	for (unsigned long round = 0; round < region.rounds; round++) {
		move(round);
		sys_sched_yield();
	}
	__atomic_store_n(&region.stop, 1, __ATOMIC_RELEASE);

	uint64_t counted = 0, faulted = 0, found = 0;
	for (unsigned i = 1; i < region.threads; i++) {
		uint64_t result[4];
		thread_join(writers[i], result);
		counted += result[0];
		faulted += result[1];
	}
	for (size_t i = 0; i < region.pages; i++)
		found += *page_word(region.window[region.rounds & 1], i);
	check(found == counted, "%lu additions were made, the pages hold %lu", counted, found);
	resize();
	printf("mremap: %u threads x %lu moves of %lu pages: contents kept, no store lost\n", region.threads,
	       region.rounds, region.pages);
	eprintf("mremap: %lu additions went through, %lu faulted\n", counted, faulted);
	return 0;
}
