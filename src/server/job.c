#include "server/job.h"

#include "base/check.h"
#include "base/mem.h"

struct job_pool {
    const char *name;
    struct mailbox *mailbox;
    struct env_mutex *mutex;
    struct env_cond *cond;
    struct env_thread **threads;
    uint32_t thread_count;
    bool started;
    bool stopping;
    struct job *first;
    struct job **last;
};

static void mailbox_post(struct mailbox *mailbox, struct job *job)
{
    job->next = NULL;
    env_mutex_lock(mailbox->mutex);
    bool was_empty = mailbox->first == NULL;
    *mailbox->last = job;
    mailbox->last = &job->next;
    env_mutex_unlock(mailbox->mutex);
    if (was_empty)
        uv_async_send(&mailbox->async);
}

void mailbox_drain(struct mailbox *mailbox)
{
    env_mutex_lock(mailbox->mutex);
    struct job *job = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    env_mutex_unlock(mailbox->mutex);
    while (job) {
        struct job *next = job->next;
        ASSERT(mailbox->out > 0);
        mailbox->out--;
        job->done(job);
        job = next;
    }
}

static void on_async(uv_async_t *async)
{
    mailbox_drain(async->data);
}

void mailbox_init(struct mailbox *mailbox, uv_loop_t *loop)
{
    *mailbox = (struct mailbox){.mutex = env_mutex_create()};
    mailbox->last = &mailbox->first;
    int result = uv_async_init(loop, &mailbox->async, on_async);
    ASSERT(result == 0);
    mailbox->async.data = mailbox;
}

void mailbox_close(struct mailbox *mailbox)
{
    ASSERT(mailbox->out == 0);
    env_mutex_destroy(mailbox->mutex);
    uv_close((uv_handle_t *)&mailbox->async, NULL);
}

static void pool_thread(void *argument)
{
    struct job_pool *pool = argument;
    env_mutex_lock(pool->mutex);
    for (;;) {
        while (!pool->first && !pool->stopping)
            env_cond_wait(pool->cond, pool->mutex);
        struct job *job = pool->first;
        if (!job)
            break;
        pool->first = job->next;
        if (!pool->first)
            pool->last = &pool->first;
        env_mutex_unlock(pool->mutex);
        job->run(job);
        mailbox_post(pool->mailbox, job);
        env_mutex_lock(pool->mutex);
    }
    env_mutex_unlock(pool->mutex);
}

struct job_pool *job_pool_create(const char *name, uint32_t threads, struct mailbox *mailbox)
{
    ASSERT(threads > 0);
    struct job_pool *pool = mem_zalloc(1, sizeof *pool);
    pool->name = name;
    pool->mailbox = mailbox;
    pool->mutex = env_mutex_create();
    pool->cond = env_cond_create();
    pool->threads = mem_zalloc(threads, sizeof *pool->threads);
    pool->thread_count = threads;
    pool->last = &pool->first;
    return pool;
}

void job_submit(struct job_pool *pool, struct job *job)
{
    ASSERT(!pool->stopping);
    if (!pool->started) {
        pool->started = true;
        for (uint32_t i = 0; i < pool->thread_count; i++)
            pool->threads[i] = env_thread_start(pool->name, pool_thread, pool);
    }
    pool->mailbox->out++;
    job->next = NULL;
    env_mutex_lock(pool->mutex);
    *pool->last = job;
    pool->last = &job->next;
    env_cond_signal(pool->cond);
    env_mutex_unlock(pool->mutex);
}

void job_pool_destroy(struct job_pool *pool)
{
    if (!pool)
        return;
    env_mutex_lock(pool->mutex);
    pool->stopping = true;
    env_cond_broadcast(pool->cond);
    env_mutex_unlock(pool->mutex);
    for (uint32_t i = 0; pool->started && i < pool->thread_count; i++)
        env_thread_join(pool->threads[i]);
    env_mutex_destroy(pool->mutex);
    env_cond_destroy(pool->cond);
    mem_free(pool->threads);
    mem_free(pool);
}
