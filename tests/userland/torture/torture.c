/*
 * Integer C of many kinds, as a freestanding program that prints a checksum per section. The output depends neither on
 * the compiler, its options, the instruction set nor the machine: one file of expected lines judges every build. Nothing
 * here may be undefined, implementation-defined beyond GCC's documented choices, or floating-point.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef unsigned __int128 u128;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
typedef __int128 s128;

#define NOINLINE __attribute__((noinline))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The system. */

#if defined(__aarch64__)
static long call3(long number, long a, long b, long c)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return x0;
}
#define CALL_WRITE 64
#define CALL_EXIT 94
__asm__(".globl _start\n_start: mov x29, #0\n mov x30, #0\n b run\n");
#elif defined(__x86_64__)
static long call3(long number, long a, long b, long c)
{
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}
#define CALL_WRITE 1
#define CALL_EXIT 231
__asm__(".globl _start\n_start: xor %ebp, %ebp\n and $-16, %rsp\n call run\n");
#endif

/* What compilers may call. */

void *memcpy(void *to, const void *from, size_t n)
{
	u8 *t = to;
	const u8 *f = from;
	while (n--)
		*t++ = *f++;
	return to;
}

void *memset(void *to, int value, size_t n)
{
	u8 *t = to;
	while (n--)
		*t++ = (u8)value;
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	u8 *t = to;
	const u8 *f = from;
	if (t < f)
		while (n--)
			*t++ = *f++;
	else
		while (n--)
			t[n] = f[n];
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;
	for (; n--; x++, y++)
		if (*x != *y)
			return *x < *y ? -1 : 1;
	return 0;
}

/* libgcc has these too, where they may use vector registers. */
int __popcountdi2(u64 value)
{
	int count = 0;
	for (; value; value &= value - 1)
		count++;
	return count;
}

u128 __udivmodti4(u128 a, u128 b, u128 *rest)
{
	u128 quotient = 0, r = 0;
	for (int bit = 127; bit >= 0; bit--) {
		int carry = (int)(r >> 127);
		r = r << 1 | (a >> bit & 1);
		if (carry || r >= b) {
			r -= b;
			quotient |= (u128)1 << bit;
		}
	}
	if (rest)
		*rest = r;
	return quotient;
}

u128 __udivti3(u128 a, u128 b)
{
	return __udivmodti4(a, b, NULL);
}

u128 __umodti3(u128 a, u128 b)
{
	u128 rest;
	__udivmodti4(a, b, &rest);
	return rest;
}

s128 __divmodti4(s128 a, s128 b, s128 *rest)
{
	u128 r, quotient = __udivmodti4(a < 0 ? -(u128)a : (u128)a, b < 0 ? -(u128)b : (u128)b, &r);
	*rest = (s128)(a < 0 ? -r : r);
	return (s128)((a < 0) != (b < 0) ? -quotient : quotient);
}

s128 __divti3(s128 a, s128 b)
{
	s128 rest;
	return __divmodti4(a, b, &rest);
}

s128 __modti3(s128 a, s128 b)
{
	s128 rest;
	__divmodti4(a, b, &rest);
	return rest;
}

void abort(void)
{
	call3(CALL_EXIT, 99, 0, 0);
	__builtin_unreachable();
}

/* Checksums. */

static u64 hash;

static NOINLINE void mix(u64 value)
{
	hash = (hash ^ value) * 0x100000001b3;
	hash ^= hash >> 29;
}

static void mix128(u128 value)
{
	mix((u64)value);
	mix((u64)(value >> 64));
}

static void report(const char *name)
{
	char line[64];
	int length = 0;
	while (name[length]) {
		line[length] = name[length];
		length++;
	}
	line[length++] = ' ';
	for (int shift = 60; shift >= 0; shift -= 4)
		line[length++] = "0123456789abcdef"[hash >> shift & 15];
	line[length++] = '\n';
	call3(CALL_WRITE, 1, (long)line, length);
	hash = 0xcbf29ce484222325;
}

static u64 state = 88172645463325252;

static u64 random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static const u64 EDGES[] = {
	0, 1, 2, 3, 7, 8, 31, 32, 63, 64, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
	0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000, 0x8000000000000001, 0xffffffffffffff80,
	0xffffffffffff8000, 0xffffffff80000000, 0xfffffffffffffffe, 0xffffffffffffffff, 0x123456789abcdef0,
	0x5555555555555555, 0xcccccccccccccccc,
};
#define NEDGES ((int)COUNT(EDGES))

/* Arithmetic of every width and signedness. */

