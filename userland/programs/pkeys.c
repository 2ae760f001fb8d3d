/*
 * pkeys
 * Memory protection keys. Without them in the CPU it says so and ends well.
 * Checks: the errors of the three calls; that a key's rights bind loads and stores (SEGV_PKUERR with si_pkey and
 * the access in the syndrome, on populated and on untouched pages), the kernel's own accesses (EFAULT), but not
 * instruction fetches; that the page tables' rights still count; that rights belong to the thread, are inherited
 * at clone, are the default ones in a handler and come back after it; that all keys can be had, each works by
 * itself, and a freed key can be had again.
 * Output: the number of keys, or "no pkeys". Status 0.
 */
#include "program.h"

const char program_name[] = "pkeys";

#ifdef ARCH_HAS_PKEYS

#define MOST_KEYS 64
#define NO_ACCESS PKEY_DISABLE_ACCESS
#define NO_WRITE PKEY_DISABLE_WRITE

static int key;
static void *page;

static void expect(const char *what, long result, long expected)
{
	check(result == expected, "%s returned %ld instead of %ld", what, result, expected);
}

enum page_state { UNTOUCHED, POPULATED };

/* On a page that is not there yet the kernel finds the key's veto; the CPU only says "not present". */
static void expect_key_fault(const char *what, int faulted, enum page_state state)
{
	struct thread *self = thread_self();
	check(faulted, "%s: no fault", what);
	check(self->fault.code == SEGV_PKUERR, "%s: si_code %d instead of SEGV_PKUERR", what, self->fault.code);
	check(self->fault.is_key_fault == (state == POPULATED), "%s: the CPU %s the key", what,
	      self->fault.is_key_fault ? "blames" : "does not blame");
	check(self->fault.pkey == (uint32_t)key, "%s: si_pkey %u instead of %d", what, self->fault.pkey, key);
}

static void expect_access(const char *what, int faulted)
{
	check(!faulted, "%s: SIGSEGV with si_code %d", what, thread_self()->fault.code);
}

static void accesses(void)
{
	uint64_t value;
	long result = sys_pkey_mprotect(page, 2 * page_size(), READ_WRITE, key);
	check(result == 0, "pkey_mprotect returned %ld", result);

	arch_pkey_set(key, NO_ACCESS);
	expect_key_fault("load from an untouched page without access", try_load(page_word(page, 1), &value), UNTOUCHED);
	expect_key_fault("store to an untouched page without access", try_store(page_word(page, 1), 1), UNTOUCHED);
	arch_pkey_set(key, NO_WRITE);
	expect_access("load from an untouched page", try_load(page_word(page, 1), &value));
	check(value == 0, "an untouched page reads %lx", value);
	expect_key_fault("store to the zero page without write access", try_store(page_word(page, 1), 1), POPULATED);

	arch_pkey_set(key, 0);
	expect_access("store with all rights", try_store(page, 0x5ec2e7));
	arch_pkey_set(key, NO_WRITE);
	expect_access("load without write access", try_load(page, &value));
	check(value == 0x5ec2e7, "the page reads %lx", value);
	expect_key_fault("store without write access", try_store(page, 1), POPULATED);
	expect_key_fault("locked addition without write access", try_add(page, 1), POPULATED);
	arch_pkey_set(key, NO_ACCESS);
	expect_key_fault("load without access", try_load(page, &value), POPULATED);
	expect_key_fault("store without access", try_store(page, 1), POPULATED);
	arch_pkey_set(key, 0);
	expect_access("load after the rights came back", try_load(page, &value));
	check(value == 0x5ec2e7, "a store that the key forbade has changed the page to %lx", value);

	/* A page without the right gives SEGV_ACCERR whatever the key says about it. */
	result = sys_pkey_mprotect(page, page_size(), PROT_READ, key);
	check(result == 0, "pkey_mprotect returned %ld", result);
	check(try_store(page, 1), "stored to a read-only page");
	check(thread_self()->fault.code == SEGV_ACCERR, "a read-only page gives si_code %d", thread_self()->fault.code);
	/* mprotect keeps the key. */
	result = sys_mprotect(page, page_size(), READ_WRITE);
	check(result == 0, "mprotect returned %ld", result);
	arch_pkey_set(key, NO_ACCESS);
	expect_key_fault("load after mprotect", try_load(page, &value), POPULATED);
	arch_pkey_set(key, 0);
}

