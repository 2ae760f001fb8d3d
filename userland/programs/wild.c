/*
 * wild [ADDRESS]
 * A deliberate wild pointer: writes to ADDRESS (decimal; default 0xdead0000 = 3735879680), which nothing
 * maps, with no handler. Must die of SIGSEGV: shell status 139, and the kernel's line names the address.
 * Output: one line before the access. Status 1 if the store goes through.
 */
#include "program.h"

const char program_name[] = "wild";

int main(int argc, char **argv)
{
	unsigned long address = argument(argc, argv, 1, "address", 0xdead0000UL, 0, ~0UL / 10 - 1);
	arguments_end(argc, argv, 1);
	printf("wild: about to write to 0x%lx\n", address);
	volatile uint64_t *pointer = (volatile uint64_t *)address;
	__asm__("" : "+r"(pointer));
	*pointer = 0x57494c44;
	fail("the store to 0x%lx did not fault", address);
}