#define SIGNED_OPS(T, U, N, MIN) \
	static NOINLINE void arithmetic_##N(T a, T b) \
	{ \
		mix((u64)(T)((U)a + (U)b)); \
		mix((u64)(T)((U)a - (U)b)); \
		mix((u64)(T)((u64)(U)a * (u64)(U)b)); \
		mix((u64)(T)(-(u64)(U)a)); \
		mix((u64)(a < b) | (u64)(a <= b) << 1 | (u64)(a == b) << 2 | (u64)((U)a < (U)b) << 3 | (u64)(a > 0) << 4); \
		mix((u64)(T)(a & b)); mix((u64)(T)(a | b)); mix((u64)(T)(a ^ b)); mix((u64)(T)(a & ~b)); mix((u64)(T)(a | ~b)); \
		mix((u64)(T)(a ^ ~b)); mix((u64)(T)~a); \
		int n = (int)b & (int)(sizeof(T) * 8 - 1); \
		mix((u64)(T)((U)a << n)); mix((u64)(T)(a >> n)); mix((u64)((U)a >> n)); \
		mix((U)((U)a >> n | (U)a << (-n & (int)(sizeof(T) * 8 - 1)))); \
		if (b && !(a == (T)(MIN) && b == -1)) { \
			mix((u64)(T)(a / b)); mix((u64)(T)(a % b)); \
		} \
		if (b) { \
			mix((U)((U)a / (U)b)); mix((U)((U)a % (U)b)); \
		} \
		mix((u64)(T)(a / 3)); mix((u64)(T)(a % 7)); mix((u64)(T)(a / -8)); mix((U)((U)a / 10u)); mix((U)((U)a % 100u)); \
		T sum, difference, product; U usum, udifference, uproduct; \
		int o = __builtin_add_overflow(a, b, &sum) | __builtin_sub_overflow(a, b, &difference) << 1 | \
			__builtin_mul_overflow(a, b, &product) << 2 | __builtin_add_overflow((U)a, (U)b, &usum) << 3 | \
			__builtin_sub_overflow((U)a, (U)b, &udifference) << 4 | __builtin_mul_overflow((U)a, (U)b, &uproduct) << 5; \
		mix((u64)o); mix((u64)sum); mix((u64)difference); mix((u64)product); mix(usum); mix(udifference); mix(uproduct); \
		mix((u64)(T)(a < b ? (U)a + 1u : (U)b)); mix((u64)(T)(a > b ? (U)-(u64)(U)a : (U)b)); mix((u64)(T)(a == b ? ~a : b)); \
		mix((u64)(T)((U)a + ((U)b << 3))); mix((u64)(T)((U)a - ((U)b >> 2))); mix((u64)(T)((U)a + (U)(b >> 1))); \
		mix((u64)(a < b && b < 100 ? 1 : a == 5 || b == 7 ? 2 : a > -10 && a < 10 && b != 3 ? 3 : 4)); \
		T larger = a > b ? a : b, smaller = a < b ? a : b; \
		mix((u64)larger); mix((u64)smaller); mix((u64)(a < 0 ? (U)0 - (U)a : (U)a)); \
	}

SIGNED_OPS(s8, u8, 8, -0x7f - 1)
SIGNED_OPS(s16, u16, 16, -0x7fff - 1)
SIGNED_OPS(s32, u32, 32, -0x7fffffff - 1)
SIGNED_OPS(s64, u64, 64, -0x7fffffffffffffff - 1)

static void arithmetic(void)
{
	for (int i = 0; i < NEDGES; i++)
		for (int j = i & 1; j < NEDGES; j += 2) {
			arithmetic_8((s8)EDGES[i], (s8)EDGES[j]);
			arithmetic_16((s16)EDGES[i], (s16)EDGES[j]);
			arithmetic_32((s32)EDGES[i], (s32)EDGES[j]);
			arithmetic_64((s64)EDGES[i], (s64)EDGES[j]);
		}
	for (int i = 0; i < 200; i++) {
		u64 a = random64(), b = random64();
		a >>= random64() & 63;
		b >>= random64() & 63;
		arithmetic_8((s8)a, (s8)b);
		arithmetic_16((s16)a, (s16)b);
		arithmetic_32((s32)a, (s32)b);
		arithmetic_64((s64)a, (s64)b);
	}
}

/* Mixed widths: extended registers, multiply-add of halves. */

static NOINLINE u64 widen(u64 base, s8 a, u8 b, s16 c, u16 d, s32 e, u32 f)
{
	u64 r = base + (u64)a + b;
	r += (u64)((s64)c << 2);
	r -= (u64)d << 3;
	r ^= base + ((u64)(s64)e << 1);
	r += (u64)f << 4;
	r += (u64)((s64)e * (s64)c) + (u64)f * d;
	r -= (u64)((s64)e * e);
	r += (u64)f * f;
	return r - (u64)((s64)a * e) + (base - (u64)f * b);
}

static void widths(void)
{
	for (int i = 0; i < NEDGES; i++)
		for (int j = 0; j < NEDGES; j++) {
			u64 a = EDGES[i], b = EDGES[j];
			mix(widen(a, (s8)b, (u8)a, (s16)b, (u16)a, (s32)b, (u32)a));
			mix((u64)(s64)(s8)(a >> 3) ^ (u64)(u16)(b >> 5) ^ (u64)(s64)(s32)(a + b));
			mix((u64)(((s128)(s64)a * (s64)b) >> 64));
			mix((u64)(((u128)a * b) >> 64));
			mix((a >> 13 & 0x1ff) << 7 | (b & 0xfff) << 20);
			mix((a << 11 | b >> 53) ^ (a >> 40 & 1 ? b : ~b));
			mix((u64)((s64)(a << 20) >> 41));
			mix((a & 0xff00ff00ff00ff00) + (b | 0x7ffffffff) - (a ^ 0xfffffffffffffff0));
		}
}

