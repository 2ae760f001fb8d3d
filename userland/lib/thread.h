/* Threads: one clone() each, a stack of their own with a guard page, joined through the kernel's tid word. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct thread {
	struct thread *self; /* first: the thread pointer points here */
	volatile int tid; /* the kernel clears it and wakes the word when the thread is gone */
	unsigned index; /* as given to thread_create; 0 in the main thread */
	void (*run)(struct thread *);
	void *argument;
	uint64_t result[4]; /* for the program */
	struct {
		void *address; /* of the last guarded access that faulted */
		int code; /* its si_code */
		int is_write, is_key_fault;
		uint32_t pkey;
	} fault;
	uint64_t random; /* state of thread_random() */
	void *stack;
};

#define MAX_THREADS 64

/* The calling thread. */
struct thread *thread_self(void);

/* Starts run(thread) with thread->index and thread->argument set. Fails the program if the kernel refuses. */
struct thread *thread_create(void (*run)(struct thread *), unsigned index, void *argument);

/* Waits for the end of `thread`, copies its results to `result` if not NULL, and frees it. */
void thread_join(struct thread *thread, uint64_t result[4]);

/* Runs `count` threads to the end, indices 0..count-1; adds up their results in `sum` if not NULL. */
void threads_run(unsigned count, void (*run)(struct thread *), void *argument, uint64_t sum[4]);

/* Binds the calling thread to the index-th CPU (modulo their number) that the process may use. */
void thread_pin(unsigned index);

/* The number of CPUs that this process may use. */
unsigned cpu_count(void);

/* cpu_count(), at least 2 and at most 16: the number of threads unless an argument says otherwise. */
unsigned default_threads(void);

/* A pseudo-random number (xorshift64*), seeded by the thread's index: the same in every run. */
uint64_t thread_random(void);

/* Library start-up: makes the main thread known to itself. */
void thread_start(struct thread *thread, unsigned index);
