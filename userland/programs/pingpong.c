/*
 * pingpong [THREADS] [ROUNDS]
 * Futexes. Pairs of threads pass a turn to and fro under a mutex and a condition variable; all threads add to
 * one counter under one mutex; a broadcast (FUTEX_REQUEUE onto the mutex) releases all at once; two threads
 * play directly with FUTEX_WAIT_BITSET and FUTEX_WAKE_BITSET on one word. Defaults: the CPUs (2..16,
 * rounded down to pairs), 64 rounds in all.
 * Checks: turns alternate, the counter has every addition, nobody is inside a critical section with another,
 * everybody wakes from the broadcast (a lost wake-up hangs), bitset wakes reach only their bits.
 * Output: threads and rounds. Status 0.
 */
#include "program.h"

const char program_name[] = "pingpong";

#define ADDITIONS 32

static struct {
	unsigned threads;
	unsigned long rounds;
	struct {
		struct mutex mutex;
		struct condition changed;
		unsigned long turn;
	} pair[MAX_THREADS / 2];
	struct mutex mutex;
	uint64_t counter, inside;
	struct condition opened;
	unsigned waiting, open;
	uint32_t ball;
} game;

static void play(struct thread *self)
{
	unsigned side = self->index & 1;
	for (unsigned long round = 0; round < game.rounds; round++) {
		mutex_lock(&game.pair[self->index / 2].mutex);
		while ((game.pair[self->index / 2].turn & 1) != side)
			condition_wait(&game.pair[self->index / 2].changed, &game.pair[self->index / 2].mutex);
		unsigned long turn = game.pair[self->index / 2].turn++;
		check(turn == 2 * round + side, "thread %u: turn %lu instead of %lu", self->index, turn, 2 * round + side);
		condition_signal(&game.pair[self->index / 2].changed);
		mutex_unlock(&game.pair[self->index / 2].mutex);
	}
}

static void add(void)
{
	for (unsigned i = 0; i < ADDITIONS; i++) {
		mutex_lock(&game.mutex);
		check(__atomic_add_fetch(&game.inside, 1, __ATOMIC_RELAXED) == 1, "two threads hold the mutex");
		uint64_t value = game.counter;
		if (i % 4 == 0)
			sys_sched_yield();
		game.counter = value + 1;
		__atomic_sub_fetch(&game.inside, 1, __ATOMIC_RELAXED);
		mutex_unlock(&game.mutex);
	}
}

/* All wait for `open`; the last to come opens. */
static void gather(void)
{
	mutex_lock(&game.mutex);
	if (++game.waiting == game.threads) {
		game.open = 1;
		condition_broadcast(&game.opened, &game.mutex);
	}
	while (!game.open)
		condition_wait(&game.opened, &game.mutex);
	mutex_unlock(&game.mutex);
}

/* Threads 0 and 1: the word counts; each waits with its own bit and wakes with the other's. */
static void rally(unsigned side)
{
	for (uint32_t hit = 0; hit < game.rounds; hit++) {
		uint32_t now;
		while (((now = __atomic_load_n(&game.ball, __ATOMIC_ACQUIRE)) & 1) != side) {
			long result = sys_futex_bitset(&game.ball, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, now, 0, 1U << side);
			check(result == 0 || result == -EAGAIN || result == -EINTR, "FUTEX_WAIT_BITSET returned %ld", result);
		}
		check(now == 2 * hit + side, "rally: side %u plays %u instead of %u", side, now, 2 * hit + side);
		__atomic_store_n(&game.ball, now + 1, __ATOMIC_RELEASE);
		long woken = sys_futex_bitset(&game.ball, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, 1, 0, 1U << side);
		check(woken == 0, "FUTEX_WAKE_BITSET with the waker's own bit woke %ld", woken);
		woken = sys_futex_bitset(&game.ball, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, 1, 0, 1U << !side);
		check(woken == 0 || woken == 1, "FUTEX_WAKE_BITSET woke %ld", woken);
	}
}

static void run(struct thread *self)
{
	play(self);
	add();
	gather();
	check(game.counter == (uint64_t)game.threads * ADDITIONS, "the counter is %lu of %u", game.counter,
	      game.threads * ADDITIONS);
	if (self->index < 2)
		rally(self->index);
}

int main(int argc, char **argv)
{
	game.threads = (unsigned)argument(argc, argv, 1, "threads", default_threads(), 2, MAX_THREADS) & ~1U;
	game.rounds = argument(argc, argv, 2, "rounds", 64 / (game.threads / 2), 1, 1U << 30);
	arguments_end(argc, argv, 2);
	threads_run(game.threads, run, 0, 0);
	check(game.ball == 2 * game.rounds, "the rally ended at %u", game.ball);
	printf("pingpong: %u threads x %lu rounds: every turn in order, %lu additions\n", game.threads, game.rounds,
	       game.counter);
	return 0;
}
