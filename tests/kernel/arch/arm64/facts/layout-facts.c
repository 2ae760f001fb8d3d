/*
 * Prints the layouts and numbers that arm64 programs and kernel share, as the kernel's own headers declare them
 * (asm/ptrace.h, asm/sigcontext.h, asm/ucontext.h, asm/signal.h, asm/hwcap.h, asm/fcntl.h, asm/unistd.h), as JSON.
 *   aarch64-linux-gnu-gcc -static -o layout-facts layout-facts.c
 *   qemu-aarch64 ./layout-facts > layout-facts.json
 * The system calls are in syscalls.inc, one line CALL(name, number) each:
 *   echo '#include <asm/unistd.h>' | aarch64-linux-gnu-gcc -E -dM - |
 *     sed -n 's/^#define __NR_\([a-z0-9_]*\) .*$/CALL(\1, __NR_\1)/p' | grep -v 'CALL(syscalls,' | sort > syscalls.inc
 */
#include <stddef.h>
#include <stdio.h>
#include <linux/types.h>
#include <linux/version.h>
#include <asm/fcntl.h>
#include <asm/hwcap.h>
#include <asm/ptrace.h>
#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/ucontext.h>
#include <asm/unistd.h>

#define AT(type, member) printf(",\n  \"" #type "." #member "\": %zu", offsetof(struct type, member))
#define SIZE(type) printf(",\n  \"sizeof " #type "\": %zu", sizeof(struct type))
#define VALUE(name) printf(",\n  \"" #name "\": %lu", (unsigned long)(name))
#define CALL(name, number) printf(",\n  \"call " #name "\": %d", number);

struct rt_sigframe { siginfo_t info; struct ucontext uc; };

int main(void)
{
	printf("{\n  \"linux headers\": \"%d.%d.%d\"", LINUX_VERSION_CODE >> 16, LINUX_VERSION_CODE >> 8 & 255,
	       LINUX_VERSION_CODE & 255);
	printf(",\n  \"compiler\": \"gcc %s\"", __VERSION__);
	SIZE(user_pt_regs);
	AT(user_pt_regs, regs);
	AT(user_pt_regs, sp);
	AT(user_pt_regs, pc);
	AT(user_pt_regs, pstate);
	SIZE(rt_sigframe);
	AT(rt_sigframe, info);
	AT(rt_sigframe, uc);
	SIZE(ucontext);
	AT(ucontext, uc_flags);
	AT(ucontext, uc_link);
	AT(ucontext, uc_stack.ss_sp);
	AT(ucontext, uc_stack.ss_flags);
	AT(ucontext, uc_stack.ss_size);
	AT(ucontext, uc_sigmask);
	AT(ucontext, uc_mcontext);
	SIZE(sigcontext);
	AT(sigcontext, fault_address);
	AT(sigcontext, regs);
	AT(sigcontext, sp);
	AT(sigcontext, pc);
	AT(sigcontext, pstate);
	AT(sigcontext, __reserved);
	SIZE(esr_context);
	AT(esr_context, esr);
	SIZE(_aarch64_ctx);
	AT(_aarch64_ctx, size);
	VALUE(ESR_MAGIC);
	VALUE(EXTRA_MAGIC);
	VALUE(FPSIMD_MAGIC);
	SIZE(extra_context);
	AT(extra_context, datap);
	AT(extra_context, size);
	SIZE(sigaction);
	AT(sigaction, sa_handler);
	AT(sigaction, sa_flags);
	AT(sigaction, sa_restorer);
	AT(sigaction, sa_mask);
	VALUE(SA_RESTORER);
	VALUE(MINSIGSTKSZ);
	VALUE(PSR_MODE_EL0t);
	VALUE(PSR_MODE_EL1h);
	VALUE(PSR_MODE_MASK);
	VALUE(PSR_MODE32_BIT);
	VALUE(PSR_F_BIT);
	VALUE(PSR_I_BIT);
	VALUE(PSR_A_BIT);
	VALUE(PSR_D_BIT);
	VALUE(PSR_BTYPE_MASK);
	VALUE(PSR_BTYPE_SHIFT);
	VALUE(PSR_SSBS_BIT);
	VALUE(PSR_PAN_BIT);
	VALUE(PSR_UAO_BIT);
	VALUE(PSR_DIT_BIT);
	VALUE(PSR_TCO_BIT);
	VALUE(PSR_V_BIT);
	VALUE(PSR_C_BIT);
	VALUE(PSR_Z_BIT);
	VALUE(PSR_N_BIT);
	VALUE(HWCAP_AES);
	VALUE(HWCAP_PMULL);
	VALUE(HWCAP_SHA1);
	VALUE(HWCAP_SHA2);
	VALUE(HWCAP_FP);
	VALUE(HWCAP_ASIMD);
	VALUE(HWCAP_CRC32);
	VALUE(HWCAP_ATOMICS);
	VALUE(HWCAP_CPUID);
	VALUE(HWCAP_LRCPC);
	VALUE(HWCAP_ILRCPC);
	VALUE(HWCAP_DCPOP);
	VALUE(HWCAP_DIT);
	VALUE(HWCAP_USCAT);
	VALUE(HWCAP_FLAGM);
	VALUE(HWCAP_SSBS);
	VALUE(HWCAP_SB);
	VALUE(HWCAP2_DCPODP);
	VALUE(HWCAP2_FLAGM2);
	VALUE(HWCAP2_RNG);
	VALUE(O_DIRECTORY);
	VALUE(O_NOFOLLOW);
#include "syscalls.inc"
	printf("\n}\n");
	return 0;
}
