/*
 * errors
 * What each system call returns when it is called wrongly, or at the edge of what is right, as Linux does.
 * Single-threaded. Standard output must not be /dev/null, which takes what cannot be read.
 * Checks: one call and its result per line of the tables below.
 * Output: the number of calls. Status 0.
 */
#include "program.h"

const char program_name[] = "errors";

static unsigned calls;

static void expect(const char *call, long result, long expected)
{
	calls++;
	check(result == expected, "%s returned %ld instead of %ld", call, result, expected);
}

/* The call's own text is the message. */
#define EXPECT(expected, call) expect(#call, (long)(call), expected)

#define NO_PID 0x3fffffff
#define USER_END (~0UL << 12) /* no user address, on any architecture */

static size_t page;
static char *hole; /* nothing mapped: a page between two mapped ones */
static char *data; /* two mapped pages, the hole behind them */

static void mappings(void)
{
	long fixed = ANONYMOUS | MAP_FIXED, rw = READ_WRITE;
	EXPECT(-EINVAL, sys_mmap(0, 0, rw, ANONYMOUS));
	EXPECT(-EINVAL, sys_mmap(0, page, rw, MAP_ANONYMOUS)); /* neither shared nor private */
	EXPECT(-ENOMEM, sys_mmap(0, ~0UL, rw, ANONYMOUS));
	EXPECT(-ENOMEM, sys_mmap(0, 1UL << 60, rw, ANONYMOUS | MAP_NORESERVE));
	EXPECT(-EINVAL, sys_mmap(hole + 1, page, rw, fixed));
	EXPECT(-ENOMEM, sys_mmap((void *)USER_END, page, rw, fixed));
	EXPECT(-EEXIST, sys_mmap(data, page, rw, ANONYMOUS | MAP_FIXED_NOREPLACE));
	EXPECT(-EEXIST, sys_mmap(data + page, 2 * page, rw, ANONYMOUS | MAP_FIXED_NOREPLACE));
	EXPECT((long)hole, sys_mmap(hole, page, rw, ANONYMOUS | MAP_FIXED_NOREPLACE));
	EXPECT(0, sys_munmap(hole, page));
	EXPECT((long)hole, sys_mmap(hole, 1, rw, ANONYMOUS)); /* a free hint is taken; the length is rounded up */
	EXPECT(0, sys_munmap(hole, 1));
	EXPECT(-EBADF, SYS6(SYS_mmap, 0, page, PROT_READ, MAP_PRIVATE, -1, 0));
	EXPECT(-EBADF, SYS6(SYS_mmap, 0, page, PROT_READ, MAP_PRIVATE, 99, 0));
	EXPECT(-EINVAL, SYS6(SYS_mmap, 0, page, rw, ANONYMOUS, -1, 1)); /* offset not in whole pages */

	EXPECT(-EINVAL, sys_munmap(data + 1, page));
	EXPECT(-EINVAL, sys_munmap(data, 0));
	EXPECT(-EINVAL, sys_munmap((void *)USER_END, page));
	EXPECT(-EINVAL, sys_munmap(data, ~0UL));
	EXPECT(0, sys_munmap(hole, page)); /* nothing there is no error */

	EXPECT(-EINVAL, sys_mprotect(data + 1, page, PROT_READ));
	EXPECT(0, sys_mprotect(data, 0, PROT_READ));
	EXPECT(-ENOMEM, sys_mprotect(hole, page, PROT_READ));
	EXPECT(-ENOMEM, sys_mprotect(data + page, 2 * page, rw)); /* a hole in the range */
	EXPECT(-ENOMEM, sys_mprotect(data, ~0UL - page, PROT_READ)); /* the end wraps */
	EXPECT(-EINVAL, sys_mprotect(data, page, 0x1000));
	EXPECT(-EINVAL, sys_mprotect(data, page, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP));
	EXPECT(-EINVAL, sys_mprotect(data, page, PROT_READ | PROT_GROWSDOWN)); /* not a MAP_GROWSDOWN mapping */
	EXPECT(0, sys_mprotect(data, 1, rw));
}

