/*
 * Accesses that are allowed to fault. guarded_install() sets a SIGSEGV handler that knows the
 * instructions of the try functions: on a fault there it records the siginfo in the thread and makes the
 * function return 1. A SIGSEGV anywhere else fails the program.
 */
#pragma once

#include <stdint.h>

void guarded_install(void);

/* Each returns 0, or 1 on SIGSEGV; then thread_self()->fault tells the address, code and kind. */
int try_load(const volatile void *address, uint64_t *value);
int try_store(volatile void *address, uint64_t value);
int try_add(volatile void *address, uint64_t value); /* one atomic read-modify-write */
