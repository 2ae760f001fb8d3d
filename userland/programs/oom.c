/*
 * oom
 * Maps memory without reservation and writes every page until the kernel kills it: shell status 137.
 * Output: one line before. Status 1 if the kernel refuses a mapping before memory is used up.
 */
#include "program.h"

const char program_name[] = "oom";

#define CHUNK (1UL << 20)

int main(int argc, char **argv)
{
	arguments_end(argc, argv, 0);
	printf("oom: taking all memory\n");
	for (unsigned long chunks = 0;; chunks++) {
		long address = sys_mmap(0, CHUNK, READ_WRITE, ANONYMOUS | MAP_NORESERVE);
		check(!is_error(address), "mmap returned %ld after %lu MiB", address, chunks);
		for (size_t i = 0; i < CHUNK / page_size(); i++)
			*page_word((void *)address, i) = i;
	}
}
