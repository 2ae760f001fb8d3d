/*
 * arch_clone_thread(RDI flags, RSI stack_top, RDX tid, RCX thread_pointer).
 * The kernel takes (flags, stack, parent_tid, child_tid, tls) in RDI RSI RDX R10 R8.
 */
	.section .text.clone, "ax", @progbits
	.globl arch_clone_thread
	.type arch_clone_thread, @function
arch_clone_thread:
	movq %rdx, %r10
	movq %rcx, %r8
	movl $56, %eax
	syscall
	testq %rax, %rax
	jz 1f
	ret
1:	xorl %ebp, %ebp
	movq %r8, %rdi
	call thread_entry
	ud2
	.size arch_clone_thread, . - arch_clone_thread
	.section .note.GNU-stack, "", @progbits
