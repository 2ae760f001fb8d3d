/*
 * intloop [LOG2_SIZE] [ROUNDS]
 * Integer work with no system call inside: a sieve of Eratosthenes over 2^LOG2_SIZE numbers (default 20),
 * one byte each, then an FNV-1a hash over the primes; ROUNDS times (default 1). About 20 instructions
 * per number. The benchmark's instruction kernel.
 * Checks: the number of primes below 2^LOG2_SIZE, and that every round gives the same hash.
 * Output: size, primes, hash. Status 0.
 */
#include "program.h"

const char program_name[] = "intloop";

#define LOWEST 10
#define HIGHEST 24

/* The number of primes below 2^n (OEIS A007053), from n = LOWEST. */
static const unsigned primes_below[HIGHEST - LOWEST + 1] = {
	172, 309, 564, 1028, 1900, 3512, 6542, 12251, 23000, 43390, 82025, 155611, 295947, 564163, 1077871,
};

static void sieve(uint8_t *composite, size_t size)
{
	for (size_t i = 0; i < size; i++)
		composite[i] = i < 2;
	for (size_t p = 2; p * p < size; p++)
		if (!composite[p])
			for (size_t multiple = p * p; multiple < size; multiple += p)
				composite[multiple] = 1;
}

static uint64_t hash_primes(const uint8_t *composite, size_t size, unsigned *count)
{
	uint64_t hash = 0xcbf29ce484222325UL;
	unsigned primes = 0;
	for (size_t i = 0; i < size; i++) {
		if (composite[i])
			continue;
		primes++;
		for (unsigned shift = 0; shift < 32; shift += 8)
			hash = (hash ^ ((i >> shift) & 255)) * 0x100000001b3UL;
	}
	*count = primes;
	return hash;
}

int main(int argc, char **argv)
{
	unsigned log2_size = (unsigned)argument(argc, argv, 1, "log2 size", 20, LOWEST, HIGHEST);
	unsigned long rounds = argument(argc, argv, 2, "rounds", 1, 1, 1000000);
	arguments_end(argc, argv, 2);

	size_t size = (size_t)1 << log2_size;
	uint8_t *composite = map(size);
	unsigned primes = 0;
	uint64_t first = 0;
	for (unsigned long round = 0; round < rounds; round++) {
		sieve(composite, size);
		uint64_t hash = hash_primes(composite, size, &primes);
		check(primes == primes_below[log2_size - LOWEST], "round %lu: %u primes below 2^%u instead of %u", round,
		      primes, log2_size, primes_below[log2_size - LOWEST]);
		check(round == 0 || hash == first, "round %lu: hash %lx instead of %lx", round, hash, first);
		first = hash;
	}
	printf("intloop: %lu rounds: %u primes below 2^%u, hash %016lx\n", rounds, primes, log2_size, first);
	return 0;
}
