/*
 * The part of the Linux system call ABI that is the same on every architecture of the project
 * (include/uapi of the kernel): constants and structures. Numbers and frames: arch/.../arch.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Errors, as the kernel returns them: -ENOMEM and so on. */
#define EPERM 1
#define ENOENT 2
#define ESRCH 3
#define EINTR 4
#define EBADF 9
#define ECHILD 10
#define EAGAIN 11
#define ENOMEM 12
#define EACCES 13
#define EFAULT 14
#define EBUSY 16
#define EEXIST 17
#define EINVAL 22
#define ENOSPC 28
#define ENOSYS 38
#define EOPNOTSUPP 95
#define ETIMEDOUT 110

/* mmap, mprotect, mremap, madvise */
#define PROT_NONE 0
#define PROT_READ 1
#define PROT_WRITE 2
#define PROT_EXEC 4
#define PROT_GROWSDOWN 0x01000000
#define PROT_GROWSUP 0x02000000
#define MAP_SHARED 0x01
#define MAP_PRIVATE 0x02
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20
#define MAP_GROWSDOWN 0x0100
#define MAP_NORESERVE 0x4000
#define MAP_POPULATE 0x8000
#define MAP_FIXED_NOREPLACE 0x100000
#define MREMAP_MAYMOVE 1
#define MREMAP_FIXED 2
#define MREMAP_DONTUNMAP 4
#define MADV_WILLNEED 3
#define MADV_DONTNEED 4
#define MADV_FREE 8
#define MADV_REMOVE 9
#define MADV_DONTFORK 10
#define PKEY_DISABLE_ACCESS 1
#define PKEY_DISABLE_WRITE 2

/* clone, wait4 */
#define CLONE_VM 0x00000100
#define CLONE_FS 0x00000200
#define CLONE_FILES 0x00000400
#define CLONE_SIGHAND 0x00000800
#define CLONE_VFORK 0x00004000
#define CLONE_THREAD 0x00010000
#define CLONE_SYSVSEM 0x00040000
#define CLONE_SETTLS 0x00080000
#define CLONE_PARENT_SETTID 0x00100000
#define CLONE_CHILD_CLEARTID 0x00200000
#define CLONE_CHILD_SETTID 0x01000000
#define WNOHANG 1
#define WUNTRACED 2
#define WCONTINUED 8
#define WALL 0x40000000
#define WCLONE ((int)0x80000000)

/* futex */
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_REQUEUE 3
#define FUTEX_CMP_REQUEUE 4
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define FUTEX_PRIVATE_FLAG 128
#define FUTEX_BITSET_MATCH_ANY 0xffffffff
#define FUTEX_OWNER_DIED 0x40000000

/* signals */
#define SIGHUP 1
#define SIGILL 4
#define SIGTRAP 5
#define SIGABRT 6
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGUSR1 10
#define SIGSEGV 11
#define SIGUSR2 12
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2
#define SIG_DFL ((void *)0)
#define SIG_IGN ((void *)1)
#define SA_SIGINFO 0x00000004UL
#define SA_ONSTACK 0x08000000UL
#define SA_RESTART 0x10000000UL
#define SA_NODEFER 0x40000000UL
#define SA_RESETHAND 0x80000000UL
#define SS_ONSTACK 1
#define SS_DISABLE 2
#define CLD_EXITED 1
#define CLD_KILLED 2
#define CLD_STOPPED 5
#define CLD_CONTINUED 6
#define SI_USER 0
#define SI_KERNEL 0x80
#define SI_TKILL (-6)
#define ILL_ILLOPC 1
#define ILL_ILLOPN 2
#define FPE_INTDIV 1
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define SEGV_PKUERR 4

#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
#define GRND_NONBLOCK 1
#define GRND_RANDOM 2
#define AT_FDCWD (-100)
#define O_RDONLY 0
#define O_WRONLY 1
#define AT_NULL 0
#define AT_PAGESZ 6

struct timespec {
	int64_t tv_sec;
	int64_t tv_nsec;
};

struct iovec {
	const void *base;
	size_t length;
};

struct utsname {
	char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};

/* The kernel's own struct sigaction, not the C library's. */
struct sigaction {
	void *handler;
	uint64_t flags;
	void (*restorer)(void);
	uint64_t mask;
};

struct stack {
	void *sp;
	int flags;
	size_t size;
};

/* siginfo_t, 128 bytes; only the members that the programs read. */
struct siginfo {
	int signo, error, code, pad;
	union {
		struct {
			void *address;
			uint16_t address_lsb;
			uint32_t pkey __attribute__((aligned(8)));
		} fault;
		struct {
			int pid;
			unsigned uid;
			int status;
		} sender;
		uint8_t bytes[112];
	};
};
_Static_assert(sizeof(struct siginfo) == 128, "siginfo_t is 128 bytes");
_Static_assert(offsetof(struct siginfo, fault.address) == 16, "si_addr");
_Static_assert(offsetof(struct siginfo, fault.pkey) == 32, "si_pkey");
