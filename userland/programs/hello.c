/*
 * hello [WORDS...]
 * The smallest program: prints one line with its arguments.
 * Checks: argv as the kernel laid it out (argv[argc] is null), the stack's alignment.
 * Output: "hello, world", then the arguments. Status 0.
 */
#include "program.h"

const char program_name[] = "hello";

int main(int argc, char **argv)
{
	check(argc >= 1 && argv[argc] == 0, "argc is %d and argv[argc] is %p", argc, (void *)argv[argc]);
	check(((uintptr_t)(argv - 1) & 15) == 0, "the initial stack is not aligned: argc lies at %p", (void *)(argv - 1));
	if (argc == 1) {
		printf("hello, world\n");
		return 0;
	}
	printf("hello,");
	for (int i = 1; i < argc; i++)
		printf(" %s", argv[i]);
	printf("\n");
	return 0;
}
