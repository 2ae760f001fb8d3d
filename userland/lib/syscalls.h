/*
 * System calls, one inline function each. Every one returns what the kernel returned: a result, or
 * -errno in -4095..-1; nothing is retried and there is no errno.
 */
#pragma once

#include "arch.h"
#include "linux.h"

#define SYS0(n) arch_syscall(n, 0, 0, 0, 0, 0, 0)
#define SYS1(n, a) arch_syscall(n, (long)(a), 0, 0, 0, 0, 0)
#define SYS2(n, a, b) arch_syscall(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS3(n, a, b, c) arch_syscall(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS4(n, a, b, c, d) arch_syscall(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS5(n, a, b, c, d, e) arch_syscall(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SYS6(n, a, b, c, d, e, f) \
	arch_syscall(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static inline long sys_read(int fd, void *buffer, size_t length)
{
	return SYS3(SYS_read, fd, buffer, length);
}

static inline long sys_write(int fd, const void *buffer, size_t length)
{
	return SYS3(SYS_write, fd, buffer, length);
}

static inline long sys_writev(int fd, const struct iovec *vectors, int count)
{
	return SYS3(SYS_writev, fd, vectors, count);
}

static inline long sys_open(const char *path, int flags)
{
#ifdef SYS_open
	return SYS3(SYS_open, path, flags, 0);
#else
	return SYS4(SYS_openat, AT_FDCWD, path, flags, 0);
#endif
}

static inline long sys_close(int fd)
{
	return SYS1(SYS_close, fd);
}

static inline long sys_mmap(const volatile void *hint, size_t length, int prot, int flags)
{
	return SYS6(SYS_mmap, hint, length, prot, flags, -1, 0);
}

static inline long sys_munmap(const volatile void *address, size_t length)
{
	return SYS2(SYS_munmap, address, length);
}

static inline long sys_mprotect(const volatile void *address, size_t length, int prot)
{
	return SYS3(SYS_mprotect, address, length, prot);
}

static inline long sys_mremap(const volatile void *old, size_t old_length, size_t new_length, int flags,
			      const volatile void *address)
{
	return SYS5(SYS_mremap, old, old_length, new_length, flags, address);
}

static inline long sys_madvise(const volatile void *address, size_t length, int advice)
{
	return SYS3(SYS_madvise, address, length, advice);
}

static inline long sys_brk(const volatile void *address)
{
	return SYS1(SYS_brk, address);
}

static inline long sys_pkey_alloc(unsigned flags, unsigned rights)
{
	return SYS2(SYS_pkey_alloc, flags, rights);
}

static inline long sys_pkey_free(int pkey)
{
	return SYS1(SYS_pkey_free, pkey);
}

static inline long sys_pkey_mprotect(const volatile void *address, size_t length, int prot, int pkey)
{
	return SYS4(SYS_pkey_mprotect, address, length, prot, pkey);
}

static inline long sys_wait4(int pid, int *status, int options)
{
	return SYS4(SYS_wait4, pid, status, options, 0);
}

static inline _Noreturn void sys_exit(int status)
{
	for (;;)
		SYS1(SYS_exit, status);
}

static inline _Noreturn void sys_exit_group(int status)
{
	for (;;)
		SYS1(SYS_exit_group, status);
}

static inline long sys_futex(volatile void *word, int op, uint32_t value, const struct timespec *timeout)
{
	return SYS4(SYS_futex, word, op, value, timeout);
}

/* REQUEUE and CMP_REQUEUE: the fourth argument is a count. */
static inline long sys_futex_requeue(volatile void *word, int op, uint32_t wake, uint32_t requeue,
				     volatile void *target, uint32_t expected)
{
	return SYS6(SYS_futex, word, op, wake, requeue, target, expected);
}

static inline long sys_futex_bitset(volatile void *word, int op, uint32_t value, const struct timespec *timeout,
				    uint32_t bits)
{
	return SYS6(SYS_futex, word, op, value, timeout, 0, bits);
}

static inline long sys_sched_yield(void)
{
	return SYS0(SYS_sched_yield);
}

static inline long sys_sched_setaffinity(int pid, size_t size, const void *mask)
{
	return SYS3(SYS_sched_setaffinity, pid, size, mask);
}

static inline long sys_sched_getaffinity(int pid, size_t size, void *mask)
{
	return SYS3(SYS_sched_getaffinity, pid, size, mask);
}

static inline long sys_getcpu(unsigned *cpu, unsigned *node)
{
	return SYS3(SYS_getcpu, cpu, node, 0);
}

static inline long sys_getpid(void)
{
	return SYS0(SYS_getpid);
}

static inline long sys_gettid(void)
{
	return SYS0(SYS_gettid);
}

static inline long sys_set_tid_address(int *tid)
{
	return SYS1(SYS_set_tid_address, tid);
}

static inline long sys_rt_sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
	return SYS4(SYS_rt_sigaction, signal, action, old, 8);
}

static inline long sys_rt_sigprocmask(int how, const uint64_t *set, uint64_t *old)
{
	return SYS4(SYS_rt_sigprocmask, how, set, old, 8);
}

static inline long sys_sigaltstack(const struct stack *stack, struct stack *old)
{
	return SYS2(SYS_sigaltstack, stack, old);
}

static inline long sys_kill(int pid, int signal)
{
	return SYS2(SYS_kill, pid, signal);
}

static inline long sys_rt_sigpending(uint64_t *set)
{
	return SYS2(SYS_rt_sigpending, set, 8);
}

static inline long sys_rt_sigsuspend(const uint64_t *mask)
{
	return SYS2(SYS_rt_sigsuspend, mask, 8);
}

static inline long sys_getppid(void)
{
	return SYS0(SYS_getppid);
}

static inline long sys_setpgid(int pid, int pgid)
{
	return SYS2(SYS_setpgid, pid, pgid);
}

static inline long sys_set_robust_list(void *head, size_t size)
{
	return SYS2(SYS_set_robust_list, head, size);
}

static inline long sys_tgkill(int tgid, int tid, int signal)
{
	return SYS3(SYS_tgkill, tgid, tid, signal);
}

static inline long sys_nanosleep(const struct timespec *request, struct timespec *remaining)
{
	return SYS2(SYS_nanosleep, request, remaining);
}

static inline long sys_clock_gettime(int clock, struct timespec *time)
{
	return SYS2(SYS_clock_gettime, clock, time);
}

static inline long sys_uname(struct utsname *name)
{
	return SYS1(SYS_uname, name);
}

static inline long sys_getrandom(void *buffer, size_t length, unsigned flags)
{
	return SYS3(SYS_getrandom, buffer, length, flags);
}

/* True if `result` is -errno. */
static inline int is_error(long result)
{
	return (unsigned long)result >= (unsigned long)-4095L;
}
