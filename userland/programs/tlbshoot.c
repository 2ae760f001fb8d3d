/*
 * tlbshoot [ROUNDS] [MODE]
 * Two threads on two CPUs: one takes a page's rights away in a loop, the other reads the page, so that its
 * CPU holds the translation and every round needs a shootdown. ROUNDS defaults to 200.
 *   MODE 0 (default): store, mprotect to read-only, mprotect back. One shootdown a round.
 *   MODE 1: mmap, store, munmap. The reader takes SIGSEGV in between.
 * Checks: the reader never sees a value older than one it saw, nor (mode 1) one from before a munmap that
 * had returned; the page keeps its value across mprotect.
 * Output: mode and rounds. Status 0. Standard error: what the reader saw, which depends on the schedule.
 */
#include "observer.h"
#include "program.h"

const char program_name[] = "tlbshoot";

#define BATCH 128 /* reads between two calls of sched_yield */

static struct {
	unsigned long rounds, mode;
	volatile uint64_t *word;
	uint64_t gone; /* the last value whose munmap has returned */
	uint32_t stop;
	struct barrier start_line;
} shared;

/* MODE 0: the value never goes back and is always there, so the loop is little more than the load. */
static void read_batch(uint64_t *lowest)
{
	volatile uint64_t *word = shared.word;
	uint64_t seen = *lowest;
	for (unsigned i = 0; i < BATCH; i++) {
		uint64_t value = *word;
		if (value < seen)
			fail("read %lu after %lu", value, seen);
		seen = value;
		arch_pause();
	}
	*lowest = seen;
}

static void reader(struct thread *self)
{
	struct observer seen = {0};
	uint64_t reads = 0, faults = 0, lowest = 0;
	thread_pin(1);
	barrier_wait(&shared.start_line);
	for (unsigned long pass = 0; pass < 64 * shared.rounds; pass++) {
		if (__atomic_load_n(&shared.stop, __ATOMIC_ACQUIRE))
			break;
		reads += BATCH;
		if (!shared.mode) {
			read_batch(&lowest);
			sys_sched_yield();
			continue;
		}
		for (unsigned i = 0; i < BATCH; i++) {
			uint64_t value = 0, gone = __atomic_load_n(&shared.gone, __ATOMIC_ACQUIRE);
			if (try_load(shared.word, &value))
				faults++;
			if (!value)
				observe_nothing(&seen);
			else if (!observe_value(&seen, value) || value <= gone)
				fail("read %lu after %lu; %lu is unmapped", value, seen.lowest, gone);
			arch_pause();
		}
		sys_sched_yield();
	}
	self->result[0] = reads;
	self->result[1] = faults;
}

static void protect_round(uint64_t round)
{
	*shared.word = round;
	long result = sys_mprotect(shared.word, page_size(), PROT_READ);
	check(result == 0, "mprotect(PROT_READ) returned %ld", result);
	check(*shared.word == round, "round %lu: the page reads %lu", round, *shared.word);
	result = sys_mprotect(shared.word, page_size(), READ_WRITE);
	check(result == 0, "mprotect(PROT_READ | PROT_WRITE) returned %ld", result);
}

static void unmap_round(uint64_t round)
{
	long address = sys_mmap(shared.word, page_size(), READ_WRITE, ANONYMOUS | MAP_FIXED_NOREPLACE);
	check(address == (long)shared.word, "mmap at %p returned %lx", (void *)shared.word, address);
	check(*shared.word == 0, "round %lu: a fresh page reads %lu", round, *shared.word);
	*shared.word = round;
	unmap(shared.word, page_size());
	__atomic_store_n(&shared.gone, round, __ATOMIC_RELEASE);
}

int main(int argc, char **argv)
{
	shared.rounds = argument(argc, argv, 1, "rounds", 200, 1, 1UL << 40);
	shared.mode = argument(argc, argv, 2, "mode", 0, 0, 1);
	arguments_end(argc, argv, 2);

	guarded_install();
	shared.start_line.count = 2;
	/* A mapping of its own: between neighbours without rights no call has to split or merge mappings. */
	long apart = sys_mmap(NULL, 3 * page_size(), PROT_NONE, ANONYMOUS);
	check(apart > 0, "mmap returned %ld", apart);
	shared.word = (volatile uint64_t *)(apart + (long)page_size());
	check(sys_mprotect(shared.word, page_size(), READ_WRITE) == 0, "the page cannot be made writable");
	struct thread *thread = thread_create(reader, 1, 0);
	if (shared.mode)
		unmap(shared.word, page_size());
	thread_pin(0);
	barrier_wait(&shared.start_line);
	for (unsigned long round = 1; round <= shared.rounds; round++)
		if (shared.mode)
			unmap_round(round);
		else
			protect_round(round);
	__atomic_store_n(&shared.stop, 1, __ATOMIC_RELEASE);

	uint64_t result[4];
	thread_join(thread, result);
	printf("tlbshoot: %lu rounds of %s\n", shared.rounds, shared.mode ? "mmap, store, munmap" : "store, mprotect");
	eprintf("tlbshoot: the reader made %lu reads, %lu of them faulted\n", result[0], result[1]);
	return 0;
}
