/*
 * stack [DEPTH]
 * Stack growth. Recurses DEPTH times (default 64) with 4 KiB frames on the main stack; grows the main stack by
 * accesses far below the stack pointer; grows a MAP_GROWSDOWN mapping down to the guard gap above another one;
 * overflows a thread's stack into its guard page.
 * Checks: every frame keeps its contents until the return; memory between the accesses is zero; growth
 * stops with SEGV_MAPERR at the gap (256 pages of 4 KiB) and, on the main stack, at the limit; what was
 * below stays usable; a guard page gives SEGV_ACCERR.
 * Output: what grew. Status 0.
 */
#include "program.h"

const char program_name[] = "stack";

#define FRAME 4096
#define GAP (256UL * 4096) /* stack_guard_gap */
#define SEARCH_END (64UL << 20) /* a stack that grows further than this has no limit */

static __attribute__((noinline)) uint64_t recurse(unsigned long depth)
{
	volatile uint64_t frame[FRAME / sizeof(uint64_t)];
	for (size_t i = 0; i < FRAME / sizeof(uint64_t); i += 64)
		frame[i] = depth * 1000 + i;
	uint64_t below = depth ? recurse(depth - 1) : 0;
	for (size_t i = 0; i < FRAME / sizeof(uint64_t); i += 64)
		check(frame[i] == depth * 1000 + i, "depth %lu: the frame reads %lu instead of %lu", depth, frame[i],
		      depth * 1000 + i);
	return below + 1;
}

/* Accesses at ever larger distances below the stack pointer, until one faults. */
static void grow_to_limit(void)
{
	size_t page = page_size(), step = 64 * page;
	uintptr_t top = (uintptr_t)__builtin_frame_address(0) & -page;
	size_t grown = 0;
	while (grown < SEARCH_END && !try_store((void *)(top - grown - step), grown + step))
		grown += step;
	check(grown >= step, "the main stack did not grow by %zu bytes: si_code %d", step, thread_self()->fault.code);
	if (grown < SEARCH_END)
		check(thread_self()->fault.code == SEGV_MAPERR, "the end of the stack gives si_code %d",
		      thread_self()->fault.code);
	for (size_t at = step; at <= grown; at += step)
		check(*(volatile uint64_t *)(top - at) == at, "%zu below the top of the stack: %lx", at,
		      *(volatile uint64_t *)(top - at));
	check(*(volatile uint64_t *)(top - grown + page) == 0, "the stack grew by memory that is not zero");
}

static void grow_mapping(void)
{
	size_t page = page_size(), size = GAP + 16 * page;
	char *base = map(size);
	/* One page at each end; the upper one grows. Page 1 from below to the gap's end must stay free. */
	unmap(base + page, size - 2 * page);
	char *upper = base + size - page;
	long result = sys_mmap(upper, page, READ_WRITE, ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN);
	check(result == (long)upper, "mmap(MAP_GROWSDOWN | MAP_FIXED) returned %lx", result);
	char *lowest = base + page + GAP;
	for (char *p = upper; p >= lowest; p -= page) {
		check(!try_store(p, (uintptr_t)p), "no growth to %zu bytes below the mapping: si_code %d",
		      (size_t)(upper - p), thread_self()->fault.code);
	}
	check(try_store(lowest - page, 1), "the mapping grew into the guard gap");
	check(thread_self()->fault.code == SEGV_MAPERR, "the guard gap gives si_code %d", thread_self()->fault.code);
	for (char *p = upper; p >= lowest; p -= page)
		check(*(volatile uint64_t *)p == (uintptr_t)p, "grown page %p reads %lx", (void *)p, *(volatile uint64_t *)p);
	unmap(base, size);
}

static void overflow_guard(struct thread *self)
{
	size_t page = page_size();
	uintptr_t bottom = (uintptr_t)__builtin_frame_address(0) & -page;
	while (!try_store((void *)(bottom - page), 1)) {
		bottom -= page;
		self->result[0]++;
	}
	check(self->fault.code == SEGV_ACCERR, "the guard page gives si_code %d", self->fault.code);
}

int main(int argc, char **argv)
{
	unsigned long depth = argument(argc, argv, 1, "depth", 64, 1, 1024);
	arguments_end(argc, argv, 1);
	guarded_install();
	uint64_t frames = recurse(depth);
	check(frames == depth + 1, "%lu frames returned instead of %lu", frames, depth + 1);
	grow_to_limit();
	grow_mapping();
	uint64_t sum[4] = {0};
	threads_run(1, overflow_guard, 0, sum);
	check(sum[0] > 0, "a thread's stack has no room at all");
	printf("stack: %lu frames of %d bytes; main stack to its limit, MAP_GROWSDOWN to the gap, thread to its guard\n",
	       frames, FRAME);
	return 0;
}