static void moves(void)
{
	int move = MREMAP_MAYMOVE, fix = MREMAP_MAYMOVE | MREMAP_FIXED;
	EXPECT(-EINVAL, sys_mremap(data + 1, page, page, move, 0));
	EXPECT(-EINVAL, sys_mremap(data, page, 0, move, 0));
	EXPECT(-EINVAL, sys_mremap(data, page, page, 8, 0));
	EXPECT(-EINVAL, sys_mremap(data, page, page, MREMAP_FIXED, hole));
	EXPECT(-EINVAL, sys_mremap(data, page, page, MREMAP_DONTUNMAP, 0));
	EXPECT(-EINVAL, sys_mremap(data, page, 2 * page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0));
	EXPECT(-EINVAL, sys_mremap(data, page, page, fix, hole + 1));
	EXPECT(-EINVAL, sys_mremap(data, 2 * page, 2 * page, fix, data + page)); /* overlap */
	EXPECT(-EINVAL, sys_mremap(data, page, page, fix, (void *)USER_END));
	EXPECT(-EINVAL, sys_mremap(data, 0, page, move, 0)); /* a copy of a private mapping */
	EXPECT(-EFAULT, sys_mremap(hole, page, page, move, 0));
	EXPECT(-EFAULT, sys_mremap(hole, page, 2 * page, move, 0));
	EXPECT(-EFAULT, sys_mremap(data, 3 * page, 4 * page, move, 0)); /* the old range leaves its mapping */
	EXPECT(-ENOMEM, sys_mremap(data, 2 * page, 4 * page, 0, 0)); /* no room in place */
	EXPECT((long)data, sys_mremap(data, 2 * page, 3 * page, 0, 0)); /* room for one page */
	EXPECT((long)data, sys_mremap(data, 3 * page, 2 * page, 0, 0));
	EXPECT((long)data, sys_mremap(data, page, page, 0, 0));

	EXPECT(-EINVAL, sys_madvise(data + 1, page, MADV_DONTNEED));
	EXPECT(-EINVAL, sys_madvise(data, page, 9999));
	EXPECT(-EINVAL, sys_madvise(data, ~0UL, MADV_DONTNEED));
	EXPECT(0, sys_madvise(data, 0, MADV_DONTNEED));
	EXPECT(-ENOMEM, sys_madvise(hole, page, MADV_DONTNEED));
	*page_word(data, 1) = 1;
	EXPECT(-ENOMEM, sys_madvise(data + page, 3 * page, MADV_DONTNEED)); /* the mapped parts are discarded */
	EXPECT(0, *page_word(data, 1));
	EXPECT(0, sys_madvise(data, page, MADV_FREE));
	EXPECT(-ENOMEM, sys_madvise(hole, page, MADV_FREE));
	EXPECT(-ENOMEM, sys_madvise(hole, page, MADV_WILLNEED));

#ifdef ARCH_HAS_PKEYS
	EXPECT(-EINVAL, sys_pkey_alloc(1, 0));
	EXPECT(-EINVAL, sys_pkey_alloc(0, 4));
	EXPECT(-EINVAL, sys_pkey_free(14));
	EXPECT(-EINVAL, sys_pkey_free(-1));
	EXPECT(-EINVAL, sys_pkey_free(1000));
	EXPECT(-EINVAL, sys_pkey_mprotect(data, page, READ_WRITE, 14));
	EXPECT(-EINVAL, sys_pkey_mprotect(data, page, READ_WRITE, 1000));
	EXPECT(0, sys_pkey_mprotect(data, page, READ_WRITE, -1));
	EXPECT(-ENOMEM, sys_pkey_mprotect(hole, page, READ_WRITE, -1));
#else
	EXPECT(-ENOSYS, sys_pkey_alloc(0, 0));
	EXPECT(-ENOSYS, sys_pkey_free(1));
	EXPECT(-ENOSYS, sys_pkey_mprotect(data, page, READ_WRITE, -1));
#endif

	long top = sys_brk(0);
	EXPECT(top, sys_brk((void *)1)); /* below its start: unchanged */
	EXPECT(top, sys_brk((void *)(1UL << 62)));
}

static void processes(void)
{
	int status;
	EXPECT(-ECHILD, sys_wait4(-1, &status, 0));
	EXPECT(-ECHILD, sys_wait4(NO_PID, &status, WNOHANG));
	EXPECT(-EINVAL, sys_wait4(-1, &status, 0x100));
	EXPECT(-EINVAL, arch_clone_process(CLONE_THREAD | SIGCHLD));
	EXPECT(-EINVAL, arch_clone_process(CLONE_SIGHAND | SIGCHLD));
	EXPECT(-EINVAL, arch_clone_process(CLONE_THREAD | CLONE_SIGHAND | SIGCHLD));
	EXPECT(sys_getpid(), sys_gettid());
	EXPECT(sys_gettid(), sys_set_tid_address(0));

	uint64_t mask[16] = {0};
	EXPECT(-EINVAL, sys_sched_setaffinity(0, sizeof mask, mask));
	EXPECT(-EFAULT, sys_sched_setaffinity(0, sizeof mask, hole));
	EXPECT(-EINVAL, sys_sched_getaffinity(0, 12, mask));
	EXPECT(-EINVAL, sys_sched_getaffinity(0, 0, mask));
	EXPECT(-ESRCH, sys_sched_getaffinity(NO_PID, sizeof mask, mask));
	EXPECT(-EFAULT, sys_sched_getaffinity(0, sizeof mask, hole));
	check(sys_sched_getaffinity(0, sizeof mask, mask) > 0, "sched_getaffinity failed");
	EXPECT(-ESRCH, sys_sched_setaffinity(NO_PID, sizeof mask, mask));
	EXPECT(0, sys_sched_setaffinity(0, sizeof mask, mask));
	EXPECT(-EFAULT, sys_getcpu((unsigned *)hole, 0));
	EXPECT(0, sys_getcpu(0, 0));
	EXPECT(0, sys_sched_yield());
}

