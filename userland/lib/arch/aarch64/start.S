/* Process entry (Linux arm64: argc at SP, X29 and X30 zero). */
	.section .text.start, "ax", @progbits
	.globl _start
	.type _start, @function
_start:
	mov x29, #0
	mov x30, #0
	mov x0, sp
	bl start
	udf #0
	.size _start, . - _start
	.section .note.GNU-stack, "", @progbits
