/*
 * What one thread may see, over time, of a word that has one writer and that is discarded or replaced
 * by others: the writer stores increasing values, every discard starts again from zero (or from nothing
 * mapped). A page's contents are incarnations; once a reader has crossed to the next one it may not see
 * the one before. That holds per CPU, so the thread must be bound to one (thread_pin): on another CPU,
 * whose flush is still to come, the old translation is legal.
 */
#pragma once

#include <stdint.h>

struct observer {
	uint64_t lowest; /* the lowest value that may still be seen */
	int is_gone; /* the last thing seen was zero or a fault */
};

/* Nothing was there: zero-filled memory, or SIGSEGV. */
static inline void observe_nothing(struct observer *observer)
{
	if (!observer->is_gone && observer->lowest)
		observer->lowest++;
	observer->is_gone = 1;
}

/* True if `value` (not 0) may be seen now. */
static inline int observe_value(struct observer *observer, uint64_t value)
{
	if (value < observer->lowest)
		return 0;
	observer->lowest = value;
	observer->is_gone = 0;
	return 1;
}
