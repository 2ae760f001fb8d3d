/* What a signal frame says about a fault and about the registers. */
#include "arch.h"

/* ESR_ELx, Arm ARM D17.2.37: EC in bits 31:26, IL in bit 25; of data aborts WnR in bit 6; the fault status code. */
#define EC_INSTRUCTION_ABORT (0x20UL << 26)
#define EC_DATA_ABORT (0x24UL << 26)
#define EC_MASK (0x3fUL << 26)
#define ESR_IL (1UL << 25)
#define ESR_WNR (1UL << 6)
#define FSC_TRANSLATION 0x04UL /* plus the level */
#define FSC_PERMISSION_3 0x0fUL
#define FSC_LEVEL 3UL

/* PSTATE as SPSR_ELx has it: the flags; SS, IL, DAIF and the mode, of which EL0 in AArch64 state is 0. */
#define PSTATE_FLAGS 0xf0000000UL
#define PSTATE_Z 0x40000000UL
#define PSTATE_C 0x20000000UL
#define PSTATE_STATE 0x003003dfUL

#define ESR_MAGIC 0x45535201

/* A record of the frame's reserved area (asm/sigcontext.h); the list ends with magic 0. */
struct record {
	uint32_t magic, size;
};

/* The syndrome of the last fault, or 0 if the frame holds none; 0 is no syndrome of a fault. */
static uint64_t syndrome(const struct ucontext *uc)
{
	const uint8_t *reserved = uc->context.reserved;
	for (size_t at = 0; at + sizeof(struct record) <= sizeof uc->context.reserved;) {
		const struct record *record = (const void *)(reserved + at);
		if (record->magic == ESR_MAGIC)
			return *(const uint64_t *)(record + 1);
		if (record->magic == 0 || record->size == 0)
			break;
		at += record->size;
	}
	return 0;
}

int arch_context_is_write(const struct ucontext *uc)
{
	uint64_t esr = syndrome(uc);
	return (esr & EC_MASK) == EC_DATA_ABORT && (esr & ESR_WNR) != 0;
}

const char *arch_check_fault(const struct ucontext *uc, uintptr_t address, enum arch_access access,
			     enum arch_mapping mapping)
{
	uint64_t esr = syndrome(uc);
	uint64_t expected = access == ARCH_ACCESS_FETCH ? EC_INSTRUCTION_ABORT : EC_DATA_ABORT;
	expected |= ESR_IL | (access == ARCH_ACCESS_STORE ? ESR_WNR : 0);
	if (uc->context.pstate & PSTATE_STATE)
		return "PSTATE is not that of EL0 with nothing masked";
	if (uc->context.fault_address != address)
		return "fault_address is not the address of the access";
	if (esr == 0)
		return "the frame has no syndrome";
	switch (mapping) {
	case ARCH_MAPPING_PRESENT:
		expected |= FSC_PERMISSION_3;
		break;
	case ARCH_MAPPING_NONE: /* the level says how far the tables reach */
		expected |= FSC_TRANSLATION | (esr & FSC_LEVEL);
		break;
	case ARCH_MAPPING_KERNEL: /* Linux says level 0, whatever it was */
		expected |= FSC_TRANSLATION;
		break;
	case ARCH_MAPPING_NONCANONICAL:
		return "no access of this kind here";
	}
	return esr == expected ? 0 : "ESR does not describe the access";
}

const char *arch_check_probe_flags(const struct ucontext *uc)
{
	return (uc->context.pstate & PSTATE_FLAGS) == (PSTATE_Z | PSTATE_C) ? 0 : "NZCV is not that at the access";
}

void arch_context_return(struct ucontext *uc)
{
	uc->context.pc = uc->context.x[30];
}

/* Probe register 0 … 15 is X0 … X15, 16 … 28 is X18 … X30. */
static unsigned number_of(unsigned index)
{
	return index < 16 ? index : index + 2;
}

uint64_t *arch_context_register(struct ucontext *uc, unsigned index)
{
	return &uc->context.x[number_of(index)];
}

const char *arch_register_name(unsigned index)
{
	static const char names[31][4] = {
		"x0",  "x1",  "x2",  "x3",  "x4",  "x5",  "x6",  "x7",  "x8",  "x9",  "x10",
		"x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21",
		"x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "x30",
	};
	return names[number_of(index)];
}
