/*
 * printf for standard output and error: %d %i %u %x %c %s %p %%, with l, ll, z, width, 0 and -.
 * One call is one write (up to 512 bytes, then more), so lines of different threads do not mix.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

int printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
int eprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
int vdprintf(int fd, const char *format, va_list arguments);

/* The name that fail() prints; every program defines it. */
extern const char program_name[];

/* A check failed: prints "NAME: FAIL: ..." on one line of standard error and ends the process with status 1. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fails unless `condition` holds. */
#define check(condition, ...) \
	do { \
		if (__builtin_expect(!(condition), 0)) \
			fail(__VA_ARGS__); \
	} while (0)