static void signals(void)
{
	int pid = (int)sys_getpid();
	struct sigaction action = {.handler = SIG_IGN, .flags = ARCH_SA_FLAGS, .restorer = arch_signal_return};
	struct stack small = {data, 0, 1024}, odd = {data, 4, 2 * page};
	uint64_t set = 0;
	EXPECT(-EINVAL, sys_tgkill(0, pid, SIGUSR1));
	EXPECT(-EINVAL, sys_tgkill(pid, -1, SIGUSR1));
	EXPECT(-EINVAL, sys_tgkill(pid, pid, 65));
	EXPECT(-EINVAL, sys_tgkill(pid, pid, -1));
	EXPECT(-ESRCH, sys_tgkill(pid, NO_PID, SIGUSR1));
	EXPECT(-ESRCH, sys_tgkill(NO_PID, pid, SIGUSR1));
	EXPECT(0, sys_tgkill(pid, pid, 0));

	EXPECT(-EINVAL, sys_rt_sigaction(0, &action, 0));
	EXPECT(-EINVAL, sys_rt_sigaction(65, &action, 0));
	EXPECT(-EINVAL, sys_rt_sigaction(SIGKILL, &action, 0));
	EXPECT(-EINVAL, sys_rt_sigaction(SIGSTOP, &action, 0));
	EXPECT(-EFAULT, sys_rt_sigaction(SIGUSR1, (void *)hole, 0));
	EXPECT(-EFAULT, sys_rt_sigaction(SIGUSR1, 0, (void *)hole));
	EXPECT(-EINVAL, SYS4(SYS_rt_sigaction, SIGUSR1, &action, 0, 4));
	EXPECT(0, sys_rt_sigaction(SIGKILL, 0, &action));
	EXPECT(0, sys_rt_sigaction(64, 0, &action));

	EXPECT(-EINVAL, sys_rt_sigprocmask(3, &set, 0));
	EXPECT(0, sys_rt_sigprocmask(3, 0, &set)); /* without a set, how is not looked at */
	EXPECT(-EFAULT, sys_rt_sigprocmask(SIG_BLOCK, (void *)hole, 0));
	EXPECT(-EFAULT, sys_rt_sigprocmask(SIG_BLOCK, 0, (void *)hole));
	EXPECT(-EINVAL, SYS4(SYS_rt_sigprocmask, SIG_BLOCK, &set, 0, 16));

	EXPECT(-ENOMEM, sys_sigaltstack(&small, 0));
	EXPECT(-EINVAL, sys_sigaltstack(&odd, 0));
	EXPECT(-EFAULT, sys_sigaltstack((void *)hole, 0));
	EXPECT(-EFAULT, sys_sigaltstack(0, (void *)hole));
	EXPECT(0, sys_sigaltstack(0, 0));
}

