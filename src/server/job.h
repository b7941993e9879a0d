/* Work for other threads, and the way back: a job runs on a thread of its pool, then its `done`
 * runs on the loop thread. One mailbox with one wake-up serves all pools of a node. */
#ifndef SERVER_JOB_H
#define SERVER_JOB_H

#include <uv.h>

#include "env/env.h"

struct job {
    void (*run)(struct job *job);  /* on a thread of the pool */
    void (*done)(struct job *job); /* on the loop thread; the job may be submitted again */
    struct job *next;
};

/* Finished jobs on their way to the loop. */
struct mailbox {
    uv_async_t async;
    struct env_mutex *mutex;
    struct job *first;
    struct job **last;
    uint32_t out; /* jobs submitted and not done; loop thread only */
};

void mailbox_init(struct mailbox *mailbox, uv_loop_t *loop);
/* Nothing may be out. The async handle is closed; memory may go after the loop has run once more.
 */
void mailbox_close(struct mailbox *mailbox);
/* Runs `done` of all finished jobs now, instead of at the next wake-up. */
void mailbox_drain(struct mailbox *mailbox);

struct job_pool;
/* Threads are started by the first job. `name` shows in top -H. */
struct job_pool *job_pool_create(const char *name, uint32_t threads, struct mailbox *mailbox);
/* Waits for running jobs; those still queued are run too. Their `done` must be drained after. */
void job_pool_destroy(struct job_pool *pool);
void job_submit(struct job_pool *pool, struct job *job);

#endif
