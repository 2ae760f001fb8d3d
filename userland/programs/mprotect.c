/*
 * mprotect [THREADS] [ROUNDS] [PAGES]
 * Ping-pong of rights under load. One thread takes the right to write (every other round: all rights) from
 * a region and gives it back; the others add to its words all the time and count the additions that did not
 * fault. Defaults: the CPUs (2..16), 32 rounds, 4 pages; every thread is bound to a CPU.
 * Checks: between the return of mprotect(PROT_READ) and the next call no word changes; PROT_NONE lets nobody
 * read; a fault is SEGV_ACCERR; in the end the words hold exactly the additions that were counted.
 * Output: threads, rounds, pages. Status 0. Standard error: how many additions went through and faulted.
 */
#include "program.h"

const char program_name[] = "mprotect";

#define MOST_PAGES 64
#define BATCH 8 /* accesses between two calls of sched_yield */

static struct {
	unsigned threads;
	unsigned long rounds, pages;
	void *base;
	uint32_t stop;
	struct barrier start_line;
} region;

static void protect(int prot)
{
	long result = sys_mprotect(region.base, region.pages * page_size(), prot);
	check(result == 0, "mprotect(%d) returned %ld", prot, result);
}

static void writer(struct thread *self)
{
	thread_pin(self->index);
	barrier_wait(&region.start_line);
	/* Bounded, so that the program ends even if the protecting thread is never chosen until all wait. */
	for (unsigned long pass = 0; pass < 16 * region.rounds; pass++) {
		if (__atomic_load_n(&region.stop, __ATOMIC_ACQUIRE))
			break;
		for (unsigned i = 0; i < BATCH; i++) {
			if (!try_add(page_word(region.base, thread_random() % region.pages), 1)) {
				self->result[0]++;
				continue;
			}
			check(self->fault.code == SEGV_ACCERR, "a protected page gives si_code %d", self->fault.code);
			self->result[1]++;
			break;
		}
		sys_sched_yield();
	}
}

static void read_only_round(unsigned long round)
{
	uint64_t before[MOST_PAGES];
	protect(PROT_READ);
	for (size_t i = 0; i < region.pages; i++)
		before[i] = *page_word(region.base, i);
	sys_sched_yield();
	for (size_t i = 0; i < region.pages; i++)
		check(*page_word(region.base, i) == before[i], "round %lu: read-only page %zu went from %lu to %lu", round, i,
		      before[i], *page_word(region.base, i));
	check(try_store(page_word(region.base, round % region.pages), 0), "round %lu: stored to a read-only page", round);
	protect(READ_WRITE);
}

static void no_access_round(unsigned long round)
{
	uint64_t value;
	protect(PROT_NONE);
	check(try_load(page_word(region.base, round % region.pages), &value), "round %lu: read %lu from a PROT_NONE page",
	      round, value);
	check(thread_self()->fault.code == SEGV_ACCERR, "a PROT_NONE page gives si_code %d", thread_self()->fault.code);
	protect(READ_WRITE);
}

int main(int argc, char **argv)
{
	region.threads = (unsigned)argument(argc, argv, 1, "threads", default_threads(), 2, MAX_THREADS);
	region.rounds = argument(argc, argv, 2, "rounds", 32, 1, 1UL << 40);
	region.pages = argument(argc, argv, 3, "pages", 4, 1, MOST_PAGES);
	arguments_end(argc, argv, 3);

	guarded_install();
	region.base = map(region.pages * page_size());
	region.start_line.count = region.threads;
	struct thread *writers[MAX_THREADS];
	for (unsigned i = 1; i < region.threads; i++)
		writers[i] = thread_create(writer, i, 0);
	thread_pin(0);
	barrier_wait(&region.start_line);
	for (unsigned long round = 0; round < region.rounds; round++) {
		if (round & 1)
			no_access_round(round);
		else
			read_only_round(round);
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
		found += *page_word(region.base, i);
	check(found == counted, "%lu additions were made, the pages hold %lu", counted, found);
	printf("mprotect: %u threads x %lu rounds on %lu pages: no store after mprotect, none lost\n", region.threads,
	       region.rounds, region.pages);
	eprintf("mprotect: %lu additions went through, %lu faulted\n", counted, faulted);
	return 0;
}
