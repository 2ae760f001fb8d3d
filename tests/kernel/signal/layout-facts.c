/*
 * Prints the layout of the signal frame's parts as the kernel's own headers declare them (asm/sigcontext.h,
 * asm/ucontext.h, asm-generic/siginfo.h, asm/signal.h, linux/auxvec.h), as JSON.
 *   gcc -o layout-facts layout-facts.c && ./layout-facts > layout-facts.json
 */
#include <stddef.h>
#include <stdio.h>
#include <linux/types.h>
#include <linux/version.h>
#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/ucontext.h>

#define AT(type, member) printf(",\n  \"" #type "." #member "\": %zu", offsetof(struct type, member))
#define SIZE(type) printf(",\n  \"sizeof " #type "\": %zu", sizeof(struct type))
#define VALUE(name) printf(",\n  \"" #name "\": %ld", (long)(name))

int main(void)
{
	printf("{\n  \"linux headers\": \"%d.%d.%d\"", LINUX_VERSION_CODE >> 16, LINUX_VERSION_CODE >> 8 & 255,
	       LINUX_VERSION_CODE & 255);
	printf(",\n  \"compiler\": \"gcc %s\"", __VERSION__);
	SIZE(ucontext);
	AT(ucontext, uc_flags);
	AT(ucontext, uc_link);
	AT(ucontext, uc_stack.ss_sp);
	AT(ucontext, uc_stack.ss_flags);
	AT(ucontext, uc_stack.ss_size);
	AT(ucontext, uc_mcontext);
	AT(ucontext, uc_sigmask);
	SIZE(sigcontext);
	AT(sigcontext, r8);
	AT(sigcontext, r9);
	AT(sigcontext, r10);
	AT(sigcontext, r11);
	AT(sigcontext, r12);
	AT(sigcontext, r13);
	AT(sigcontext, r14);
	AT(sigcontext, r15);
	AT(sigcontext, rdi);
	AT(sigcontext, rsi);
	AT(sigcontext, rbp);
	AT(sigcontext, rbx);
	AT(sigcontext, rdx);
	AT(sigcontext, rax);
	AT(sigcontext, rcx);
	AT(sigcontext, rsp);
	AT(sigcontext, rip);
	AT(sigcontext, eflags);
	AT(sigcontext, cs);
	AT(sigcontext, gs);
	AT(sigcontext, fs);
	AT(sigcontext, ss);
	AT(sigcontext, err);
	AT(sigcontext, trapno);
	AT(sigcontext, oldmask);
	AT(sigcontext, cr2);
	AT(sigcontext, fpstate);
	printf(",\n  \"sizeof siginfo\": %zu", sizeof(siginfo_t));
	printf(",\n  \"siginfo.si_signo\": %zu", offsetof(siginfo_t, si_signo));
	printf(",\n  \"siginfo.si_errno\": %zu", offsetof(siginfo_t, si_errno));
	printf(",\n  \"siginfo.si_code\": %zu", offsetof(siginfo_t, si_code));
	printf(",\n  \"siginfo.si_pid\": %zu", offsetof(siginfo_t, si_pid));
	printf(",\n  \"siginfo.si_uid\": %zu", offsetof(siginfo_t, si_uid));
	printf(",\n  \"siginfo.si_status\": %zu", offsetof(siginfo_t, si_status));
	printf(",\n  \"siginfo.si_utime\": %zu", offsetof(siginfo_t, si_utime));
	printf(",\n  \"siginfo.si_stime\": %zu", offsetof(siginfo_t, si_stime));
	printf(",\n  \"siginfo.si_value\": %zu", offsetof(siginfo_t, si_value));
	printf(",\n  \"siginfo.si_addr\": %zu", offsetof(siginfo_t, si_addr));
	printf(",\n  \"siginfo.si_pkey\": %zu", offsetof(siginfo_t, si_pkey));
	SIZE(sigaction);
	AT(sigaction, sa_handler);
	AT(sigaction, sa_flags);
	AT(sigaction, sa_restorer);
	AT(sigaction, sa_mask);
	VALUE(SA_NOCLDSTOP);
	VALUE(SA_NOCLDWAIT);
	VALUE(SA_SIGINFO);
	VALUE(SA_RESTORER);
	VALUE(SA_ONSTACK);
	VALUE(SA_RESTART);
	VALUE(SA_NODEFER);
	VALUE(SA_RESETHAND);
	VALUE(SEGV_MAPERR);
	VALUE(SEGV_ACCERR);
	VALUE(SEGV_PKUERR);
	VALUE(SI_USER);
	VALUE(SI_KERNEL);
	VALUE(SI_TKILL);
	VALUE(CLD_EXITED);
	VALUE(CLD_KILLED);
	VALUE(CLD_DUMPED);
	VALUE(UC_FP_XSTATE);
	VALUE(UC_SIGCONTEXT_SS);
	VALUE(UC_STRICT_RESTORE_SS);
	VALUE(MINSIGSTKSZ);
	printf("\n}\n");
	return 0;
}
