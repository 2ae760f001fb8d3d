/*
 * arch_scenario_clone(RDI flags, RSI stack, RDX run, RCX argument, R8 child_tid). The kernel keeps all registers but RAX, RCX
 * and R11, in the child too. R8 is then the thread pointer, for CLONE_SETTLS only.
 */
	.section .text.scenario, "ax", @progbits
	.globl arch_scenario_clone, scenario_thread
	.type arch_scenario_clone, @function
	.type scenario_thread, @function
arch_scenario_clone:
	movq %rdx, %r9
	movq %r8, %r10
	movq %rcx, %r8
	xorl %edx, %edx
	movl $56, %eax
	syscall
	.size arch_scenario_clone, . - arch_scenario_clone
scenario_thread:
	testq %rax, %rax
	jz 1f
	ret
1:	movq %r8, %rdi
	jmp *%r9
	.size scenario_thread, . - scenario_thread
	.section .note.GNU-stack, "", @progbits
