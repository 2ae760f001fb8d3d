/*
 * services
 * The system calls that mm does not need but programs do, called rightly (errors.c calls them wrongly).
 * Checks: identities of processes and threads, uname, getrandom, CPU affinity and getcpu, clocks and sleep, the
 * break, writev, and the forms of mmap and madvise that only hint: MAP_POPULATE, MAP_NORESERVE, MADV_WILLNEED.
 * Output: a line by writev, then one line. Status 0.
 */
#include "program.h"

const char program_name[] = "services";

static void identity_of_thread(struct thread *self)
{
	check(sys_getpid() != sys_gettid(), "a thread has the pid as its tid");
	check(sys_gettid() == self->tid, "gettid returned %ld, clone stored %d", sys_gettid(), self->tid);
	check(thread_self() == self, "the thread pointer is %p instead of %p", (void *)thread_self(), (void *)self);
	self->result[0] = (uint64_t)sys_getpid();
}

static void identities(void)
{
	uint64_t sum[4] = {0};
	check(sys_getpid() == sys_gettid(), "pid %ld, tid %ld in the main thread", sys_getpid(), sys_gettid());
	threads_run(1, identity_of_thread, 0, sum);
	check((long)sum[0] == sys_getpid(), "getpid returned %lu in a thread, %ld outside", sum[0], sys_getpid());

	struct utsname name;
	long result = sys_uname(&name);
	check(result == 0, "uname returned %ld", result);
	check(strcmp(name.sysname, "Linux") == 0, "uname: sysname is %s", name.sysname);
	check(strcmp(name.machine, ARCH_NAME) == 0, "uname: machine is %s", name.machine);

	uint64_t random[8] = {0};
	result = sys_getrandom(random, sizeof random, 0);
	check(result == sizeof random, "getrandom returned %ld", result);
	for (unsigned i = 0; i < 8; i++)
		for (unsigned j = 0; j < i; j++)
			check(random[i] != random[j], "getrandom gave %lx twice", random[i]);
}

static unsigned visit_cpus(void)
{
	uint64_t allowed[16], mask[16], back[16];
	unsigned visited = 0;
	long size = sys_sched_getaffinity(0, sizeof allowed, allowed);
	check(size >= 8, "sched_getaffinity returned %ld", size);
	for (unsigned cpu = 0; cpu < (unsigned)size * 8; cpu++) {
		if (!(allowed[cpu / 64] >> cpu % 64 & 1))
			continue;
		memset(mask, 0, sizeof mask);
		mask[cpu / 64] = 1UL << cpu % 64;
		long result = sys_sched_setaffinity(0, sizeof mask, mask);
		check(result == 0, "sched_setaffinity(cpu %u) returned %ld", cpu, result);
		unsigned now = ~0U;
		result = sys_getcpu(&now, 0);
		check(result == 0 && now == cpu, "bound to cpu %u, getcpu says %u", cpu, now);
		result = sys_sched_getaffinity(0, sizeof back, back);
		check(result == size && memcmp(back, mask, (size_t)size) == 0, "sched_getaffinity does not give what was set");
		visited++;
	}
	long result = sys_sched_setaffinity(0, (size_t)size, allowed);
	check(result == 0, "sched_setaffinity back returned %ld", result);
	return visited;
}

static int64_t now_ns(int clock)
{
	struct timespec time = {-1, -1};
	long result = sys_clock_gettime(clock, &time);
	check(result == 0, "clock_gettime(%d) returned %ld", clock, result);
	check(time.tv_sec >= 0 && time.tv_nsec >= 0 && time.tv_nsec < 1000000000, "clock_gettime(%d) gave %ld.%09ld", clock,
	      time.tv_sec, time.tv_nsec);
	return time.tv_sec * 1000000000 + time.tv_nsec;
}

static void clocks(void)
{
	int64_t last = now_ns(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < 16; i++) {
		int64_t now = now_ns(CLOCK_MONOTONIC);
		check(now >= last, "the monotonic clock went back by %ld ns", last - now);
		last = now;
		sys_sched_yield();
	}
	struct timespec request = {0, 200000};
	long result = sys_nanosleep(&request, 0);
	int64_t slept = now_ns(CLOCK_MONOTONIC) - last;
	check(result == 0 && slept >= request.tv_nsec, "nanosleep of %ld ns returned %ld after %ld ns", request.tv_nsec,
	      result, slept);
	now_ns(CLOCK_REALTIME);
}

static void program_break(void)
{
	size_t page = page_size();
	char *start = (char *)sys_brk(0);
	check((long)start > 0, "brk(0) returned %p", (void *)start);
	char *end = (char *)sys_brk(start + 8 * page);
	check(end == start + 8 * page, "brk returned %p instead of %p", (void *)end, (void *)(start + 8 * page));
	for (char *p = start; p + 8 <= end; p += page) {
		check(*p == 0, "new break memory reads %d", *p);
		*p = 1;
	}
	check((char *)sys_brk(start) == start, "brk did not shrink");
	check((char *)sys_brk(end) == end, "brk did not grow again");
	/* The page that `start` lies in may have stayed; the others are new. */
	for (char *p = start + page; p + 8 <= end; p += page)
		check(*p == 0, "break memory that was given back reads %d", *p);
	check((char *)sys_brk(start) == start, "brk did not shrink");
}

static void hints(void)
{
	size_t size = 8 * page_size();
	long populated = sys_mmap(0, size, READ_WRITE, ANONYMOUS | MAP_POPULATE);
	check(!is_error(populated), "mmap(MAP_POPULATE) returned %ld", populated);
	long loose = sys_mmap(0, size, READ_WRITE, ANONYMOUS | MAP_NORESERVE);
	check(!is_error(loose), "mmap(MAP_NORESERVE) returned %ld", loose);
	for (size_t i = 0; i < 8; i++) {
		check(*page_word((void *)populated, i) == 0, "populated memory reads %lx", *page_word((void *)populated, i));
		*page_word((void *)loose, i) = i + 1;
	}
	long result = sys_madvise((void *)loose, size, MADV_WILLNEED);
	check(result == 0, "madvise(MADV_WILLNEED) returned %ld", result);
	for (size_t i = 0; i < 8; i++)
		check(*page_word((void *)loose, i) == i + 1, "MADV_WILLNEED changed a page to %lx",
		      *page_word((void *)loose, i));
	unmap((void *)populated, size);
	unmap((void *)loose, size);
}

int main(int argc, char **argv)
{
	arguments_end(argc, argv, 0);
	identities();
	unsigned cpus = visit_cpus();
	check(cpus == cpu_count(), "%u cpus visited, %u allowed", cpus, cpu_count());
	clocks();
	program_break();
	hints();
	static const struct iovec parts[3] = {{"services: one line", 18}, {0, 0}, {" in three parts\n", 16}};
	long written = sys_writev(1, parts, 3);
	check(written == 34, "writev returned %ld", written);
	printf("services: identities, cpus, clocks, break and hints are right\n");
	return 0;
}
