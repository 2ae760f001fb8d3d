/*
 * mapfixed [THREADS] [ROUNDS] [PAGES]
 * MAP_FIXED replacement under readers. One thread maps new memory over a region again and again and fills it
 * with the round's number; the others read. Every thread is bound to a CPU. Defaults: the CPUs (2..16), 48
 * rounds, 4 pages.
 * Checks: a reader never takes SIGSEGV (the replacement is one step for mmap's callers, and a fault in between
 * waits); it sees zero or a round's number, never one from before a replacement that it saw or that had
 * returned. The mapper sees zero after each replacement.
 * Output: threads, rounds, pages. Status 0. Standard error: what the reads saw, which depends on the schedule.
 */
#include "observer.h"
#include "program.h"

const char program_name[] = "mapfixed";

#define MOST_PAGES 64
#define BATCH 8 /* accesses between two calls of sched_yield */

static struct {
	unsigned threads;
	unsigned long rounds, pages;
	void *base;
	uint64_t replaced; /* values up to this one are gone */
	uint32_t stop;
	struct barrier start_line;
} race;

static void reader(struct thread *self)
{
	struct observer seen[MOST_PAGES];
	memset(seen, 0, sizeof seen);
	thread_pin(self->index);
	barrier_wait(&race.start_line);
	for (unsigned long pass = 0; pass < 16 * race.rounds; pass++) {
		if (__atomic_load_n(&race.stop, __ATOMIC_ACQUIRE))
			break;
		for (unsigned i = 0; i < BATCH; i++) {
			size_t page = thread_random() % race.pages;
			uint64_t value, gone = __atomic_load_n(&race.replaced, __ATOMIC_ACQUIRE);
			if (try_load(page_word(race.base, page), &value))
				fail("page %zu: SIGSEGV with si_code %d during a replacement", page, self->fault.code);
			if (!value) {
				observe_nothing(seen + page);
				self->result[0]++;
				continue;
			}
			check(value > gone, "page %zu reads %lu; %lu is replaced", page, value, gone);
			check(observe_value(seen + page, value), "page %zu reads %lu after %lu was gone", page, value,
			      seen[page].lowest);
			self->result[1]++;
		}
		sys_sched_yield();
	}
}

int main(int argc, char **argv)
{
	race.threads = (unsigned)argument(argc, argv, 1, "threads", default_threads(), 2, MAX_THREADS);
	race.rounds = argument(argc, argv, 2, "rounds", 48, 1, 1UL << 40);
	race.pages = argument(argc, argv, 3, "pages", 4, 1, MOST_PAGES);
	arguments_end(argc, argv, 3);

	guarded_install();
	size_t size = race.pages * page_size();
	race.base = map(size);
	race.start_line.count = race.threads;
	struct thread *readers[MAX_THREADS];
	for (unsigned i = 1; i < race.threads; i++)
		readers[i] = thread_create(reader, i, 0);
	thread_pin(0);
	barrier_wait(&race.start_line);
	for (uint64_t round = 1; round <= race.rounds; round++) {
		long address = sys_mmap(race.base, size, READ_WRITE, ANONYMOUS | MAP_FIXED);
		check(address == (long)race.base, "mmap(MAP_FIXED) at %p returned %lx", race.base, address);
		__atomic_store_n(&race.replaced, round - 1, __ATOMIC_RELEASE);
		for (size_t i = 0; i < race.pages; i++) {
			volatile uint64_t *word = page_word(race.base, i);
			if ((round + i) & 1)
				check(*word == 0, "round %lu: new page %zu reads %lu", round, i, *word);
			*word = round;
		}
		sys_sched_yield();
	}
	__atomic_store_n(&race.stop, 1, __ATOMIC_RELEASE);

	uint64_t zeros = 0, values = 0;
	for (unsigned i = 1; i < race.threads; i++) {
		uint64_t result[4];
		thread_join(readers[i], result);
		zeros += result[0];
		values += result[1];
	}
	printf("mapfixed: %u threads x %lu replacements of %lu pages: nothing came back, no SIGSEGV\n", race.threads,
	       race.rounds, race.pages);
	eprintf("mapfixed: reads saw %lu times zero, %lu a value\n", zeros, values);
	return 0;
}
