/*
 * arch_probe_load / arch_probe_store (X0 address, X1 in, X2 out): see arch.h.
 * X16 holds the address and X17 the datum; all other registers but SP carry the pattern, in the order of
 * the slots of arch_context_register(). Flags at the access: Z and C set, N and V clear.
 */
	.macro probe name, access:vararg
	.globl arch_probe_\name, arch_probe_\name\()_pc, arch_probe_\name\()_next
	.type arch_probe_\name, @function
arch_probe_\name:
	stp x29, x30, [sp, #-112]!
	stp x19, x20, [sp, #16]
	stp x21, x22, [sp, #32]
	stp x23, x24, [sp, #48]
	stp x25, x26, [sp, #64]
	stp x27, x28, [sp, #80]
	str x2, [sp, #96]
	mov x16, x0
	mov x17, x1
	ldp x0, x1, [x17, #0]
	ldp x2, x3, [x17, #16]
	ldp x4, x5, [x17, #32]
	ldp x6, x7, [x17, #48]
	ldp x8, x9, [x17, #64]
	ldp x10, x11, [x17, #80]
	ldp x12, x13, [x17, #96]
	ldp x14, x15, [x17, #112]
	ldp x18, x19, [x17, #128]
	ldp x20, x21, [x17, #144]
	ldp x22, x23, [x17, #160]
	ldp x24, x25, [x17, #176]
	ldp x26, x27, [x17, #192]
	ldp x28, x29, [x17, #208]
	ldr x30, [x17, #224]
	mov x17, #0
	cmp xzr, xzr
arch_probe_\name\()_pc:
	\access
arch_probe_\name\()_next:
	ldr x16, [sp, #96]
	stp x0, x1, [x16, #0]
	stp x2, x3, [x16, #16]
	stp x4, x5, [x16, #32]
	stp x6, x7, [x16, #48]
	stp x8, x9, [x16, #64]
	stp x10, x11, [x16, #80]
	stp x12, x13, [x16, #96]
	stp x14, x15, [x16, #112]
	stp x18, x19, [x16, #128]
	stp x20, x21, [x16, #144]
	stp x22, x23, [x16, #160]
	stp x24, x25, [x16, #176]
	stp x26, x27, [x16, #192]
	stp x28, x29, [x16, #208]
	str x30, [x16, #224]
	ldp x19, x20, [sp, #16]
	ldp x21, x22, [sp, #32]
	ldp x23, x24, [sp, #48]
	ldp x25, x26, [sp, #64]
	ldp x27, x28, [sp, #80]
	ldp x29, x30, [sp], #112
	ret
	.size arch_probe_\name, . - arch_probe_\name
	.endm

	.section .text.probe, "ax", @progbits
	probe load, ldr x17, [x16]
	probe store, str x17, [x16]
	.section .note.GNU-stack, "", @progbits
