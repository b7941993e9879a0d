/* A crew: threads that help others with parts of their work.
 *
 * Who has work to share submits tasks and goes on with the same work himself. A task that nobody
 * has begun by the time the rest is done is taken back; so nobody ever waits for a thread that is
 * busy with something else, only for one that is at work for him. */
#include "base/check.h"
#include "base/mem.h"
#include "env/env.h"

enum task_state { TASK_NEW, TASK_WAITING, TASK_RUNNING, TASK_DONE };

struct env_crew {
    struct env_mutex *mutex; /* guards what follows, and the tasks' state */
    struct env_cond *work;
    struct env_cond *done;
    struct env_crew_task *first;
    struct env_crew_task **last;
    struct env_thread **threads;
    uint32_t thread_count;
    bool started;
    bool stop;
    char *name;
};

static void crew_thread(void *argument)
{
    struct env_crew *crew = argument;
    env_mutex_lock(crew->mutex);
    for (;;) {
        while (!crew->first && !crew->stop)
            env_cond_wait(crew->work, crew->mutex);
        struct env_crew_task *task = crew->first;
        if (!task)
            break;
        ASSERT(task->state == TASK_WAITING);
        crew->first = task->next;
        if (!crew->first)
            crew->last = &crew->first;
        task->state = TASK_RUNNING;
        env_mutex_unlock(crew->mutex);
        task->run(task->argument);
        env_mutex_lock(crew->mutex);
        task->state = TASK_DONE;
        env_cond_broadcast(crew->done);
    }
    env_mutex_unlock(crew->mutex);
}

struct env_crew *env_crew_create(const char *name, uint32_t threads)
{
    ASSERT(threads > 0);
    struct env_crew *crew = mem_zalloc(1, sizeof *crew);
    crew->mutex = env_mutex_create();
    crew->work = env_cond_create();
    crew->done = env_cond_create();
    crew->last = &crew->first;
    crew->threads = mem_zalloc(threads, sizeof(struct env_thread *));
    crew->thread_count = threads;
    crew->name = mem_strdup(name);
    return crew;
}

void env_crew_destroy(struct env_crew *crew)
{
    if (!crew)
        return;
    env_mutex_lock(crew->mutex);
    ASSERT(!crew->first);
    crew->stop = true;
    env_cond_broadcast(crew->work);
    env_mutex_unlock(crew->mutex);
    for (uint32_t i = 0; crew->started && i < crew->thread_count; i++)
        env_thread_join(crew->threads[i]);
    env_cond_destroy(crew->work);
    env_cond_destroy(crew->done);
    env_mutex_destroy(crew->mutex);
    mem_free(crew->threads);
    mem_free(crew->name);
    mem_free(crew);
}

uint32_t env_crew_threads(const struct env_crew *crew)
{
    return crew ? crew->thread_count : 0;
}

void env_crew_submit(struct env_crew *crew, struct env_crew_task *task)
{
    ASSERT(task->run && task->state == TASK_NEW);
    env_mutex_lock(crew->mutex);
    for (uint32_t i = 0; !crew->started && i < crew->thread_count; i++)
        crew->threads[i] = env_thread_start(crew->name, crew_thread, crew);
    crew->started = true;
    task->state = TASK_WAITING;
    task->next = NULL;
    *crew->last = task;
    crew->last = &task->next;
    env_cond_signal(crew->work);
    env_mutex_unlock(crew->mutex);
}

/* Under the mutex. */
static bool task_remove(struct env_crew *crew, struct env_crew_task *task)
{
    ASSERT(task->state != TASK_NEW);
    if (task->state != TASK_WAITING)
        return false;
    struct env_crew_task **at = &crew->first;
    while (*at != task)
        at = &(*at)->next;
    *at = task->next;
    if (crew->last == &task->next)
        crew->last = at;
    task->state = TASK_NEW;
    return true;
}

bool env_crew_take_back(struct env_crew *crew, struct env_crew_task *task)
{
    env_mutex_lock(crew->mutex);
    bool removed = task_remove(crew, task);
    env_mutex_unlock(crew->mutex);
    return removed;
}

bool env_crew_finish(struct env_crew *crew, struct env_crew_task *task)
{
    env_mutex_lock(crew->mutex);
    (void)task_remove(crew, task);
    while (task->state == TASK_RUNNING)
        env_cond_wait(crew->done, crew->mutex);
    bool ran = task->state == TASK_DONE;
    env_mutex_unlock(crew->mutex);
    return ran;
}
