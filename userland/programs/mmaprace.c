/*
 * mmaprace [THREADS] [ROUNDS]
 * mmap and munmap against readers. Each thread owns a window of four pages; in a loop it maps the window,
 * fills it with its own values, looks into other threads' windows, and unmaps its own. Windows touch, so
 * VMAs merge and split and page tables are shared. Every thread is bound to a CPU. THREADS defaults to the
 * CPUs (2..16), ROUNDS to about 128 in all.
 * Checks: an owner sees zero, then its own values, then (munmap has returned) SIGSEGV with SEGV_MAPERR; a
 * look into another window gives SIGSEGV, zero, or a value of that window's owner, never one that is older
 * than one seen before or whose munmap has returned.
 * Output: threads and rounds. Status 0. Standard error: what the looks saw, which depends on the schedule.
 */
#include "observer.h"
#include "program.h"

const char program_name[] = "mmaprace";

#define WINDOW 4 /* pages */
#define LOOKS 8 /* per round */

static struct {
	unsigned threads;
	unsigned long rounds;
	char *base;
	struct barrier start_line;
	uint64_t gone[MAX_THREADS]; /* the last round whose munmap has returned */
} race;

static void *page_of(unsigned owner, size_t page)
{
	return race.base + (owner * WINDOW + page) * page_size();
}

static uint64_t value_of(unsigned owner, uint64_t round)
{
	return round << 8 | (owner + 1);
}

static void look(struct thread *self, struct observer *seen)
{
	uint64_t random = thread_random();
	unsigned owner = (unsigned)(random >> 8) % race.threads, page = random % WINDOW;
	uint64_t value, gone = __atomic_load_n(&race.gone[owner], __ATOMIC_ACQUIRE);
	if (try_load(page_of(owner, page), &value)) {
		check(self->fault.code == SEGV_MAPERR, "an unmapped page gives si_code %d", self->fault.code);
		observe_nothing(seen + owner * WINDOW + page);
		self->result[0]++;
	} else if (value == 0) {
		observe_nothing(seen + owner * WINDOW + page);
		self->result[1]++;
	} else {
		uint64_t round = value >> 8;
		check((value & 255) == owner + 1, "a page of thread %u holds %lx, a value of thread %lu", owner, value,
		      (value & 255) - 1);
		check(round > gone, "a page of thread %u holds round %lu; round %lu is unmapped", owner, round, gone);
		check(observe_value(seen + owner * WINDOW + page, round),
		      "a page of thread %u holds round %lu after round %lu was gone", owner, round,
		      seen[owner * WINDOW + page].lowest);
		self->result[2]++;
	}
}

static void run(struct thread *self)
{
	unsigned me = self->index;
	size_t observers = race.threads * WINDOW * sizeof(struct observer);
	struct observer *seen = map(observers);
	thread_pin(me);
	barrier_wait(&race.start_line);
	barrier_wait(&race.start_line);
	for (uint64_t round = 1; round <= race.rounds; round++) {
		void *window = page_of(me, 0);
		long address = sys_mmap(window, WINDOW * page_size(), READ_WRITE, ANONYMOUS | MAP_FIXED_NOREPLACE);
		check(address == (long)window, "thread %u: mmap at %p returned %lx", me, window, address);
		for (unsigned i = 0; i < WINDOW; i++) {
			volatile uint64_t *word = page_of(me, i);
			check(((round + i) & 1) || *word == 0, "thread %u: fresh page %u reads %lx", me, i, *word);
			*word = value_of(me, round);
		}
		for (unsigned i = 0; i < LOOKS; i++)
			look(self, seen);
		for (unsigned i = 0; i < WINDOW; i++) {
			volatile uint64_t *word = page_of(me, i);
			check(word[0] == value_of(me, round) && word[1] == 0, "thread %u: page %u reads %lx %lx, not its own %lx",
			      me, i, word[0], word[1], value_of(me, round));
		}
		unmap(window, WINDOW * page_size());
		__atomic_store_n(&race.gone[me], round, __ATOMIC_RELEASE);
		uint64_t value;
		check(try_load(page_of(me, round % WINDOW), &value), "thread %u: read %lx after munmap", me, value);
		check(self->fault.code == SEGV_MAPERR, "an unmapped page gives si_code %d", self->fault.code);
	}
}

int main(int argc, char **argv)
{
	race.threads = (unsigned)argument(argc, argv, 1, "threads", default_threads(), 1, MAX_THREADS);
	race.rounds = argument(argc, argv, 2, "rounds", 128 / race.threads, 1, 1UL << 40);
	arguments_end(argc, argv, 2);

	guarded_install();
	size_t size = race.threads * WINDOW * page_size();
	race.base = map(size); /* held until every thread has its memory, or that would be mapped here */
	race.start_line.count = race.threads + 1;
	struct thread *all[MAX_THREADS];
	for (unsigned i = 0; i < race.threads; i++)
		all[i] = thread_create(run, i, 0);
	barrier_wait(&race.start_line);
	unmap(race.base, size);
	barrier_wait(&race.start_line);
	uint64_t sum[4] = {0};
	for (unsigned i = 0; i < race.threads; i++) {
		uint64_t result[4];
		thread_join(all[i], result);
		for (unsigned j = 0; j < 4; j++)
			sum[j] += result[j];
	}
	printf("mmaprace: %u threads x %lu rounds: every read was zero, the owner's value or SIGSEGV\n", race.threads,
	       race.rounds);
	eprintf("mmaprace: looks saw %lu times SIGSEGV, %lu zero, %lu a value\n", sum[0], sum[1], sum[2]);
	return 0;
}
