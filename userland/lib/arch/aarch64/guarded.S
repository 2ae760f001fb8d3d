/*
 * Accesses that may take SIGSEGV. Each function is a leaf with an untouched stack, so one fixup
 * serves all: it returns 1 to the caller.
 */
	.section .text.guarded, "ax", @progbits
	.globl arch_try_load, arch_try_store, arch_try_add, arch_guarded_fixup
	.type arch_try_load, @function
arch_try_load:
.Lload:	ldr x2, [x0]
	str x2, [x1]
	mov w0, #0
	ret
	.size arch_try_load, . - arch_try_load

	.type arch_try_store, @function
arch_try_store:
.Lstore: str x1, [x0]
	mov w0, #0
	ret
	.size arch_try_store, . - arch_try_store

	.type arch_try_add, @function
arch_try_add:
.Ladd_load: ldaxr x2, [x0]
	add x2, x2, x1
.Ladd_store: stlxr w3, x2, [x0]
	cbnz w3, .Ladd_load
	mov w0, #0
	ret
	.size arch_try_add, . - arch_try_add

	.type arch_guarded_fixup, @function
arch_guarded_fixup:
	mov w0, #1
	ret
	.size arch_guarded_fixup, . - arch_guarded_fixup

	.section .rodata.guarded, "a", @progbits
	.globl arch_guarded_pcs, arch_guarded_pcs_end
	.balign 8
arch_guarded_pcs:
	.quad .Lload, .Lstore, .Ladd_load, .Ladd_store
arch_guarded_pcs_end:
	.section .note.GNU-stack, "", @progbits
