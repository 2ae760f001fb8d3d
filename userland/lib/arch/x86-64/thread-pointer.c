/* arch_prctl(): the FS and GS bases (man arch_prctl(2)). */
#include "arch.h"

#define EFAULT 14
#define EINVAL 22
#define EPERM 1

static long prctl(int code, uint64_t argument)
{
	return arch_syscall(SYS_arch_prctl, code, (long)argument, 0, 0, 0, 0);
}

static uint64_t load_gs(uint64_t offset)
{
	uint64_t value;
	__asm__ volatile("movq %%gs:(%1), %0" : "=r"(value) : "r"(offset) : "memory");
	return value;
}

const char *arch_check_thread_pointer_calls(void *unmapped)
{
	uint64_t fs = 0, gs = 1, words[2] = {11, 22};
	if (prctl(ARCH_GET_FS, (uint64_t)&fs) != 0 || fs != (uint64_t)arch_thread_pointer())
		return "ARCH_GET_FS does not give the thread pointer";
	if (prctl(ARCH_GET_GS, (uint64_t)&gs) != 0 || gs != 0)
		return "the GS base of a new program is not 0";
	if (prctl(ARCH_SET_GS, (uint64_t)words) != 0 || load_gs(0) != 11 || load_gs(8) != 22)
		return "loads through GS do not use the base that ARCH_SET_GS set";
	if (prctl(ARCH_GET_GS, (uint64_t)&gs) != 0 || gs != (uint64_t)words)
		return "ARCH_GET_GS does not give what ARCH_SET_GS set";
	prctl(ARCH_SET_GS, 0);
	if (prctl(ARCH_GET_FS, (uint64_t)unmapped) != -EFAULT)
		return "ARCH_GET_FS to unmapped memory does not return EFAULT";
	if (prctl(ARCH_SET_FS, ARCH_KERNEL_ADDRESS) != -EPERM)
		return "ARCH_SET_FS to the kernel's half does not return EPERM";
	if (prctl(0x1fff, 0) != -EINVAL)
		return "an unknown code does not return EINVAL";
	return 0;
}
