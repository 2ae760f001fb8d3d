/*
 * arch_probe_load / arch_probe_store (RDI address, RSI in, RDX out): see arch.h.
 * RAX holds the address and RCX the datum; all other registers but RSP carry the pattern, in the order of
 * the slots of arch_context_register(). Flags at the access: CF, PF and ZF set, SF and OF clear.
 */
	.macro probe name, access:vararg
	.globl arch_probe_\name, arch_probe_\name\()_pc, arch_probe_\name\()_next
	.type arch_probe_\name, @function
arch_probe_\name:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq %rdx
	movq %rdi, %rax
	movq 0(%rsi), %rbx
	movq 8(%rsi), %rdx
	movq 24(%rsi), %rdi
	movq 32(%rsi), %rbp
	movq 40(%rsi), %r8
	movq 48(%rsi), %r9
	movq 56(%rsi), %r10
	movq 64(%rsi), %r11
	movq 72(%rsi), %r12
	movq 80(%rsi), %r13
	movq 88(%rsi), %r14
	movq 96(%rsi), %r15
	movq 16(%rsi), %rsi
	xorl %ecx, %ecx
	stc
arch_probe_\name\()_pc:
	\access
arch_probe_\name\()_next:
	popq %rcx
	movq %rbx, 0(%rcx)
	movq %rdx, 8(%rcx)
	movq %rsi, 16(%rcx)
	movq %rdi, 24(%rcx)
	movq %rbp, 32(%rcx)
	movq %r8, 40(%rcx)
	movq %r9, 48(%rcx)
	movq %r10, 56(%rcx)
	movq %r11, 64(%rcx)
	movq %r12, 72(%rcx)
	movq %r13, 80(%rcx)
	movq %r14, 88(%rcx)
	movq %r15, 96(%rcx)
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret
	.size arch_probe_\name, . - arch_probe_\name
	.endm

	.section .text.probe, "ax", @progbits
	probe load, movq (%rax), %rcx
	probe store, movq %rcx, (%rax)
	.section .note.GNU-stack, "", @progbits
