#include "arguments.h"

#include "memory.h"
#include "print.h"
#include "syscalls.h"

unsigned long argument(int argc, char **argv, int index, const char *name, unsigned long otherwise,
		       unsigned long lowest, unsigned long highest)
{
	if (index >= argc || strcmp(argv[index], "-") == 0)
		return otherwise;
	unsigned long value = 0;
	const char *p = argv[index];
	int valid = *p != 0;
	for (; *p >= '0' && *p <= '9' && value <= highest; p++)
		value = value * 10 + (unsigned long)(*p - '0');
	if (!valid || *p || value < lowest || value > highest) {
		eprintf("%s: argument %d (%s) is \"%s\", not a number from %lu to %lu\n", program_name, index, name,
			argv[index], lowest, highest);
		sys_exit_group(2);
	}
	return value;
}

void arguments_end(int argc, char **argv, int count)
{
	if (argc - 1 > count) {
		eprintf("%s: unexpected argument \"%s\" (at most %d)\n", program_name, argv[count + 1], count);
		sys_exit_group(2);
	}
}
