/*
 * Executes single A64 instructions in user mode and reports what they did.
 *
 * stdin: cases; stdout: results, both as the structures below, little-endian. BRK fills the code area around the
 * instruction. A signal handler stores the result and loads the next case; all registers travel through sigreturn. The
 * handler runs on its own stack: SP is the case's.
 *
 * Build: aarch64-linux-gnu-gcc -O1 -static -o qemu-runner qemu-runner.c
 * Run:   qemu-aarch64 -cpu max,pauth=off ./qemu-runner
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 0x10000000UL
#define CODE_BYTES 0x10000UL
#define ENTRY 0x10008000UL
#define DATA 0x10040000UL
#define DATA_BYTES 0x2000UL
#define WINDOW 0x10040800UL
#define WINDOW_BYTES 256
#define BRK 0xd4200000U

struct input {
	uint64_t code;
	uint64_t registers[32]; /* the last is SP */
	uint64_t nzcv; /* bits 31:28 */
	uint8_t memory[WINDOW_BYTES];
};

struct output {
	uint64_t signal, address, pc;
	uint64_t registers[32];
	uint64_t nzcv;
	uint8_t memory[WINDOW_BYTES];
};

static struct input input;
static struct output output;
static int started;

static void next_case(mcontext_t *m)
{
	if (fread(&input, sizeof input, 1, stdin) != 1) {
		fflush(stdout);
		_exit(0);
	}
	*(volatile uint32_t *)ENTRY = (uint32_t)input.code;
	__builtin___clear_cache((char *)ENTRY, (char *)ENTRY + 4);
	memset((void *)DATA, 0, DATA_BYTES);
	memcpy((void *)WINDOW, input.memory, WINDOW_BYTES);
	for (int i = 0; i < 31; i++)
		m->regs[i] = input.registers[i];
	m->sp = input.registers[31];
	m->pc = ENTRY;
	m->pstate = input.nzcv;
}

static void handler(int signal, siginfo_t *info, void *context)
{
	mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;
	if (started) {
		output.signal = (uint64_t)signal;
		output.address = (uint64_t)info->si_addr;
		output.pc = m->pc;
		for (int i = 0; i < 31; i++)
			output.registers[i] = m->regs[i];
		output.registers[31] = m->sp;
		output.nzcv = m->pstate & 0xf0000000;
		memcpy(output.memory, (void *)WINDOW, WINDOW_BYTES);
		fwrite(&output, sizeof output, 1, stdout);
	}
	started = 1;
	next_case(m);
}

int main(void)
{
	int flags = MAP_FIXED_NOREPLACE | MAP_PRIVATE | MAP_ANONYMOUS;
	if (mmap((void *)CODE, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0) != (void *)CODE ||
	    mmap((void *)DATA, DATA_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0) != (void *)DATA)
		return 1;
	for (uint64_t at = CODE; at < CODE + CODE_BYTES; at += 4)
		*(volatile uint32_t *)at = BRK;
	__builtin___clear_cache((char *)CODE, (char *)CODE + CODE_BYTES);
	stack_t stack = { .ss_sp = malloc(1 << 18), .ss_size = 1 << 18 };
	sigaltstack(&stack, NULL);
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	int signals[] = { SIGTRAP, SIGILL, SIGSEGV, SIGBUS };
	for (int i = 0; i < 4; i++)
		sigaction(signals[i], &action, NULL);
	__asm__ volatile("brk #0");
	return 1;
}
