/* Leaf functions whose first fault is the point: see arch.h. */
	.section .text.traps, "ax", @progbits
	.globl arch_illegal, arch_illegal_pc, arch_divide, arch_divide_pc
	.type arch_illegal, @function
arch_illegal:
arch_illegal_pc:
	ud2
	.size arch_illegal, . - arch_illegal

	.type arch_divide, @function
arch_divide:
	movl $1, %eax
	xorl %edx, %edx
	xorl %ecx, %ecx
arch_divide_pc:
	idivl %ecx
	ret
	.size arch_divide, . - arch_divide
	.section .note.GNU-stack, "", @progbits
