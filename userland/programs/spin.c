/*
 * spin
 * Loops for ever in user mode without a system call. For limits and for preemption; never ends by itself.
 * Output: one line before the loop.
 */
#include "program.h"

const char program_name[] = "spin";

int main(int argc, char **argv)
{
	arguments_end(argc, argv, 0);
	printf("spin: looping for ever\n");
	for (;;)
		__asm__ volatile("" ::: "memory");
}