static void kernel_accesses(void)
{
	uint64_t *set = page;
	arch_pkey_set(key, NO_ACCESS);
	expect("rt_sigprocmask from a page without access", sys_rt_sigprocmask(SIG_BLOCK, set, 0), -EFAULT);
	expect("uname to a page without access", sys_uname(page), -EFAULT);
	arch_pkey_set(key, NO_WRITE);
	expect("uname to a page without write access", sys_uname(page), -EFAULT);
	arch_pkey_set(key, 0);
	expect("uname to a page with all rights", sys_uname(page), 0);
	set[0] = 0;
	arch_pkey_set(key, NO_WRITE);
	expect("rt_sigprocmask from a page without write access", sys_rt_sigprocmask(SIG_BLOCK, set, 0), 0);
	arch_pkey_set(key, 0);
}

#ifdef ARCH_FETCH_IGNORES_PKEYS
static void fetches(void)
{
	long code = sys_mmap(0, page_size(), READ_WRITE, ANONYMOUS);
	check(!is_error(code), "mmap returned %ld", code);
	memcpy((void *)code, (const void *)arch_guarded_fixup, 16); /* "return 1" */
	long result = sys_pkey_mprotect((void *)code, page_size(), PROT_READ | PROT_EXEC, key);
	check(result == 0, "pkey_mprotect returned %ld", result);
	arch_pkey_set(key, NO_ACCESS);
	int one = ((int (*)(void))code)();
	check(one == 1, "code on a page without access returned %d", one);
	arch_pkey_set(key, 0);
	unmap((void *)code, page_size());
}
#endif

static void inherit(struct thread *self)
{
	uint64_t value;
	self->result[0] = arch_pkey_get(key);
	expect_key_fault("store in a thread that inherited its rights", try_store(page, 1), POPULATED);
	arch_pkey_set(key, 0);
	expect_access("store in a thread that gave itself rights", try_store(page, 77));
	expect_access("load in a thread that gave itself rights", try_load(page, &value));
}

static void threads(void)
{
	uint64_t sum[4] = {0}, value;
	arch_pkey_set(key, NO_WRITE);
	threads_run(1, inherit, 0, sum);
	check(sum[0] == NO_WRITE, "a new thread has the rights %lu instead of %d", sum[0], NO_WRITE);
	check(arch_pkey_get(key) == NO_WRITE, "another thread's rights have become this one's");
	expect_access("load of another thread's store", try_load(page, &value));
	check(value == 77, "the page reads %lu, not the other thread's store", value);
	expect_key_fault("store after another thread took rights", try_store(page, 1), POPULATED);
	arch_pkey_set(key, 0);
}

static unsigned rights_in_handler;

static void on_signal(int signal, struct siginfo *info, struct ucontext *uc)
{
	(void)signal;
	(void)info;
	(void)uc;
	rights_in_handler = arch_pkey_get(key);
	arch_pkey_set(key, NO_WRITE); /* lasts until the handler returns */
}

static void handlers(void)
{
	struct sigaction action = {
		.handler = (void *)on_signal,
		.flags = SA_SIGINFO | ARCH_SA_FLAGS,
		.restorer = arch_signal_return,
	};
	expect("rt_sigaction", sys_rt_sigaction(SIGUSR1, &action, 0), 0);
	arch_pkey_set(key, 0);
	expect("tgkill", sys_tgkill((int)sys_getpid(), (int)sys_gettid(), SIGUSR1), 0);
	check(rights_in_handler == NO_ACCESS, "a handler starts with the rights %u, not the default", rights_in_handler);
	check(arch_pkey_get(key) == 0, "after the handler the rights are %u", arch_pkey_get(key));
}