/* 128 bits. */

static NOINLINE void wide(u128 a, u128 b)
{
	mix128(a + b);
	mix128(a - b);
	mix128(a * b);
	mix128(-a);
	mix128(~a & b);
	int n = (int)(b & 127);
	mix128(a << n);
	mix128(a >> n);
	mix128((u128)((s128)a >> n));
	mix128(a << n | a >> (-n & 127));
	mix((u64)(a < b) | (u64)((s128)a < (s128)b) << 1 | (u64)(a == b) << 2 | (u64)(a >= b) << 3);
	if (b) {
		mix128(a / b);
		mix128(a % b);
		if (!((s128)b == -1)) {
			mix128((u128)((s128)a / (s128)b));
			mix128((u128)((s128)a % (s128)b));
		}
	}
	s128 sum;
	u128 product;
	mix((u64)__builtin_add_overflow((s128)a, (s128)b, &sum));
	mix((u64)__builtin_mul_overflow((u128)(u64)a, (u128)(u64)b, &product));
	mix128((u128)sum);
	mix128(product);
	mix128(a > b ? a + 1 : b - 1);
}

static void wides(void)
{
	for (int i = 0; i < NEDGES; i += 2)
		for (int j = 1; j < NEDGES; j += 2) {
			wide((u128)EDGES[i] << 64 | EDGES[j], (u128)EDGES[j] << (i & 63) | EDGES[i]);
			wide(EDGES[i], EDGES[j]);
		}
	for (int i = 0; i < 100; i++) {
		u128 a = (u128)random64() << 64;
		a |= random64();
		u128 b = (u128)random64() << 64;
		b |= random64();
		a >>= random64() & 127;
		b >>= random64() & 127;
		wide(a, b);
	}
}

/* Bit counting and byte order. */

static u32 crc32_soft(u32 crc, u64 data, int bytes, u32 polynomial)
{
	for (int i = 0; i < bytes; i++) {
		crc ^= (u8)(data >> (i * 8));
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ polynomial : crc >> 1;
	}
	return crc;
}

#if defined(__ARM_FEATURE_CRC32)
#define CRC(INSTRUCTION, R) __asm__(INSTRUCTION " %w0, %w1, %" R "2" : "=r"(out) : "r"(crc), "r"(data))
static NOINLINE u32 crc32_any(u32 crc, u64 data, int bytes, int castagnoli)
{
	u32 out = 0;
	switch (bytes << 1 | castagnoli) {
	case 2: CRC("crc32b", "w"); break;
	case 3: CRC("crc32cb", "w"); break;
	case 4: CRC("crc32h", "w"); break;
	case 5: CRC("crc32ch", "w"); break;
	case 8: CRC("crc32w", "w"); break;
	case 9: CRC("crc32cw", "w"); break;
	case 16: CRC("crc32x", "x"); break;
	case 17: CRC("crc32cx", "x"); break;
	}
	return out;
}
#else
static NOINLINE u32 crc32_any(u32 crc, u64 data, int bytes, int castagnoli)
{
	return crc32_soft(crc, data, bytes, castagnoli ? 0x82f63b78 : 0xedb88320);
}
#endif

static void bits(void)
{
	for (int i = 0; i < NEDGES + 300; i++) {
		u64 v = i < NEDGES ? EDGES[i] : random64();
		if (i > NEDGES)
			v >>= random64() & 63;
		u32 w = (u32)v;
		if (v)
			mix((u64)__builtin_clzll(v) | (u64)__builtin_ctzll(v) << 8);
		if (w)
			mix((u64)__builtin_clz(w) | (u64)__builtin_ctz(w) << 8);
		mix((u64)__builtin_popcountll(v) | (u64)__builtin_parityll(v) << 8 | (u64)__builtin_ffsll((s64)v) << 16);
		mix((u64)__builtin_popcount(w) | (u64)__builtin_parity(w) << 8 | (u64)__builtin_ffs((s32)w) << 16);
		mix((u64)__builtin_clrsbll((s64)v) | (u64)__builtin_clrsb((s32)w) << 8);
		mix(__builtin_bswap64(v));
		mix(__builtin_bswap32(w));
		mix(__builtin_bswap16((u16)v));
		u64 reversed = 0;
		for (int bit = 0; bit < 64; bit++)
			reversed |= (v >> bit & 1) << (63 - bit);
		mix(reversed);
		mix((v & 0x00ff00ff00ff00ff) << 8 | (v >> 8 & 0x00ff00ff00ff00ff));
		for (int bytes = 1; bytes <= 8; bytes *= 2)
			mix(crc32_any(w, v * 3, bytes, 0) | (u64)crc32_any(~w, v, bytes, 1) << 32);
	}
}

/* Bit fields. */

struct fields {
	u32 a : 3, b : 7, c : 22;
	s64 d : 40;
	s32 e : 5, f : 1;
	u64 g : 63, h : 1;
	u8 i : 2;
	s16 j : 9;
};

