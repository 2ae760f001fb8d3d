/*
 * ebizzy [THREADS] [RECORDS] [CHUNK_KIB]
 * An allocator storm in the manner of `ebizzy -m`: every record takes a chunk of a shared table at random,
 * copies it into memory that it maps for this, looks a random key up by binary search, and unmaps the copy.
 * THREADS defaults to the CPUs (2..16); RECORDS, in all, to 128; CHUNK_KIB to 8.
 * Checks: the copy equals the chunk (sum), and the key is where it must be.
 * Output: threads, records, chunk. Status 0.
 */
#include "program.h"

const char program_name[] = "ebizzy";

#define CHUNKS 8

static unsigned threads;
static unsigned long records, chunk;
static uint64_t *table[CHUNKS];
static uint64_t sums[CHUNKS];

/* Keys are odd multiples of nothing in particular: sorted, distinct, different in each chunk. */
static uint64_t key_at(unsigned number, size_t index)
{
	return index * (2 * number + 3) + number;
}

static size_t search(const uint64_t *keys, size_t count, uint64_t key)
{
	size_t low = 0;
	while (count > 1) {
		size_t half = count / 2;
		if (keys[low + half] <= key)
			low += half;
		count -= half;
	}
	return low;
}

static void run(struct thread *self)
{
	size_t count = chunk / sizeof(uint64_t);
	for (unsigned long record = self->index; record < records; record += threads) {
		uint64_t random = thread_random();
		unsigned number = (unsigned)(random >> 32) % CHUNKS;
		size_t index = (size_t)(random & 0xffffffff) % count;
		uint64_t *copy = map(chunk), sum = 0;
		for (size_t i = 0; i < count; i++)
			sum += copy[i] = table[number][i];
		check(sum == sums[number], "record %lu: the copy of chunk %u sums to %lx", record, number, sum);
		size_t found = search(copy, count, key_at(number, index));
		check(found == index, "record %lu: key %zu of chunk %u found at %zu", record, index, number, found);
		unmap(copy, chunk);
		self->result[0]++;
	}
}

int main(int argc, char **argv)
{
	threads = (unsigned)argument(argc, argv, 1, "threads", default_threads(), 1, MAX_THREADS);
	records = argument(argc, argv, 2, "records", 128, 1, 1UL << 40);
	chunk = argument(argc, argv, 3, "chunk KiB", 8, 4, 1UL << 16) << 10;
	arguments_end(argc, argv, 3);
	for (unsigned number = 0; number < CHUNKS; number++) {
		table[number] = map(chunk);
		for (size_t i = 0; i < chunk / sizeof(uint64_t); i++)
			sums[number] += table[number][i] = key_at(number, i);
	}
	uint64_t sum[4] = {0};
	threads_run(threads, run, 0, sum);
	check(sum[0] == records, "%lu records done of %lu", sum[0], records);
	printf("ebizzy: %u threads, %lu records of %lu KiB: every key found\n", threads, records, chunk >> 10);
	return 0;
}
