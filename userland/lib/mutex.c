#include "mutex.h"

#include "syscalls.h"

#define WAIT (FUTEX_WAIT | FUTEX_PRIVATE_FLAG)
#define WAKE (FUTEX_WAKE | FUTEX_PRIVATE_FLAG)
#define ALL 0x7fffffff

static void lock_contended(struct mutex *mutex)
{
	while (__atomic_exchange_n(&mutex->state, 2, __ATOMIC_ACQUIRE) != 0)
		sys_futex(&mutex->state, WAIT, 2, 0);
}

void mutex_lock(struct mutex *mutex)
{
	uint32_t expected = 0;
	if (!__atomic_compare_exchange_n(&mutex->state, &expected, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		lock_contended(mutex);
}

void mutex_unlock(struct mutex *mutex)
{
	if (__atomic_exchange_n(&mutex->state, 0, __ATOMIC_RELEASE) == 2)
		sys_futex(&mutex->state, WAKE, 1, 0);
}

void condition_wait(struct condition *condition, struct mutex *mutex)
{
	uint32_t sequence = __atomic_load_n(&condition->sequence, __ATOMIC_RELAXED);
	mutex_unlock(mutex);
	sys_futex(&condition->sequence, WAIT, sequence, 0);
	/* A broadcast may have queued others on the mutex: take it as "held with waiters". */
	lock_contended(mutex);
}

void condition_signal(struct condition *condition)
{
	__atomic_fetch_add(&condition->sequence, 1, __ATOMIC_RELEASE);
	sys_futex(&condition->sequence, WAKE, 1, 0);
}

void condition_broadcast(struct condition *condition, struct mutex *mutex)
{
	/*
	 * Those moved must be woken by an unlock. The one that is woken here takes the mutex in state 2,
	 * so its unlock wakes the next, and so on.
	 */
	__atomic_fetch_add(&condition->sequence, 1, __ATOMIC_RELEASE);
	sys_futex_requeue(&condition->sequence, FUTEX_REQUEUE | FUTEX_PRIVATE_FLAG, 1, ALL, &mutex->state, 0);
}

void barrier_wait(struct barrier *barrier)
{
	uint32_t phase = __atomic_load_n(&barrier->phase, __ATOMIC_ACQUIRE);
	if (__atomic_add_fetch(&barrier->arrived, 1, __ATOMIC_ACQ_REL) == barrier->count) {
		__atomic_store_n(&barrier->arrived, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&barrier->phase, phase + 1, __ATOMIC_RELEASE);
		sys_futex(&barrier->phase, WAKE, ALL, 0);
		return;
	}
	while (__atomic_load_n(&barrier->phase, __ATOMIC_ACQUIRE) == phase)
		sys_futex(&barrier->phase, WAIT, phase, 0);
}
