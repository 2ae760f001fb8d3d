/*
 * Accesses that may take SIGSEGV. Each function is a leaf with an untouched stack, so one fixup
 * serves all: it returns 1 to the caller.
 */
	.section .text.guarded, "ax", @progbits
	.globl arch_try_load, arch_try_store, arch_try_add, arch_guarded_fixup
	.type arch_try_load, @function
arch_try_load:
.Lload:	movq (%rdi), %rax
	movq %rax, (%rsi)
	xorl %eax, %eax
	ret
	.size arch_try_load, . - arch_try_load

	.type arch_try_store, @function
arch_try_store:
.Lstore: movq %rsi, (%rdi)
	xorl %eax, %eax
	ret
	.size arch_try_store, . - arch_try_store

	.type arch_try_add, @function
arch_try_add:
.Ladd:	lock addq %rsi, (%rdi)
	xorl %eax, %eax
	ret
	.size arch_try_add, . - arch_try_add

	.type arch_guarded_fixup, @function
arch_guarded_fixup:
	movl $1, %eax
	ret
	.size arch_guarded_fixup, . - arch_guarded_fixup

	.section .rodata.guarded, "a", @progbits
	.globl arch_guarded_pcs, arch_guarded_pcs_end
	.balign 8
arch_guarded_pcs:
	.quad .Lload, .Lstore, .Ladd
arch_guarded_pcs_end:
	.section .note.GNU-stack, "", @progbits