static NOINLINE void set_fields(struct fields *p, u64 v)
{
	p->a = (u32)v & 7;
	p->b = (u32)(v >> 5) & 127;
	p->c ^= (u32)v & 0x3fffff;
	p->d = (s64)(v << 24) >> 24;
	p->e = (s32)((u32)v << 27) >> 27;
	p->f = (s32)((u32)v << 31) >> 31;
	p->g += v & 0xffff;
	p->h ^= 1;
	p->i++;
	p->j = (s16)((s32)((u32)v << 23) >> 23);
}

static void bitfields(void)
{
	struct fields all[4];
	memset(all, 0, sizeof all);
	for (int i = 0; i < 200; i++) {
		struct fields *p = &all[i & 3];
		set_fields(p, i < NEDGES ? EDGES[i] : random64());
		mix(p->a + p->b * (u64)p->c);
		mix((u64)p->d);
		mix((u64)(s64)p->e ^ (u64)(s64)p->f << 8);
		mix(p->g ^ (u64)p->h << 63);
		mix(p->i + (u64)(s64)p->j);
	}
}

/* Jump tables, chains of conditions, computed goto. */

static NOINLINE s64 dense(int x, s64 y)
{
	switch (x) {
	case 0: return y + 12; case 1: return y * 7; case 2: return 99 - y; case 3: return -1; case 4: return y >> 5;
	case 5: return 1000000; case 6: return y & 3; case 7: y = 8; /* fall through */
	case 8: y += 9; /* fall through */
	case 9: return y ^ 9; case 10: return ~y; case 11: return y | 11; case 12: return y << 3; case 15: return 15;
	default: return x * 3;
	}
}

static NOINLINE int sparse(u64 x)
{
	switch (x) {
	case 1: return 1; case 100: return 2; case 10000: return 3; case 0x7fffffff: return 4; case 0x80000000: return 5;
	case 0x123456789abcdef0: return 6; case 0xffffffffffffffff: return 7; case 0x100000000: return 8; case 0xfff000: return 9;
	default: return 0;
	}
}

static NOINLINE u64 interpret(const u8 *code, u64 a, u64 b)
{
	static const void *const TABLE[] = { &&add, &&sub, &&mul, &&swap, &&shift, &&dup, &&jump, &&end };
	u64 left = 500;
	const u8 *start = code;
	goto *TABLE[*code++ & 7];
add: a += b; goto next;
sub: a -= b * 3; goto next;
mul: a *= b | 1; goto next;
swap: { u64 t = a; a = b; b = t; } goto next;
shift: a = a << (b & 31) | a >> 33; goto next;
dup: b = a ^ 0x55; goto next;
jump: if (a & 4) code = start + (b & 7); goto next;
next:
	if (!--left)
		return a ^ b;
	goto *TABLE[*code++ & 7];
end:
	return a + b;
}

static NOINLINE int chain(s64 a, s64 b, u32 c, int d)
{
	if (a > b && c < 100 && d != 3)
		return 1;
	if ((a == b || c == 7) && d <= 4)
		return 2;
	if (a < 0 && b >= 0 && (u64)a > 1000 && d > -5 && c)
		return 3;
	return a + 1 > b ? d == 0 ? 4 : -d : (int)c;
}

static void branches(void)
{
	for (int x = -3; x < 20; x++)
		for (int i = 0; i < NEDGES; i++)
			mix((u64)dense(x, (s32)EDGES[i]));
	for (int i = 0; i < NEDGES; i++)
		mix((u64)sparse(EDGES[i]) + (u64)sparse(EDGES[i] * 100) * 16);
	u8 code[600];
	for (int run = 0; run < 40; run++) {
		for (int i = 0; i < 599; i++)
			code[i] = (u8)(random64() % 7);
		code[599] = 7;
		u64 a = random64(), b = random64();
		mix(interpret(code, a, b));
	}
	for (int i = 0; i < NEDGES; i++)
		for (int j = 0; j < NEDGES; j++)
			mix((u64)chain((s32)EDGES[i], (s32)EDGES[j], (u32)EDGES[i] & 127, (int)(EDGES[j] & 15) - 7));
}

/* Atomics of every size, operation and order. */

#define ATOMIC_ORDER(T, N, ORDER, LOAD, STORE) \
	mix((u64)__atomic_fetch_add(p, v, ORDER)); mix((u64)__atomic_fetch_sub(p, (T)(v >> 1), ORDER)); \
	mix((u64)__atomic_fetch_and(p, (T)(v | 0x3c), ORDER)); mix((u64)__atomic_fetch_or(p, (T)(v >> 2), ORDER)); \
	mix((u64)__atomic_fetch_xor(p, v, ORDER)); mix((u64)__atomic_fetch_nand(p, (T)~v, ORDER)); \
	mix((u64)__atomic_add_fetch(p, v, ORDER)); mix((u64)__atomic_and_fetch(p, (T)(v | 0xf0), ORDER)); \
	mix((u64)__atomic_exchange_n(p, (T)(v + 1), ORDER)); \
	mix((u64)__atomic_load_n(p, LOAD)); \
	__atomic_store_n(p, (T)(v * 5), STORE); \
	expected = v; \
	mix((u64)__atomic_compare_exchange_n(p, &expected, (T)3, 0, ORDER, LOAD)); mix((u64)expected); \
	mix((u64)__atomic_compare_exchange_n(p, &expected, (T)(v + 7), 0, ORDER, LOAD)); mix((u64)expected); \
	(void)__atomic_fetch_add(p, v, ORDER); (void)__atomic_fetch_or(p, (T)1, ORDER); \
	mix((u64)*p); mix(guard[0] | (u64)guard[2] << 1);

