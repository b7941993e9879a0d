/* Threads, mutexes and conditions: POSIX threads with every result checked. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/mem.h"
#include "env/env.h"

/* Linux keeps 16 bytes of a thread's name, the NUL among them (pthread_setname_np(3)). */
#define NAME_SIZE 16

struct env_thread {
    pthread_t id;
    env_thread_fn *run;
    void *argument;
    char name[NAME_SIZE];
};

struct env_mutex {
    pthread_mutex_t mutex;
};

struct env_cond {
    pthread_cond_t cond;
};

static void *thread_main(void *argument)
{
    struct env_thread *thread = argument;
    /* A name is a help to people; a thread without one works as well. */
    (void)pthread_setname_np(pthread_self(), thread->name);
    thread->run(thread->argument);
    return NULL;
}

struct env_thread *env_thread_start(const char *name, env_thread_fn *run, void *argument)
{
    ASSERT(name != NULL && run != NULL);
    struct env_thread *thread = mem_zalloc(1, sizeof *thread);
    thread->run = run;
    thread->argument = argument;
    (void)snprintf(thread->name, sizeof thread->name, "%s", name);
    /* Signals are the main thread's business: the mask is inherited, so block them around. */
    sigset_t all, before;
    sigfillset(&all);
    int failed = pthread_sigmask(SIG_SETMASK, &all, &before);
    ASSERT(failed == 0);
    failed = pthread_create(&thread->id, NULL, thread_main, thread);
    /* Threads are started when the node starts; one that cannot have them cannot run. */
    ASSERT(failed == 0);
    failed = pthread_sigmask(SIG_SETMASK, &before, NULL);
    ASSERT(failed == 0);
    return thread;
}

void env_thread_join(struct env_thread *thread)
{
    ASSERT(thread != NULL);
    int failed = pthread_join(thread->id, NULL);
    ASSERT(failed == 0);
    mem_free(thread);
}

struct env_mutex *env_mutex_create(void)
{
    struct env_mutex *mutex = mem_zalloc(1, sizeof *mutex);
    int failed = pthread_mutex_init(&mutex->mutex, NULL);
    ASSERT(failed == 0);
    return mutex;
}

void env_mutex_destroy(struct env_mutex *mutex)
{
    ASSERT(mutex != NULL);
    int failed = pthread_mutex_destroy(&mutex->mutex); /* EBUSY: somebody holds it */
    ASSERT(failed == 0);
    mem_free(mutex);
}

void env_mutex_lock(struct env_mutex *mutex)
{
    int failed = pthread_mutex_lock(&mutex->mutex);
    ASSERT(failed == 0);
}

void env_mutex_unlock(struct env_mutex *mutex)
{
    int failed = pthread_mutex_unlock(&mutex->mutex);
    ASSERT(failed == 0);
}

struct env_cond *env_cond_create(void)
{
    struct env_cond *cond = mem_zalloc(1, sizeof *cond);
    /* Waits with an end are measured by a clock that nobody sets. */
    pthread_condattr_t attributes;
    int failed = pthread_condattr_init(&attributes);
    ASSERT(failed == 0);
    failed = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    ASSERT(failed == 0);
    failed = pthread_cond_init(&cond->cond, &attributes);
    ASSERT(failed == 0);
    failed = pthread_condattr_destroy(&attributes);
    ASSERT(failed == 0);
    return cond;
}

void env_cond_destroy(struct env_cond *cond)
{
    ASSERT(cond != NULL);
    int failed = pthread_cond_destroy(&cond->cond);
    ASSERT(failed == 0);
    mem_free(cond);
}

void env_cond_wait(struct env_cond *cond, struct env_mutex *mutex)
{
    int failed = pthread_cond_wait(&cond->cond, &mutex->mutex);
    ASSERT(failed == 0);
}

bool env_cond_wait_for(struct env_cond *cond, struct env_mutex *mutex, uint64_t us)
{
    enum { NS_PER_SECOND = 1000000000 };
    struct timespec until;
    int failed = clock_gettime(CLOCK_MONOTONIC, &until);
    ASSERT(failed == 0);
    until.tv_sec += (time_t)(us / 1000000);
    until.tv_nsec += (long)(us % 1000000) * 1000;
    if (until.tv_nsec >= NS_PER_SECOND) {
        until.tv_sec++;
        until.tv_nsec -= NS_PER_SECOND;
    }
    failed = pthread_cond_timedwait(&cond->cond, &mutex->mutex, &until);
    ASSERT(failed == 0 || failed == ETIMEDOUT);
    return failed == 0;
}

void env_cond_signal(struct env_cond *cond)
{
    int failed = pthread_cond_signal(&cond->cond);
    ASSERT(failed == 0);
}

void env_cond_broadcast(struct env_cond *cond)
{
    int failed = pthread_cond_broadcast(&cond->cond);
    ASSERT(failed == 0);
}
