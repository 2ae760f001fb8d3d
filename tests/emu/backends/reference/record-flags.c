/*
 * Records the status flags that an x86-64 processor computes: one line per operation and width with an FNV-1a hash
 * of the flags of many operands, for native-flags.test.ts. Width 8 takes all operands (the second is unused by
 * one-operand operations), the others a fixed pseudo-random sequence; undefined flags are masked out.
 *
 *     gcc -O1 -mno-red-zone -o record-flags record-flags.c && ./record-flags
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#define CF 0x1
#define AF 0x10
#define OF 0x800
#define ALL 0x8d5

static uint64_t hash;
static uint64_t seed;

static void add_to_hash(uint64_t flags)
{
	for (int i = 0; i < 2; i++, flags >>= 8)
		hash = (hash ^ (flags & 0xff)) * UINT64_C(0x100000001b3);
}

/* xorshift64, then thinned out so that edge values are frequent */
static uint64_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	switch (seed >> 61) {
	case 0: return 0;
	case 1: return ~UINT64_C(0);
	case 2: return UINT64_C(1) << (seed & 63);
	case 3: return (UINT64_C(1) << (seed & 63)) - 1;
	default: return seed;
	}
}

#define TWO(name, type)                                                        \
	static uint64_t name(type a, type b, int carry)                        \
	{                                                                      \
		uint64_t flags;                                                \
		asm volatile("btl $0, %3; " INSTRUCTION "; pushfq; popq %0"    \
			     : "=&r"(flags), "+r"(a)                           \
			     : "r"(b), "r"(carry)                              \
			     : "cc");                                          \
		return flags & ALL;                                            \
	}
#define SHIFT(name, type)                                                      \
	static uint64_t name(type a, type b, int count)                        \
	{                                                                      \
		uint64_t flags;                                                \
		asm volatile(INSTRUCTION "; pushfq; popq %0"                   \
			     : "=&r"(flags), "+r"(a)                           \
			     : "c"((uint8_t)count)                             \
			     : "cc");                                          \
		(void)b;                                                       \
		return flags & ALL;                                            \
	}
#define EVERY_WIDTH(KIND, name)                                                \
	KIND(name##8, uint8_t) KIND(name##16, uint16_t)                        \
	KIND(name##32, uint32_t) KIND(name##64, uint64_t)

#define INSTRUCTION "add %2, %1"
EVERY_WIDTH(TWO, add)
#undef INSTRUCTION
#define INSTRUCTION "sub %2, %1"
EVERY_WIDTH(TWO, sub)
#undef INSTRUCTION
#define INSTRUCTION "adc %2, %1"
EVERY_WIDTH(TWO, adc)
#undef INSTRUCTION
#define INSTRUCTION "sbb %2, %1"
EVERY_WIDTH(TWO, sbb)
#undef INSTRUCTION
#define INSTRUCTION "test %1, %1"
EVERY_WIDTH(TWO, logic)
#undef INSTRUCTION
#define INSTRUCTION "inc %1"
EVERY_WIDTH(TWO, inc)
#undef INSTRUCTION
#define INSTRUCTION "dec %1"
EVERY_WIDTH(TWO, dec)
#undef INSTRUCTION
#define INSTRUCTION "shl %%cl, %1"
EVERY_WIDTH(SHIFT, shl)
#undef INSTRUCTION
#define INSTRUCTION "shr %%cl, %1"
EVERY_WIDTH(SHIFT, shr)
#undef INSTRUCTION
#define INSTRUCTION "sar %%cl, %1"
EVERY_WIDTH(SHIFT, sar)

enum shape { BINARY, UNARY, LOGIC, SHIFTING, LEFT_OR_LOGICAL };
#define IS_SHIFT(shape) ((shape) >= SHIFTING)

static uint64_t defined(enum shape shape, int width, int count)
{
	uint64_t mask = ALL;
	if (shape == LOGIC || IS_SHIFT(shape))
		mask &= ~(uint64_t)AF;
	if (IS_SHIFT(shape) && count != 1)
		mask &= ~(uint64_t)OF;
	if (shape == LEFT_OR_LOGICAL && count >= width)
		mask &= ~(uint64_t)CF;
	return mask;
}

static int pairs(enum shape shape, int width)
{
	if (width == 8)
		return shape == BINARY ? 65536 : 256;
	return IS_SHIFT(shape) ? 512 : 4096;
}

#define RECORD(name, width, shape)                                             \
	do {                                                                   \
		hash = UINT64_C(0xcbf29ce484222325);                           \
		seed = UINT64_C(0x9e3779b97f4a7c15);                           \
		int counts = !IS_SHIFT(shape) ? 2 : width == 64 ? 64 : 32;     \
		for (int c = IS_SHIFT(shape); c < counts; c++)                 \
			for (int i = 0; i < pairs(shape, width); i++) {        \
				uint64_t a = width == 8 ? i & 255 : next();    \
				uint64_t b = width == 8 ? i >> 8 : next();     \
				add_to_hash(name##width(a, b, c) &             \
					    defined(shape, width, c));         \
			}                                                      \
		printf("%s\t%d\t%016" PRIx64 "\n", #name, width, hash);        \
	} while (0)
#define RECORD_WIDTHS(name, shape)                                             \
	do {                                                                   \
		RECORD(name, 8, shape);                                        \
		RECORD(name, 16, shape);                                       \
		RECORD(name, 32, shape);                                       \
		RECORD(name, 64, shape);                                       \
	} while (0)

int main(void)
{
	RECORD_WIDTHS(add, BINARY);
	RECORD_WIDTHS(sub, BINARY);
	RECORD_WIDTHS(adc, BINARY);
	RECORD_WIDTHS(sbb, BINARY);
	RECORD_WIDTHS(logic, LOGIC);
	RECORD_WIDTHS(inc, UNARY);
	RECORD_WIDTHS(dec, UNARY);
	RECORD_WIDTHS(shl, LEFT_OR_LOGICAL);
	RECORD_WIDTHS(shr, LEFT_OR_LOGICAL);
	RECORD_WIDTHS(sar, SHIFTING);
	return 0;
}
