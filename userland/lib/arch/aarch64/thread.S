/*
 * arch_clone_thread(X0 flags, X1 stack_top, X2 tid, X3 thread_pointer).
 * The kernel takes (flags, stack, parent_tid, tls, child_tid) in X0 … X4, and keeps every register but X0.
 */
	.section .text.clone, "ax", @progbits
	.globl arch_clone_thread
	.type arch_clone_thread, @function
arch_clone_thread:
	mov x4, x2
	mov x8, #220
	svc #0
	cbz x0, 1f
	ret
1:	mov x29, #0
	mov x30, #0
	mov x0, x3
	bl thread_entry
	udf #0
	.size arch_clone_thread, . - arch_clone_thread
	.section .note.GNU-stack, "", @progbits
