/*
 * highaddr
 * Memory above the addresses that mmap gives unless a hint asks for more: on x86-64 above 2^47, with 5 levels up to
 * 2^56 and so above 2^53; on AArch64 above 2^48, up to 2^52. Where the page tables do not reach, it says so and ends well.
 * Checks: stores, loads, mprotect, mremap, munmap and the SIGSEGV address there; that without a hint nothing
 * leads above.
 * Output: what was done, or that there are no such addresses. Status 0.
 */
#include "program.h"

const char program_name[] = "highaddr";

#define LOW_END (1UL << ARCH_DEFAULT_ADDRESS_BITS)

static void use(uintptr_t hint)
{
	size_t page = page_size();
	uint64_t value;
	long address = sys_mmap((void *)hint, 8 * page, READ_WRITE, ANONYMOUS);
	check(!is_error(address), "mmap at %lx returned %ld", hint, address);
	check((uintptr_t)address == hint, "mmap at the free address %lx returned %lx", hint, address);
	char *base = (char *)address;
	for (size_t i = 0; i < 8; i++)
		*page_word(base, i) = hint + i;

	long result = sys_mprotect(base + page, page, PROT_READ);
	check(result == 0, "mprotect at %lx returned %ld", hint, result);
	check(try_store(page_word(base, 1), 0), "stored to a read-only page at %lx", hint);
	check(thread_self()->fault.code == SEGV_ACCERR, "a read-only page gives si_code %d", thread_self()->fault.code);
	/* mremap() works on one mapping: equal rights make the pages one again. */
	result = sys_mprotect(base + page, page, READ_WRITE);
	check(result == 0, "mprotect back at %lx returned %ld", hint, result);

	unmap(base + 4 * page, 4 * page);
	check(try_load(page_word(base, 5), &value), "read %lx from unmapped memory at %lx", value, hint);
	check(thread_self()->fault.code == SEGV_MAPERR, "an unmapped page gives si_code %d", thread_self()->fault.code);

	char *target = (char *)(hint + (1UL << 30));
	long moved = sys_mremap(base, 4 * page, 4 * page, MREMAP_MAYMOVE | MREMAP_FIXED, target);
	check(moved == (long)target, "mremap to %p returned %lx", (void *)target, moved);
	for (size_t i = 0; i < 4; i++)
		check(*page_word(target, i) == hint + i, "page %zu at %p reads %lx", i, (void *)target, *page_word(target, i));
	check(try_load(page_word(base, 0), &value), "read %lx from %lx after it moved", value, hint);
	unmap(target, 4 * page);
}

int main(int argc, char **argv)
{
	arguments_end(argc, argv, 0);
	guarded_install();
	long low = sys_mmap(0, page_size(), READ_WRITE, ANONYMOUS);
	check(!is_error(low) && (uintptr_t)low < LOW_END, "mmap without a hint returned %lx", low);
	unmap((void *)low, page_size());

	uintptr_t highest = 1UL << (ARCH_HIGHEST_ADDRESS_BITS - 1);
	long probe = sys_mmap((void *)highest, page_size(), READ_WRITE, ANONYMOUS);
	check(!is_error(probe), "mmap with the hint %lx returned %ld", highest, probe);
	unmap((void *)probe, page_size());
	if ((uintptr_t)probe < LOW_END) {
		printf("highaddr: no addresses above 2^%u\n", ARCH_DEFAULT_ADDRESS_BITS);
		return 0;
	}
	for (unsigned bit = ARCH_DEFAULT_ADDRESS_BITS; bit < ARCH_HIGHEST_ADDRESS_BITS; bit++)
		use((1UL << bit) + 0x123450000UL);
	use((1UL << ARCH_HIGHEST_ADDRESS_BITS) - (4UL << 30));
	printf("highaddr: loads, stores, faults, mprotect, mremap and munmap below 2^%u\n", ARCH_HIGHEST_ADDRESS_BITS);
	return 0;
}
