/* The signal trampoline: SP points at the frame's siginfo, where rt_sigreturn expects it. */
	.section .text.sigreturn, "ax", @progbits
	.globl arch_signal_return
	.type arch_signal_return, @function
arch_signal_return:
	mov x8, #139
	svc #0
	udf #0
	.size arch_signal_return, . - arch_signal_return
	.section .note.GNU-stack, "", @progbits
