/*
 * cow [THREADS] [FORKS] [PAGES]
 * fork and copy-on-write. The main thread forks FORKS times (default 4) while the other threads write to PAGES
 * pages each (default 8; each page gets a count in its first word and then the same in its last word). THREADS
 * defaults to the CPUs (2..16). The child forks once more.
 * Checks: the child's copy of a page is what the page was at one moment (both words equal, or the first
 * one ahead by one), and no store of the parent reaches it; no store of a child reaches its parent;
 * parent and child both keep what they wrote while the other writes; wait4 reports each child's status.
 * Output: threads, forks, pages. Status 0.
 */
#include "program.h"

const char program_name[] = "cow";

#define LAST (page_size() / sizeof(uint64_t) - 1)

static struct {
	unsigned threads;
	unsigned long forks, pages;
	char *base; /* threads x pages; thread 0's are written by the main thread only */
	uint32_t stop;
	struct barrier start_line;
} family;

static volatile uint64_t *page_of(unsigned thread, size_t page)
{
	return page_word(family.base, thread * family.pages + page);
}

static void writer(struct thread *self)
{
	barrier_wait(&family.start_line);
	uint64_t count = 0;
	for (unsigned long pass = 0; pass < 64 * family.forks; pass++) {
		if (__atomic_load_n(&family.stop, __ATOMIC_ACQUIRE))
			break;
		count++;
		for (size_t i = 0; i < family.pages; i++) {
			volatile uint64_t *page = page_of(self->index, i);
			check(page[0] == count - 1 && page[LAST] == count - 1, "thread %u: page %zu reads %lx %lx instead of %lx",
			      self->index, i, page[0], page[LAST], count - 1);
			__atomic_store_n(&page[0], count, __ATOMIC_RELEASE);
			__atomic_store_n(&page[LAST], count, __ATOMIC_RELEASE);
		}
		sys_sched_yield();
	}
	self->result[0] = count;
}

static _Noreturn void grandchild(uint64_t tag)
{
	for (size_t i = 0; i < family.pages; i++) {
		check(*page_of(0, i) == tag + i, "grandchild: page %zu reads %lx", i, *page_of(0, i));
		*page_of(0, i) = ~tag;
	}
	sys_exit_group(3);
}

static int reap(long pid)
{
	int status = -1;
	long result = sys_wait4((int)pid, &status, 0);
	check(result == pid, "wait4(%ld) returned %ld", pid, result);
	return status;
}

static long fork(void)
{
	long pid = arch_clone_process(SIGCHLD);
	check(!is_error(pid), "fork returned %ld", pid);
	return pid;
}

static _Noreturn void child(uint64_t parent_tag)
{
	uint64_t tag = parent_tag ^ (1UL << 60);
	for (unsigned thread = 1; thread < family.threads; thread++) {
		for (size_t i = 0; i < family.pages; i++) {
			volatile uint64_t *page = page_of(thread, i);
			uint64_t first = page[0], last = page[LAST];
			check(first == last || first == last + 1, "child: page %zu of thread %u is torn: %lx and %lx", i, thread,
			      first, last);
			if (i & 1)
				page[1] = tag; /* half of the pages stay shared */
			sys_sched_yield();
			check(page[0] == first && page[LAST] == last, "child: page %zu of thread %u went from %lx %lx to %lx %lx",
			      i, thread, first, last, page[0], page[LAST]);
		}
	}
	for (size_t i = 0; i < family.pages; i++) {
		check(*page_of(0, i) == parent_tag + i, "child: page %zu reads %lx instead of %lx", i, *page_of(0, i),
		      parent_tag + i);
		*page_of(0, i) = tag + i;
	}
	long pid = fork();
	if (pid == 0)
		grandchild(tag);
	int status = reap(pid);
	check(status == 3 << 8, "child: the grandchild ended with wait status %x", (unsigned)status);
	for (size_t i = 0; i < family.pages; i++)
		check(*page_of(0, i) == tag + i, "child: page %zu reads %lx, a store of its child", i, *page_of(0, i));
	sys_exit_group(7);
}

static void fork_round(unsigned long round)
{
	uint64_t tag = (round + 1) << 32;
	for (size_t i = 0; i < family.pages; i++)
		*page_of(0, i) = tag + i;
	long pid = fork();
	if (pid == 0)
		child(tag);
	/* The parent writes while the child does, from the other end. */
	uint64_t new_tag = tag ^ (1UL << 61);
	for (size_t i = family.pages; i-- > 0;) {
		check(*page_of(0, i) == tag + i, "parent: page %zu reads %lx, a store of the child", i, *page_of(0, i));
		*page_of(0, i) = new_tag + i;
	}
	int status = reap(pid);
	check(status == 7 << 8, "the child ended with wait status %x", (unsigned)status);
	for (size_t i = 0; i < family.pages; i++)
		check(*page_of(0, i) == new_tag + i, "parent: page %zu reads %lx instead of %lx", i, *page_of(0, i),
		      new_tag + i);
}

int main(int argc, char **argv)
{
	family.threads = (unsigned)argument(argc, argv, 1, "threads", default_threads(), 1, MAX_THREADS);
	family.forks = argument(argc, argv, 2, "forks", 4, 1, 1UL << 32);
	family.pages = argument(argc, argv, 3, "pages", 8, 1, 4096);
	arguments_end(argc, argv, 3);

	family.base = map(family.threads * family.pages * page_size());
	family.start_line.count = family.threads;
	struct thread *writers[MAX_THREADS];
	for (unsigned i = 1; i < family.threads; i++)
		writers[i] = thread_create(writer, i, 0);
	barrier_wait(&family.start_line);
	for (unsigned long round = 0; round < family.forks; round++)
		fork_round(round);
	__atomic_store_n(&family.stop, 1, __ATOMIC_RELEASE);
	for (unsigned i = 1; i < family.threads; i++) {
		uint64_t result[4];
		thread_join(writers[i], result);
		for (size_t page = 0; page < family.pages; page++)
			check(page_of(i, page)[LAST] == result[0], "page %zu of thread %u ends with %lx instead of %lx", page, i,
			      page_of(i, page)[LAST], result[0]);
	}
	long result = sys_wait4(-1, 0, WNOHANG);
	check(result == -ECHILD, "wait4 with no child left returned %ld", result);
	printf("cow: %u threads, %lu forks, %lu pages each: parent and child are isolated\n", family.threads, family.forks,
	       family.pages);
	return 0;
}