/* Every key on a page of its own: taking one key's rights touches its page alone. */
static unsigned all_keys(void)
{
	int keys[MOST_KEYS];
	unsigned count = 0;
	long result;
	while (count < MOST_KEYS && (result = sys_pkey_alloc(0, 0)) > 0)
		keys[count++] = (int)result;
	check(count < MOST_KEYS && result == -ENOSPC, "pkey_alloc after %u more keys returned %ld", count, result);
	char *pages = map((count + 1) * page_size());
	for (unsigned i = 0; i < count; i++) {
		*page_word(pages, i) = i;
		result = sys_pkey_mprotect(page_word(pages, i), page_size(), READ_WRITE, keys[i]);
		check(result == 0, "pkey_mprotect with key %d returned %ld", keys[i], result);
	}
	int first = key;
	for (unsigned i = 0; i < count; i++) {
		uint64_t value;
		key = keys[i];
		arch_pkey_set(key, NO_ACCESS);
		for (unsigned j = 0; j < count; j++)
			if (j == i)
				expect_key_fault("load through the forbidden key", try_load(page_word(pages, j), &value), POPULATED);
			else
				expect_access("load through another key", try_load(page_word(pages, j), &value));
		arch_pkey_set(key, 0);
	}
	key = first;
	unmap(pages, (count + 1) * page_size());
	for (unsigned i = 0; i < count; i++)
		expect("pkey_free", sys_pkey_free(keys[i]), 0);
	return count + 1;
}

int main(int argc, char **argv)
{
	arguments_end(argc, argv, 0);
	expect("pkey_alloc with flags", sys_pkey_alloc(1, 0), -EINVAL);
	expect("pkey_alloc with unknown rights", sys_pkey_alloc(0, 4), -EINVAL);
	long result = sys_pkey_alloc(0, NO_WRITE);
	/* x86 Linux answers EINVAL to a right call if the CPU has no keys, others ENOSPC or ENOSYS. */
	if (result == -EINVAL || result == -ENOSPC || result == -ENOSYS) {
		printf("pkeys: no pkeys\n");
		return 0;
	}
	check(result > 0, "pkey_alloc returned %ld", result);
	key = (int)result;
	check(arch_pkey_get(key) == NO_WRITE, "pkey_alloc gave the rights %u", arch_pkey_get(key));
	arch_pkey_set(key, 0);

	guarded_install();
	page = map(2 * page_size());
	accesses();
	kernel_accesses();
#ifdef ARCH_FETCH_IGNORES_PKEYS
	fetches();
#endif
	threads();
	handlers();
	expect("pkey_mprotect with key -1", sys_pkey_mprotect(page, page_size(), READ_WRITE, -1), 0);
	expect("pkey_mprotect with a key never allocated", sys_pkey_mprotect(page, page_size(), READ_WRITE, MOST_KEYS),
	       -EINVAL);
	unsigned keys = all_keys();
	expect("pkey_mprotect back to key 0", sys_pkey_mprotect(page, 2 * page_size(), READ_WRITE, 0), 0);
	expect("pkey_free", sys_pkey_free(key), 0);
	expect("pkey_free of a free key", sys_pkey_free(key), -EINVAL);
	expect("pkey_mprotect with a free key", sys_pkey_mprotect(page, page_size(), READ_WRITE, key), -EINVAL);
	expect("pkey_alloc after pkey_free", sys_pkey_alloc(0, 0), key);
	printf("pkeys: %u keys: loads, stores, system calls, threads and handlers obey them\n", keys);
	return 0;
}

#else

int main(int argc, char **argv)
{
	arguments_end(argc, argv, 0);
	long result = sys_pkey_alloc(0, 0);
	check(result == -ENOSYS, "pkey_alloc returned %ld on an architecture without keys", result);
	printf("pkeys: no pkeys\n");
	return 0;
}

#endif
