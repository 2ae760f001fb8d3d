/* What a program includes: the whole library. */
#pragma once

#include "arguments.h"
#include "guarded.h"
#include "memory.h"
#include "mutex.h"
#include "print.h"
#include "syscalls.h"
#include "thread.h"

int main(int argc, char **argv);

/* The page size, in bytes, from the auxiliary vector. */
size_t page_size(void);

#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define READ_WRITE (PROT_READ | PROT_WRITE)

/* mmap that must succeed: private anonymous memory, read and write. */
static inline void *map(size_t length)
{
	long address = sys_mmap(0, length, READ_WRITE, ANONYMOUS);
	check(!is_error(address), "mmap of %zu bytes returned %ld", length, address);
	return (void *)address;
}

/* munmap that must succeed. */
static inline void unmap(volatile void *address, size_t length)
{
	long result = sys_munmap(address, length);
	check(result == 0, "munmap of %zu bytes returned %ld", length, result);
}

/* The word at the start of page `index` of `base`. */
static inline volatile uint64_t *page_word(void *base, size_t index)
{
	return (volatile uint64_t *)((char *)base + index * page_size());
}