#define ATOMIC(T, N) \
	static NOINLINE void atomic_##N(T v) \
	{ \
		static T guard[3]; \
		T *p = &guard[1], expected; \
		ATOMIC_ORDER(T, N, __ATOMIC_RELAXED, __ATOMIC_RELAXED, __ATOMIC_RELAXED) \
		ATOMIC_ORDER(T, N, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED) \
		ATOMIC_ORDER(T, N, __ATOMIC_RELEASE, __ATOMIC_RELAXED, __ATOMIC_RELEASE) \
		ATOMIC_ORDER(T, N, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE, __ATOMIC_RELEASE) \
		ATOMIC_ORDER(T, N, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) \
		T old = __sync_val_compare_and_swap(p, *p, v); \
		mix((u64)old); mix((u64)__sync_lock_test_and_set(p, (T)9)); __sync_lock_release(p); __sync_synchronize(); \
		mix((u64)*p); \
	}

ATOMIC(u8, u8)
ATOMIC(s8, s8)
ATOMIC(u16, u16)
ATOMIC(s16, s16)
ATOMIC(u32, u32)
ATOMIC(s32, s32)
ATOMIC(u64, u64)
ATOMIC(s64, s64)

static u128 pair __attribute__((aligned(16)));

/* Returns what was there; stores `wanted` if that was `expected`. */
static NOINLINE u128 exchange_pair(u128 *p, u128 expected, u128 wanted)
{
#if defined(__aarch64__) && defined(__ARM_FEATURE_ATOMICS)
	register u64 x0 __asm__("x0") = (u64)expected;
	register u64 x1 __asm__("x1") = (u64)(expected >> 64);
	register u64 x2 __asm__("x2") = (u64)wanted;
	register u64 x3 __asm__("x3") = (u64)(wanted >> 64);
	__asm__ volatile("caspal x0, x1, x2, x3, [%4]" : "+r"(x0), "+r"(x1) : "r"(x2), "r"(x3), "r"(p) : "memory");
	return (u128)x1 << 64 | x0;
#elif defined(__aarch64__)
	u64 lo, hi;
	u32 failed;
	do {
		__asm__ volatile("ldaxp %0, %1, [%2]" : "=&r"(lo), "=&r"(hi) : "r"(p) : "memory");
		u128 found = (u128)hi << 64 | lo, stored = found == expected ? wanted : found;
		__asm__ volatile("stlxp %w0, %1, %2, [%3]"
			: "=&r"(failed) : "r"((u64)stored), "r"((u64)(stored >> 64)), "r"(p) : "memory");
	} while (failed);
	return (u128)hi << 64 | lo;
#else
	u128 found = *p;
	if (found == expected)
		*p = wanted;
	return found;
#endif
}

static void atomics(void)
{
	for (int i = 0; i < NEDGES; i++) {
		u64 v = EDGES[i];
		atomic_u8((u8)v); atomic_s8((s8)v); atomic_u16((u16)v); atomic_s16((s16)v);
		atomic_u32((u32)v); atomic_s32((s32)v); atomic_u64(v); atomic_s64((s64)v);
		mix128(exchange_pair(&pair, i & 1 ? pair : (u128)v, (u128)v << 64 | ~v));
		mix128(pair);
	}
}

/* Arguments of every kind. */

struct small { s32 a; s16 b; s8 c; };
struct two { u64 a, b; };
struct large { u64 a[5]; u8 tail[3]; };

static NOINLINE struct large passed(struct small s, struct two t, struct large l, int x, u128 w, s8 y)
{
	struct large r = l;
	r.a[0] += (u64)(s.a + s.b + s.c);
	r.a[1] ^= t.a - t.b;
	r.a[2] += (u64)x * (u64)w;
	r.a[3] -= (u64)(w >> 64) + (u64)y;
	r.tail[1]++;
	return r;
}

static NOINLINE struct two paired(u8 a, s8 b, u16 c, s16 d, u32 e, s32 f, u64 g, s64 h, u8 i, s16 j, u32 k, s64 l)
{
	return (struct two){ a + (u64)b * c - (u64)d + e, (u64)f ^ g ^ (u64)h ^ i ^ (u64)j ^ k ^ (u64)l };
}

static NOINLINE u64 variadic(const char *kinds, ...)
{
	va_list list, again;
	u64 sum = 0;
	va_start(list, kinds);
	va_copy(again, list);
	for (int pass = 0; pass < 2; pass++)
		for (const char *k = kinds; *k; k++) {
			va_list *from = pass ? &again : &list;
			switch (*k) {
			case 'i': sum = sum * 31 + (u64)va_arg(*from, int); break;
			case 'l': sum = sum * 37 + va_arg(*from, u64); break;
			case 'p': sum = sum * 41 + (u64)*va_arg(*from, char *); break;
			case 'w': { u128 w = va_arg(*from, u128); sum = sum * 43 + (u64)w + (u64)(w >> 64); break; }
			case 't': { struct two t = va_arg(*from, struct two); sum = sum * 47 + t.a - t.b; break; }
			case 'L': { struct large l = va_arg(*from, struct large); sum = sum * 53 + l.a[4] + l.tail[2]; break; }
			}
		}
	va_end(again);
	va_end(list);
	return sum;
}

