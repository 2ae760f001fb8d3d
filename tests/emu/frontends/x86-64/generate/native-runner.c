/*
 * Executes single instructions on the host and reports what they did.
 *
 * stdin: cases; stdout: results, both as the structures below, little-endian. Every instruction is single-stepped:
 * a signal handler loads all registers through sigreturn with RFLAGS.TF set, the trap after the instruction comes back
 * to the handler, which stores the result and loads the next case. INT3 fills the code area, so that an instruction
 * that clears TF is caught as well. The handler runs on its own stack: RSP is the case's.
 *
 * Build: gcc -O1 -o native-runner native-runner.c
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 0x10000000UL
#define CODE_BYTES 0x10000UL
#define ENTRY 0x10008000UL
#define DATA 0x20000000UL
#define DATA_BYTES 0x2000UL
#define WINDOW 0x20000800UL
#define WINDOW_BYTES 256
#define GS_BASE 0x20000100UL

struct input {
	uint8_t code[16];
	uint64_t registers[16]; /* encoding order */
	uint64_t flags;
	uint8_t memory[WINDOW_BYTES];
};

struct output {
	uint64_t trap, error, address, rip;
	uint64_t registers[16];
	uint64_t flags;
	uint8_t memory[WINDOW_BYTES];
};

static const int GREGS[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };

static struct input input;
static struct output output;
static int started;

static void next_case(greg_t *gregs)
{
	if (fread(&input, sizeof input, 1, stdin) != 1) {
		fflush(stdout);
		_exit(0);
	}
	memset((void *)(ENTRY - 16), 0xcc, 64);
	memcpy((void *)ENTRY, input.code, sizeof input.code);
	memset((void *)DATA, 0, DATA_BYTES);
	memcpy((void *)WINDOW, input.memory, WINDOW_BYTES);
	for (int i = 0; i < 16; i++)
		gregs[GREGS[i]] = input.registers[i];
	gregs[REG_RIP] = ENTRY;
	gregs[REG_EFL] = input.flags | 0x302;
}

static void handler(int signal, siginfo_t *info, void *context)
{
	greg_t *gregs = ((ucontext_t *)context)->uc_mcontext.gregs;
	(void)signal;
	(void)info;
	/* POPF may have set AC, which the kernel leaves on: the C library makes misaligned accesses. */
	__asm__ volatile("pushfq; andl $~0x40000, (%%rsp); popfq" ::: "cc", "memory");
	if (started) {
		output.trap = gregs[REG_TRAPNO];
		output.error = gregs[REG_ERR];
		output.address = gregs[REG_CR2];
		output.rip = gregs[REG_RIP];
		for (int i = 0; i < 16; i++)
			output.registers[i] = gregs[GREGS[i]];
		output.flags = gregs[REG_EFL];
		memcpy(output.memory, (void *)WINDOW, WINDOW_BYTES);
		fwrite(&output, sizeof output, 1, stdout);
	}
	started = 1;
	next_case(gregs);
}

int main(void)
{
	int flags = MAP_FIXED_NOREPLACE | MAP_PRIVATE | MAP_ANONYMOUS;
	if (mmap((void *)CODE, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0) != (void *)CODE ||
	    mmap((void *)DATA, DATA_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0) != (void *)DATA)
		return 1;
	memset((void *)CODE, 0xcc, CODE_BYTES);
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, GS_BASE))
		return 1;
	stack_t stack = { .ss_sp = malloc(1 << 18), .ss_size = 1 << 18 };
	sigaltstack(&stack, NULL);
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	int signals[] = { SIGTRAP, SIGILL, SIGSEGV, SIGFPE, SIGBUS };
	for (int i = 0; i < 5; i++)
		sigaction(signals[i], &action, NULL);
	__asm__ volatile("int3");
	return 1;
}
