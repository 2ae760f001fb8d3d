/*
 * arch_scenario_clone(X0 flags, X1 stack, X2 run, X3 argument, X4 child_tid). The kernel takes (flags, stack, parent_tid,
 * tls, child_tid) and keeps all registers but X0, in the child too.
 */
	.section .text.scenario, "ax", @progbits
	.globl arch_scenario_clone, scenario_thread
	.type arch_scenario_clone, @function
	.type scenario_thread, @function
arch_scenario_clone:
	mov x9, x2
	mov x10, x3
	mov x2, #0
	mov x3, #0
	mov x8, #220
	svc #0
	.size arch_scenario_clone, . - arch_scenario_clone
scenario_thread:
	cbz x0, 1f
	ret
1:	mov x0, x10
	adr x30, 2f
	br x9
2:	ldp x9, x30, [sp]
	br x9
	.size scenario_thread, . - scenario_thread
	.section .note.GNU-stack, "", @progbits