static void arguments(void)
{
	struct large l = { { 1, 2, 3, 4, 5 }, { 6, 7, 8 } };
	for (int i = 0; i < NEDGES; i++) {
		u64 v = EDGES[i];
		l = passed((struct small){ (s32)v >> 1, (s16)v, (s8)v }, (struct two){ v, v >> 3 }, l, i, (u128)v << 70 | v, (s8)i);
		for (int j = 0; j < 5; j++)
			mix(l.a[j]);
		mix(l.tail[1]);
		struct two t = paired((u8)v, (s8)v, (u16)v, (s16)v, (u32)v, (s32)v, v, (s64)v, (u8)~v, (s16)~v, (u32)~v, (s64)~v);
		mix(t.a ^ t.b);
		mix(variadic("ilpwtLiliwltL", i, v, "q", (u128)v << 64 | 5, t, l, -i, v, 7, (u128)v, v, t, l));
		mix(variadic("iiiiiiiiii", 1, 2, 3, 4, 5, 6, 7, 8, 9, i));
	}
}

/* Leaving frames at once. */

#if defined(__aarch64__)
__asm__(".globl keep\nkeep: stp x19, x20, [x0]\n stp x21, x22, [x0, #16]\n stp x23, x24, [x0, #32]\n"
	"stp x25, x26, [x0, #48]\n stp x27, x28, [x0, #64]\n stp x29, x30, [x0, #80]\n mov x1, sp\n str x1, [x0, #96]\n"
	"mov w0, #0\n ret\n"
	".globl back\nback: ldp x19, x20, [x0]\n ldp x21, x22, [x0, #16]\n ldp x23, x24, [x0, #32]\n"
	"ldp x25, x26, [x0, #48]\n ldp x27, x28, [x0, #64]\n ldp x29, x30, [x0, #80]\n ldr x2, [x0, #96]\n mov sp, x2\n"
	"mov w0, w1\n ret\n");
#else
__asm__(".globl keep\nkeep: mov %rbx, (%rdi)\n mov %rbp, 8(%rdi)\n mov %r12, 16(%rdi)\n mov %r13, 24(%rdi)\n"
	"mov %r14, 32(%rdi)\n mov %r15, 40(%rdi)\n lea 8(%rsp), %rdx\n mov %rdx, 48(%rdi)\n mov (%rsp), %rdx\n"
	"mov %rdx, 56(%rdi)\n xor %eax, %eax\n ret\n"
	".globl back\nback: mov (%rdi), %rbx\n mov 8(%rdi), %rbp\n mov 16(%rdi), %r12\n mov 24(%rdi), %r13\n"
	"mov 32(%rdi), %r14\n mov 40(%rdi), %r15\n mov 48(%rdi), %rsp\n mov %esi, %eax\n jmp *56(%rdi)\n");
#endif
extern int keep(u64 *place) __attribute__((returns_twice));
extern void back(u64 *place, int value) __attribute__((noreturn));
static u64 place[16];

static NOINLINE u64 deep(int n, int limit)
{
	volatile u64 local[8];
	local[n & 7] = (u64)n;
	if (n == limit)
		back(place, n + 1);
	return deep(n + 1, limit) + local[n & 7];
}

static void jumps(void)
{
	volatile u64 sum = 0;
	for (volatile int i = 1; i < 40; i++) {
		int came = keep(place);
		if (came)
			sum = sum * 31 + (u64)came;
		else
			sum += deep(0, i);
	}
	mix(sum);
}

/* Copies of every small size, aligned and not. */

static u8 source[512], target[512];

#define COPY(N) \
	__builtin_memcpy(target + (N & 7), source + (N * 3 & 15), N); mix(target[(N & 7) + N / 2]); \
	__builtin_memset(target + 200 + (N & 3), N, N); mix(target[200 + (N & 3) + N / 2]); \
	mix((u64)(__builtin_memcmp(target + (N & 7), source + (N * 3 & 15), N) == 0)); \
	{ struct { u8 b[N]; } copy = *(__typeof__(copy) *)(source + N); mix(copy.b[N / 3]); \
	  *(__typeof__(copy) *)(target + 300) = copy; mix(target[300 + N - 1]); }
#define COPY4(N) COPY(N) COPY(N + 1) COPY(N + 2) COPY(N + 3)
#define COPY16(N) COPY4((N)) COPY4((N + 4)) COPY4((N + 8)) COPY4((N + 12))

static void hash_bytes(const void *bytes, size_t n)
{
	const u8 *b = bytes;
	for (size_t i = 0; i < n; i++)
		mix(b[i]);
}

struct packed { u8 a; u16 b; u32 c; u64 d; s16 e; s32 f; } __attribute__((packed));

static NOINLINE u64 packed_sum(struct packed *p)
{
	p->b += 3;
	p->d ^= p->c;
	p->f -= p->e;
	return p->a + p->b + p->c + p->d + (u64)p->e + (u64)p->f;
}

