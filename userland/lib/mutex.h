/*
 * Locks on futex: every wait sleeps in the kernel, nothing spins.
 * The mutex is the three-state one of U. Drepper, "Futexes Are Tricky" (0 free, 1 held, 2 held with waiters).
 */
#pragma once

#include <stdint.h>

struct mutex {
	uint32_t state;
};

void mutex_lock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);

/* A condition variable: a sequence number that every signal and broadcast advances. */
struct condition {
	uint32_t sequence;
};

/* Releases the mutex, waits for a signal (or returns early for no reason), takes the mutex again. */
void condition_wait(struct condition *condition, struct mutex *mutex);
void condition_signal(struct condition *condition);

/* Wakes one waiter and moves the others to the mutex. The caller holds the mutex. */
void condition_broadcast(struct condition *condition, struct mutex *mutex);

/* A barrier that can be used again at once: every thread of `count` waits until all have come. */
struct barrier {
	uint32_t count;
	uint32_t arrived;
	uint32_t phase;
};

void barrier_wait(struct barrier *barrier);
