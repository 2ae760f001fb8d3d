/*
 * dontneed [THREADS] [ROUNDS]
 * MADV_DONTNEED against stores. Each thread owns one page and stores increasing numbers to it, reads its own
 * page back, and looks at the others' pages; thread 0 discards all pages all the time instead (every fourth
 * time with MADV_FREE). Every thread is bound to a CPU. Defaults: the CPUs (2..16), 48 rounds.
 * Checks: first, with nobody storing: after the call has returned every thread reads zero. Then under load: a
 * store is lost only if a discard overlapped it; a page that was seen discarded never shows its old contents
 * again; the values that others see only grow.
 * Output: threads and rounds. Status 0. Standard error: how many stores were discarded, by schedule.
 */
#include "observer.h"
#include "program.h"

const char program_name[] = "dontneed";

#define BATCH 8 /* stores between two calls of sched_yield */

static struct {
	unsigned threads;
	unsigned long rounds;
	void *base;
	uint64_t begun, done; /* discards */
	uint32_t stop;
	struct barrier barrier;
} race;

static void discard(int advice)
{
	__atomic_fetch_add(&race.begun, 1, __ATOMIC_SEQ_CST);
	long result = sys_madvise(race.base, race.threads * page_size(), advice);
	check(result == 0, "madvise(%d) returned %ld", advice, result);
	__atomic_fetch_add(&race.done, 1, __ATOMIC_SEQ_CST);
}

/* Every thread has every page in its CPU's TLB when the pages are discarded; nobody may see them again. */
static void quiet_round(struct thread *self)
{
	*page_word(race.base, self->index) = 1;
	barrier_wait(&race.barrier);
	for (size_t i = 0; i < race.threads; i++)
		check(*page_word(race.base, i) == 1, "thread %u: page %zu reads %lu instead of 1", self->index, i,
		      *page_word(race.base, i));
	barrier_wait(&race.barrier);
	if (self->index == 0)
		discard(MADV_DONTNEED);
	barrier_wait(&race.barrier);
	for (size_t i = 0; i < race.threads; i++)
		check(*page_word(race.base, i) == 0, "thread %u: page %zu reads %lu after MADV_DONTNEED", self->index, i,
		      *page_word(race.base, i));
	barrier_wait(&race.barrier);
}

static void store_and_look(struct thread *self, uint64_t value)
{
	volatile uint64_t *own = page_word(race.base, self->index);
	uint64_t done = __atomic_load_n(&race.done, __ATOMIC_SEQ_CST);
	__atomic_store_n(own, value, __ATOMIC_SEQ_CST);
	uint64_t first = __atomic_load_n(own, __ATOMIC_SEQ_CST);
	uint64_t begun = __atomic_load_n(&race.begun, __ATOMIC_SEQ_CST);
	uint64_t second = __atomic_load_n(own, __ATOMIC_SEQ_CST);
	check(first == value || first == 0, "thread %u: stored %lu, read %lu", self->index, value, first);
	check(first == value || begun != done, "thread %u: the store of %lu is lost and nobody discarded", self->index,
	      value);
	check(second == first || (second == 0 && first == value), "thread %u: read %lu, then %lu", self->index, first,
	      second);
	self->result[0] += second == 0;
}

static void store_until_stop(struct thread *self)
{
	struct observer seen[MAX_THREADS];
	memset(seen, 0, sizeof seen);
	uint64_t value = 0;
	for (unsigned long pass = 0; pass < 16 * race.rounds; pass++) {
		if (__atomic_load_n(&race.stop, __ATOMIC_ACQUIRE))
			break;
		for (unsigned i = 0; i < BATCH; i++) {
			store_and_look(self, ++value);
			size_t other = thread_random() % race.threads;
			uint64_t found = *page_word(race.base, other);
			if (!found)
				observe_nothing(seen + other);
			else
				check(observe_value(seen + other, found), "page %zu reads %lu after %lu was gone", other, found,
				      seen[other].lowest);
		}
		sys_sched_yield();
	}
}

static void discard_all(void)
{
	for (unsigned long round = 0; round < race.rounds; round++) {
		discard(round % 4 == 3 ? MADV_FREE : MADV_DONTNEED);
		sys_sched_yield();
	}
	__atomic_store_n(&race.stop, 1, __ATOMIC_RELEASE);
}

static void run(struct thread *self)
{
	thread_pin(self->index);
	for (unsigned round = 0; round < 4; round++)
		quiet_round(self);

	if (self->index == 0)
		discard_all();
	else
		store_until_stop(self);
}

int main(int argc, char **argv)
{
	race.threads = (unsigned)argument(argc, argv, 1, "threads", default_threads(), 2, MAX_THREADS);
	race.rounds = argument(argc, argv, 2, "rounds", 48, 1, 1UL << 40);
	arguments_end(argc, argv, 2);
	race.base = map(race.threads * page_size());
	race.barrier.count = race.threads;
	uint64_t sum[4] = {0};
	threads_run(race.threads, run, 0, sum);
	printf("dontneed: %u threads x %lu rounds: no store lost but by a discard, none came back\n", race.threads,
	       race.rounds);
	eprintf("dontneed: %lu stores were discarded\n", sum[0]);
	return 0;
}
