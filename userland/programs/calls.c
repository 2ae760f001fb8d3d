/*
 * calls [FIB] [LOG2_ITEMS]
 * Calls, returns and branches that depend on data: fib(FIB) by plain recursion (default 20, about 22,000
 * calls), then quicksort of 2^LOG2_ITEMS numbers (default 12) from a fixed generator.
 * Checks: the value of fib; that the result is sorted and is a permutation (sum and xor).
 * Output: fib, number of calls, items sorted. Status 0.
 */
#include "program.h"

const char program_name[] = "calls";

static unsigned long call_count;

static __attribute__((noinline)) uint64_t fib(unsigned n)
{
	call_count++;
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static uint64_t fib_by_adding(unsigned n)
{
	uint64_t a = 0, b = 1;
	while (n--) {
		uint64_t next = a + b;
		a = b;
		b = next;
	}
	return a;
}

static __attribute__((noinline)) void quicksort(uint32_t *low, uint32_t *high)
{
	if (high - low < 2)
		return;
	uint32_t pivot = low[(high - low) / 2];
	uint32_t *i = low, *j = high - 1;
	while (i <= j) {
		while (*i < pivot)
			i++;
		while (*j > pivot)
			j--;
		if (i > j)
			break;
		uint32_t swap = *i;
		*i++ = *j;
		*j-- = swap;
	}
	quicksort(low, j + 1);
	quicksort(i, high);
}

int main(int argc, char **argv)
{
	unsigned n = (unsigned)argument(argc, argv, 1, "fib", 20, 1, 50);
	size_t items = 1UL << argument(argc, argv, 2, "log2 items", 12, 1, 26);
	arguments_end(argc, argv, 2);

	uint64_t value = fib(n), expected = fib_by_adding(n);
	check(value == expected, "fib(%u) is %lu instead of %lu", n, value, expected);
	check(call_count == 2 * fib_by_adding(n + 1) - 1, "fib(%u) took %lu calls", n, call_count);

	uint32_t *numbers = map(items * sizeof *numbers);
	uint64_t sum = 0, xor = 0;
	for (size_t i = 0; i < items; i++) {
		numbers[i] = (uint32_t)(thread_random() >> 32);
		sum += numbers[i];
		xor ^= numbers[i];
	}
	quicksort(numbers, numbers + items);
	for (size_t i = 0; i < items; i++) {
		check(i == 0 || numbers[i - 1] <= numbers[i], "item %zu: %u after %u", i, numbers[i], numbers[i - 1]);
		sum -= numbers[i];
		xor ^= numbers[i];
	}
	check(sum == 0 && xor == 0, "the sorted items are not the ones that were there before");
	printf("calls: fib(%u) = %lu in %lu calls; %zu items sorted\n", n, value, call_count, items);
	return 0;
}
