/* Process entry (System V ABI, AMD64 supplement, "Process Initialization"): RSP points at argc. */
	.section .text.start, "ax", @progbits
	.globl _start
	.type _start, @function
_start:
	xorl %ebp, %ebp
	movq %rsp, %rdi
	andq $-16, %rsp
	call start
	ud2
	.size _start, . - _start
	.section .note.GNU-stack, "", @progbits