static void futexes(void)
{
	uint32_t words[2] = {5, 5};
	int wait = FUTEX_WAIT | FUTEX_PRIVATE_FLAG, wake = FUTEX_WAKE | FUTEX_PRIVATE_FLAG;
	struct timespec soon = {0, 1000}, bad = {0, 1000000000}, negative = {-1, 0};
	char *odd = (char *)words + 1;
	EXPECT(-EAGAIN, sys_futex(words, wait, 4, 0));
	EXPECT(-EAGAIN, sys_futex(words, FUTEX_WAIT, 4, 0));
	EXPECT(-ETIMEDOUT, sys_futex(words, wait, 5, &soon));
	EXPECT(-EINVAL, sys_futex(words, wait, 5, &bad));
	EXPECT(-EINVAL, sys_futex(words, wait, 5, &negative));
	EXPECT(-EFAULT, sys_futex(words, wait, 5, (void *)hole));
	EXPECT(-EINVAL, sys_futex(odd, wait, 5, 0));
	EXPECT(-EFAULT, sys_futex(hole, wait, 5, 0));
	EXPECT(-EFAULT, sys_futex(hole, FUTEX_WAIT, 5, 0));
	EXPECT(-EFAULT, sys_futex((void *)USER_END, wait, 5, 0));
	EXPECT(0, sys_futex(words, wake, 1, 0));
	EXPECT(-EINVAL, sys_futex(odd, wake, 1, 0));
	EXPECT(0, sys_futex(hole, wake, 1, 0)); /* private: the word is not read */
	EXPECT(-ENOSYS, sys_futex(words, 77, 1, 0));
	EXPECT(-EINVAL, sys_futex_bitset(words, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 5, 0, 0));
	EXPECT(-EINVAL, sys_futex_bitset(words, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, 1, 0, 0));
	EXPECT(0, sys_futex_requeue(words, FUTEX_REQUEUE | FUTEX_PRIVATE_FLAG, 1, 1, words + 1, 0));
	EXPECT(-EINVAL, sys_futex_requeue(words, FUTEX_REQUEUE | FUTEX_PRIVATE_FLAG, (uint32_t)-1, 1, words + 1, 0));
	EXPECT(-EAGAIN, sys_futex_requeue(words, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 1, 1, words + 1, 6));
	EXPECT(0, sys_futex_requeue(words, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 1, 1, words + 1, 5));
}

static void times(void)
{
	struct timespec bad = {0, 1000000000}, negative = {-1, 0}, none = {0, 0}, now;
	EXPECT(-EINVAL, sys_nanosleep(&bad, 0));
	EXPECT(-EINVAL, sys_nanosleep(&negative, 0));
	EXPECT(-EFAULT, sys_nanosleep((void *)hole, 0));
	EXPECT(0, sys_nanosleep(&none, 0));
	EXPECT(-EINVAL, sys_clock_gettime(1000, &now));
	EXPECT(-EFAULT, sys_clock_gettime(CLOCK_MONOTONIC, (void *)hole));
}

static void files(void)
{
	struct iovec bad[2] = {{"", 0}, {hole, 1}};
	EXPECT(-EBADF, sys_write(99, "x", 1));
	EXPECT(-EBADF, sys_write(-1, "x", 1));
	EXPECT(-EFAULT, sys_write(1, hole, 1));
	EXPECT(-EFAULT, sys_write(1, (void *)USER_END, 1));
	EXPECT(0, sys_write(1, data, 0));
	EXPECT(-EBADF, sys_writev(99, bad, 1));
	EXPECT(-EFAULT, sys_writev(1, (void *)hole, 1));
	EXPECT(-EFAULT, sys_writev(1, bad, 2));
	EXPECT(-EINVAL, sys_writev(1, bad, -1));
	EXPECT(-EINVAL, sys_writev(1, bad, 1025));
	EXPECT(0, sys_writev(1, bad, 1));
	EXPECT(-EBADF, sys_read(99, data, 1));
	EXPECT(-EBADF, sys_close(99));
	EXPECT(-ENOENT, sys_open("/nonexistent", O_RDONLY));
	EXPECT(-ENOENT, sys_open("", O_RDONLY));
	EXPECT(-EFAULT, sys_open(hole, O_RDONLY));
	long maps = sys_open("/proc/self/maps", O_RDONLY);
	check(maps > 2, "opening /proc/self/maps returned %ld", maps);
	EXPECT(-EFAULT, sys_read((int)maps, hole, 64));
	EXPECT(0, sys_read((int)maps, data, 0));
	EXPECT(-EBADF, sys_write((int)maps, "x", 1)); /* opened for reading */
	EXPECT(0, sys_close((int)maps));
	EXPECT(-EBADF, sys_close((int)maps));
	EXPECT(-EBADF, sys_read((int)maps, data, 1));

	EXPECT(-EFAULT, sys_uname((void *)hole));
	EXPECT(-EINVAL, sys_getrandom(data, 8, 0x80));
	EXPECT(-EFAULT, sys_getrandom(hole, 8, 0));
	EXPECT(0, sys_getrandom(data, 0, 0));
	EXPECT(16, sys_getrandom(data, 16, 0));
	EXPECT(-ENOSYS, SYS0(1000000));
	EXPECT(-ENOSYS, SYS0(-1));
}

int main(int argc, char **argv)
{
	arguments_end(argc, argv, 0);
	page = page_size();
	data = map(4 * page);
	hole = data + 2 * page;
	unmap(hole, page);
	mappings();
	moves();
	processes();
	signals();
	futexes();
	times();
	files();
	const char *wrong = arch_check_thread_pointer_calls(hole);
	check(!wrong, "the thread pointer: %s", wrong);
	printf("errors: %u calls returned what Linux returns\n", calls);
	return 0;
}