static void copies(void)
{
	for (int i = 0; i < 512; i++)
		source[i] = (u8)(i * 7 ^ i >> 3);
	COPY16(1) COPY16(17) COPY16(33) COPY16(49) COPY(65) COPY(77) COPY(96) COPY(127) COPY(128) COPY(129)
	for (size_t n = 0; n < 70; n++)
		for (size_t from = 0; from < 9; from += 4) {
			memmove(target + 5, source + from, n);
			memmove(target + 9, target + 5, n);
			memmove(target + 3, target + 9, n);
			mix(target[3 + n / 2]);
			mix((u64)memcmp(target + 3, source + from, n));
		}
	hash_bytes(target, sizeof target);
	for (int offset = 0; offset < 16; offset++) {
		mix(packed_sum((struct packed *)(target + offset)));
		mix(packed_sum((struct packed *)(target + 64 - offset)));
	}
	hash_bytes(target, sizeof target);
}

/* Frames: variable length, large, recursive. */

static NOINLINE u64 variable_frame(int n)
{
	u32 a[n], b[n + 3];
	u8 *c = __builtin_alloca((size_t)n * 3 + 1);
	for (int i = 0; i < n; i++) {
		a[i] = (u32)i * 3;
		b[i + 3] = a[i] ^ 5;
		c[i * 3] = (u8)b[i + 3];
	}
	u64 sum = 0;
	for (int i = 0; i < n; i++)
		sum += a[n - 1 - i] * (u64)b[i + 3] + c[i * 3];
	return sum;
}

static NOINLINE u64 large_frame(int n)
{
	volatile u64 a[5000];
	volatile u8 b[9000];
	a[n] = (u64)n;
	a[4999] = 3;
	b[n * 2] = (u8)n;
	b[8999] = 7;
	return a[n] + a[4999] + b[n * 2] + b[8999];
}

