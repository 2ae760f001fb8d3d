/* What a signal frame says about a fault and about the registers. */
#include "arch.h"

/* SDM vol. 3, 4.7 "Page-Fault Exceptions". */
#define PF_PRESENT 1
#define PF_WRITE 2
#define PF_USER 4
#define PF_FETCH 16
#define PF_PKEY 32

#define VECTOR_GP 13
#define VECTOR_PF 14

/* RFLAGS, SDM vol. 1, 3.4.3; RF is set in the image that a fault pushes (vol. 3, 17.3.1.1). */
#define FLAG_CF 0x1
#define FLAG_PF 0x4
#define FLAG_ZF 0x40
#define FLAG_SF 0x80
#define FLAG_TF 0x100
#define FLAG_IF 0x200
#define FLAG_DF 0x400
#define FLAG_OF 0x800
#define FLAG_RF 0x10000

#define USER_CS 0x33
#define USER_SS 0x2b

const char *arch_check_fault(const struct ucontext *uc, uintptr_t address, enum arch_access access,
			     enum arch_mapping mapping)
{
	const struct arch_context *context = &uc->context;
	if (context->cs != USER_CS || context->ss != USER_SS)
		return "CS or SS is not the user's";
	if ((context->eflags & (FLAG_IF | FLAG_TF | FLAG_DF)) != FLAG_IF)
		return "RFLAGS has not IF alone of IF, TF and DF";
	if (!(context->eflags & FLAG_RF))
		return "RFLAGS.RF is clear in a fault's frame";
	if (mapping == ARCH_MAPPING_NONCANONICAL) {
		if (context->trap_number != VECTOR_GP)
			return "trapno is not 13 (#GP)";
		return context->error_code == 0 ? 0 : "the error code of #GP is not 0";
	}
	if (context->trap_number != VECTOR_PF)
		return "trapno is not 14 (#PF)";
	if (context->cr2 != address)
		return "cr2 is not the address of the access";
	uint64_t expected = PF_USER;
	expected |= access == ARCH_ACCESS_STORE ? PF_WRITE : access == ARCH_ACCESS_FETCH ? PF_FETCH : 0;
	expected |= mapping == ARCH_MAPPING_PRESENT || mapping == ARCH_MAPPING_KERNEL ? PF_PRESENT : 0;
	return context->error_code == expected ? 0 : "the #PF error code does not describe the access";
}

const char *arch_check_probe_flags(const struct ucontext *uc)
{
	uint64_t flags = uc->context.eflags & (FLAG_CF | FLAG_PF | FLAG_ZF | FLAG_SF | FLAG_OF);
	return flags == (FLAG_CF | FLAG_PF | FLAG_ZF) ? 0 : "the arithmetic flags are not those at the access";
}

void arch_context_return(struct ucontext *uc)
{
	uc->context.rip = *(uint64_t *)uc->context.rsp;
	uc->context.rsp += 8;
}

uint64_t *arch_context_register(struct ucontext *uc, unsigned index)
{
	struct arch_context *c = &uc->context;
	uint64_t *const slots[ARCH_PROBE_REGISTERS] = {
		&c->rbx, &c->rdx, &c->rsi, &c->rdi, &c->rbp, &c->r8,  &c->r9,
		&c->r10, &c->r11, &c->r12, &c->r13, &c->r14, &c->r15,
	};
	return slots[index];
}

const char *arch_register_name(unsigned index)
{
	static const char names[ARCH_PROBE_REGISTERS][4] = {
		"rbx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	};
	return names[index];
}
