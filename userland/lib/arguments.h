/* Command-line arguments: all are decimal numbers with a default. */
#pragma once

/*
 * The number argv[index], or `otherwise` if there are fewer arguments or it is "-". Outside
 * lowest..highest, or not a number: one line on standard error and exit status 2.
 */
unsigned long argument(int argc, char **argv, int index, const char *name, unsigned long otherwise,
		       unsigned long lowest, unsigned long highest);

/* Exit status 2 unless there are at most `count` arguments. */
void arguments_end(int argc, char **argv, int count);
