/* Leaf functions whose first fault is the point: see arch.h. */
	.section .text.traps, "ax", @progbits
	.globl arch_illegal, arch_illegal_pc
	.type arch_illegal, @function
arch_illegal:
arch_illegal_pc:
	udf #0
	.size arch_illegal, . - arch_illegal
	.section .note.GNU-stack, "", @progbits
