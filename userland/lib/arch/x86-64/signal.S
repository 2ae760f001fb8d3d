/* The signal trampoline: RSP points at the ucontext, where rt_sigreturn expects it. */
	.section .text.sigreturn, "ax", @progbits
	.globl arch_signal_return
	.type arch_signal_return, @function
arch_signal_return:
	movl $15, %eax
	syscall
	ud2
	.size arch_signal_return, . - arch_signal_return
	.section .note.GNU-stack, "", @progbits