static NOINLINE u32 ackermann(u32 m, u32 n)
{
	return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

static int is_odd(u32 n);
static NOINLINE int is_even(u32 n) { return n == 0 ? 1 : is_odd(n - 1); }
static NOINLINE int is_odd(u32 n) { return n == 0 ? 0 : is_even(n - 1); }

static void frames(void)
{
	for (int n = 1; n < 60; n += 3)
		mix(variable_frame(n) ^ large_frame(n));
	mix(ackermann(2, 9));
	mix((u64)is_even(301) | (u64)is_odd(77) << 1);
}

/* Programs. */

static u32 rotate(u32 x, int n) { return x >> n | x << (32 - n); }

static void sha256_block(u32 *h, const u8 *block)
{
	static const u32 K[64] = {
		0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
		0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
		0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
		0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
		0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
		0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
		0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
		0xc67178f2,
	};
	u32 w[64], s[8];
	for (int i = 0; i < 16; i++)
		w[i] = (u32)block[i * 4] << 24 | (u32)block[i * 4 + 1] << 16 | (u32)block[i * 4 + 2] << 8 | block[i * 4 + 3];
	for (int i = 16; i < 64; i++)
		w[i] = w[i - 16] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
			(rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
	memcpy(s, h, sizeof s);
	for (int i = 0; i < 64; i++) {
		u32 one = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) + K[i] + w[i];
		u32 two = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
		memmove(s + 1, s, 7 * sizeof *s);
		s[4] += one;
		s[0] = one + two;
	}
	for (int i = 0; i < 8; i++)
		h[i] += s[i];
}

static int by_value(const void *a, const void *b)
{
	s32 x = *(const s32 *)a, y = *(const s32 *)b;
	return (x > y) - (x < y);
}

static NOINLINE void sort(void *base, size_t n, size_t size, int (*compare)(const void *, const void *))
{
	u8 *b = base, t[16];
	for (size_t gap = n / 2; gap > 0; gap /= 2)
		for (size_t i = gap; i < n; i++)
			for (size_t j = i; j >= gap && compare(b + (j - gap) * size, b + j * size) > 0; j -= gap) {
				memcpy(t, b + j * size, size);
				memcpy(b + j * size, b + (j - gap) * size, size);
				memcpy(b + (j - gap) * size, t, size);
			}
}

static NOINLINE int queens(int row, u32 columns, u32 left, u32 right, int n)
{
	if (row == n)
		return 1;
	int found = 0;
	for (u32 free = ~(columns | left | right) & ((1u << n) - 1); free; free &= free - 1) {
		u32 bit = free & -free;
		found += queens(row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1, n);
	}
	return found;
}

static NOINLINE u64 power(u64 base, u64 exponent, u64 modulus)
{
	u64 r = 1;
	for (base %= modulus; exponent; exponent >>= 1, base = (u64)((u128)base * base % modulus))
		if (exponent & 1)
			r = (u64)((u128)r * base % modulus);
	return r;
}

static NOINLINE void multiply(u64 *r, const u64 *a, const u64 *b, int n)
{
	for (int i = 0; i < 2 * n; i++)
		r[i] = 0;
	for (int i = 0; i < n; i++) {
		u64 carry = 0;
		for (int j = 0; j < n; j++) {
			u128 t = (u128)a[i] * b[j] + r[i + j] + carry;
			r[i + j] = (u64)t;
			carry = (u64)(t >> 64);
		}
		r[i + n] = carry;
	}
}

static NOINLINE u64 sum_signed(const s8 *a, const s16 *b, const s32 *c, const s64 *d, int n)
{
	s64 sum = 0;
	for (int i = 0; i < n; i++)
		sum += a[i] + b[i] * 2 + c[n - 1 - i] * 3ll + d[i];
	for (int i = n - 1; i >= 0; i -= 2)
		sum ^= (s64)((u64)a[i] << 8) ^ b[i];
	return (u64)sum;
}

static void programs(void)
{
	u32 h[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
	for (int i = 0; i < 8; i++)
		sha256_block(h, source + i * 56);
	hash_bytes(h, sizeof h);
	s32 values[200];
	for (int i = 0; i < 200; i++)
		values[i] = (s32)random64();
	sort(values, 200, sizeof *values, by_value);
	hash_bytes(values, sizeof values);
	mix((u64)queens(0, 0, 0, 0, 6));
	for (int i = 1; i < 12; i++) {
		u64 base = random64(), exponent = random64();
		mix(power(base, exponent, random64() | 1));
	}
	u64 a[8], b[8], r[16];
	for (int i = 0; i < 8; i++) {
		a[i] = random64();
		b[i] = i & 1 ? ~0ull : random64();
	}
	multiply(r, a, b, 8);
	hash_bytes(r, sizeof r);
	static u8 sieve[2000];
	u64 primes = 0;
	for (u32 i = 2; i < sizeof sieve; i++)
		if (!sieve[i]) {
			primes = primes * 3 + i;
			for (u32 j = i * i; j < sizeof sieve; j += i)
				sieve[j] = 1;
		}
	mix(primes);
	s8 x8[50]; s16 x16[50]; s32 x32[50]; s64 x64[50];
	for (int i = 0; i < 50; i++) {
		x8[i] = (s8)random64(); x16[i] = (s16)random64(); x32[i] = (s32)random64(); x64[i] = (s64)random64() >> 8;
	}
	for (int n = 1; n < 50; n += 7)
		mix(sum_signed(x8, x16, x32, x64, n));
}

/* Offsets and constants at the limits of what instructions hold. */

static u64 far[8192];

static void offsets(void)
{
	volatile u64 *p = far + 4096;
	p[0] = 1; p[31] = 2; p[32] = 3; p[-32] = 4; p[-33] = 5; p[63] = 6; p[64] = 7; p[-64] = 8; p[-65] = 9; p[511] = 10;
	p[4095] = 11; p[-4096] = 12; p[512] = 13; p[-512] = 14;
	volatile u8 *b = (u8 *)far + 32768;
	b[255] = 1; b[256] = 2; b[-255] = 3; b[-256] = 4; b[-257] = 5; b[4095] = 6; b[4096] = 7; b[32767] = 8; b[-32768] = 9;
	volatile s16 *h = (s16 *)far + 16384;
	h[127] = -1; h[128] = -2; h[-128] = -3; h[-129] = -4; h[4095] = -5; h[4096] = -6;
	volatile s32 *w = (s32 *)far + 8192;
	w[63] = -1; w[64] = -2; w[-64] = -3; w[-65] = -4; w[4095] = -5; w[4096] = -6;
	mix(b[4095] + (u64)h[4095] + (u64)w[4095] + p[4095]);
	for (int i = -2; i < 3; i++)
		mix((u64)w[4095 + i] + (u64)h[i * 100] + b[(s64)i * 256] + p[i]);
	hash_bytes(far, sizeof far / 8);
	for (int i = 0; i < 8192; i += 13)
		mix(far[i]);
	static const u64 CONSTANTS[] = { 0xffff, 0x10000, 0xfff, 0x1000, 0xfff000, 0x1000000, 0xffff0000ffff };
	for (size_t i = 0; i < COUNT(CONSTANTS); i++) {
		u64 c = CONSTANTS[i];
		mix(c + 0xfff); mix(c - 0xfff); mix(c + 0x1000); mix(c - 0xfff000); mix(c + 0x1001); mix(c ^ 0x0f0f0f0f0f0f0f0f);
		mix(c & 0x7e7e7e7e7e7e7e7e); mix(c | 0xe000000000000007); mix(c ^ 0xffffffffffff0fff); mix(c * 10); mix(c * 0x10001);
		mix(c == 0xfff000 ? 0x1234567800000000 : 0xffffffffabcd0000);
	}
}

__attribute__((used)) void run(void)
{
	hash = 0xcbf29ce484222325;
	arithmetic();
	report("arithmetic");
	widths();
	report("widths");
	wides();
	report("wides");
	bits();
	report("bits");
	bitfields();
	report("bitfields");
	branches();
	report("branches");
	atomics();
	report("atomics");
	arguments();
	report("arguments");
	jumps();
	report("jumps");
	copies();
	report("copies");
	frames();
	report("frames");
	programs();
	report("programs");
	offsets();
	report("offsets");
	call3(CALL_EXIT, 0, 0, 0);
	__builtin_unreachable();
}
